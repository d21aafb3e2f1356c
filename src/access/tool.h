/* SPDX-License-Identifier: GPL-2.0-only */
/* Built-in iterators that are no views: loaded at need, never pinned. */
#ifndef KVIEW_ITER_TOOL_H
#define KVIEW_ITER_TOOL_H

#include "load/load.h"
#include "kview/abi.h"

/**
 * kv_tool_open() - load a tool
 * @name: "identity/NAME"
 * @types: to load it with, or NULL
 * @tool: on success to be closed with kv_loaded_close()
 *
 * Return: 0 or -errno with @err set.
 */
int kv_tool_open(const char *name, struct kv_types *types, struct kv_loaded *tool,
		 struct kv_err *err);

/**
 * kv_tool_identify() - who a thread is, by the tool `reader`
 * @tid: in the caller's pid namespace
 *
 * Return: 0 or -errno; -ESRCH: there is no such thread.
 */
int kv_tool_identify(const struct kv_loaded *tool, pid_t tid, struct kv_identity *id);

/**
 * kv_tool_finds_threads() - does an iterator for one thread find one that is no leader?
 * @tool: `reader`
 *
 * Not until Linux 6.12 (9495a5b731fc), but for backports such as those of 6.1.115 and
 * 6.6.59. Where it does not, kv_tool_identify() looks through the threads of the process,
 * which takes the initial pid namespace.
 */
bool kv_tool_finds_threads(struct kv_loaded *tool);

#endif
