/* SPDX-License-Identifier: GPL-2.0-only */
/* Built-in iterators that are no views: loaded at need, never pinned. */
#ifndef KVIEW_ITER_TOOL_H
#define KVIEW_ITER_TOOL_H

#include <stddef.h>

#include "base/err.h"

/**
 * kv_tool_link() - load a tool
 * @name: "tools/NAME"
 *
 * Return: a link's descriptor to be closed, or -errno with @err set.
 */
int kv_tool_link(const char *name, struct kv_err *err);

/**
 * kv_tool_read() - load a tool and read what it says first
 * @size: bytes expected at @to; fewer are an error
 *
 * Return: 0 or -errno with @err set.
 */
int kv_tool_read(const char *name, void *to, size_t size, struct kv_err *err);

#endif
