/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walk of a view with a column of arguments, which couriers fetch (access/courier.h).
 *
 * They fetch by number, and a number may be another process's a moment later. So there are two
 * walks. The first one says whose arguments to fetch; the second one, which begins a batch behind
 * it, whether the process is there still. What was fetched in between is its own then. If the
 * second one was ahead, the couriers compare when the process began. The rows are those of the
 * second walk: processes that end meanwhile are left out, as are those that begin.
 */
#ifndef KVIEW_STREAM_ARGS_H
#define KVIEW_STREAM_ARGS_H

#include <stdint.h>
#include <sys/types.h>

#include "access/courier.h"
#include "base/err.h"

struct kv_args_walk;
struct kv_kernel_walk;

/**
 * kv_args_new() - nothing is read yet
 * @walk: as kv_walk_open() makes it: how the two shall be; on success the first of them
 * @second: another one like it
 *
 * Return: to be freed with kv_args_free(); NULL: out of memory, and the walks are the caller's.
 */
struct kv_args_walk *kv_args_new(struct kv_courier *courier, struct kv_kernel_walk *walk,
				 struct kv_kernel_walk *second);

/* kv_args_free() - @args may be NULL */
void kv_args_free(struct kv_args_walk *args);

/* kv_args_read() - as kv_walk_read(); waits for couriers, a second at most as a rule */
ssize_t kv_args_read(struct kv_args_walk *args, char *to, size_t size, uint8_t *saw,
		     struct kv_err *err);

#endif
