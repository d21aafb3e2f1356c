/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The query `ask`: who is this thread, and may a reader know of this process? One call of a
 * program answers, where the kernel can (Linux 6.10). Elsewhere the queries `reader` and
 * `processes` answer, iterators that are made for one task, which costs ten times as much.
 */
#ifndef KVIEW_ACCESS_ASK_H
#define KVIEW_ACCESS_ASK_H

#include <stdbool.h>
#include <sys/types.h>

#include "kview/abi.h"

struct kv_types;

/* Its programs; -1: this kernel can't call them. */
struct kv_ask {
	int identity_fd, process_fd;
};

#define KV_ASK_INIT ((struct kv_ask){-1, -1})

/**
 * kv_ask_open() - load the query
 * @ask: KV_ASK_INIT; stays so if the kernel can't
 * @self: what the query `reader` says of the calling thread: the answer must be the same
 * @types: to load it with, or NULL
 */
void kv_ask_open(struct kv_ask *ask, const struct kv_identity *self, struct kv_types *types);

void kv_ask_close(struct kv_ask *ask);

static inline bool kv_ask_is_open(const struct kv_ask *ask)
{
	return ask->identity_fd >= 0;
}

/**
 * kv_ask_identity() - who a thread is
 *
 * Return: 0 or -errno; -ESRCH: there is no such thread.
 */
int kv_ask_identity(const struct kv_ask *ask, pid_t tid, struct kv_identity *id);

/**
 * kv_ask_process() - a process, if a reader may know of it
 * @pid: in our own pid namespace
 *
 * Return: 0 or -errno; -ENOENT: there is none.
 */
int kv_ask_process(const struct kv_ask *ask, const struct kv_scope *scope, pid_t pid,
		   struct kv_process *process);

#endif
