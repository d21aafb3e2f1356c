/* SPDX-License-Identifier: GPL-2.0-only */
/* The calling thread, as iterator programs see it. */
#ifndef KVIEW_ACCESS_SELF_H
#define KVIEW_ACCESS_SELF_H

#include <stdint.h>

#include "base/err.h"

struct kv_self {
	uint64_t id;	/* tgid << 32 | tid in the initial pid namespace */
	uint64_t start; /* ns since boot, in the first time namespace */
};

/**
 * kv_self_get() - the calling thread
 *
 * An iterator over this thread tells, once per thread: /proc has its start in ticks
 * alone, and its numbers only in the initial pid namespace.
 *
 * Return: 0 or -errno with @err set.
 */
int kv_self_get(struct kv_self *self, struct kv_err *err);

struct kv_loaded;

/**
 * kv_self_by() - the tool that kv_self_get() asks from now on
 * @tool: `reader`, loaded for as long as it may be asked; NULL: load one at need,
 * which takes the right to
 *
 * To be called while there is one thread.
 */
void kv_self_by(const struct kv_loaded *tool);

#endif
