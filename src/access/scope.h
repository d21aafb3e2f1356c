/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads of iterators by a thread that is registered with what a reader may see. */
#ifndef KVIEW_ACCESS_SCOPE_H
#define KVIEW_ACCESS_SCOPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "kview/abi.h"

/* What kv_scope_read() returns when @err says it already, unlike any -errno. */
#define KV_SAID (-100000)

/**
 * kv_scope_read() - one read() of an iterator on behalf of a reader
 * @map: kv_loaded.readers_fd
 * @progress: what programs keep from one read of a walk to the next, zero before the first;
 *	  NULL: for a program that keeps nothing
 * @saw: receives KV_SAW_ bits
 *
 * The calling thread is registered for the time of the read alone: a later
 * thread of the same number must not be taken for this one. Signals wait
 * meanwhile, since the kernel walks on regardless of them.
 *
 * Return: bytes, -errno of read(), or KV_SAID.
 */
ssize_t kv_scope_read(int map, const struct kv_scope *scope, struct kv_progress *progress, int iter,
		      void *to, size_t size, uint8_t *saw, struct kv_err *err);

/* kv_scope_read_on() - the same until something or the end comes; -EIO: never */
ssize_t kv_scope_read_on(int map, const struct kv_scope *scope, struct kv_progress *progress,
			 int iter, void *to, size_t size);

/* kv_saw_is_end() - does nothing come after a read that gave @n of @size bytes? */
static inline bool kv_saw_is_end(uint8_t saw, ssize_t n, size_t size)
{
	/* A read that was filled may have left the rest of the last record behind. */
	return n == 0 || ((saw & KV_SAW_END) && n > 0 && (size_t)n < size);
}

/*
 * kv_saw_is_lost() - was it an end that is none? @before: all seen in the iterator's reads before
 *
 * The walk through one process goes on from the thread whose record did not fit any more;
 * if that thread has ended meanwhile the kernel takes it for the end of all. An honest end
 * comes in the same read as a last object, or again.
 */
static inline bool kv_saw_is_lost(uint8_t saw, uint8_t before)
{
	return (before & KV_SAW_OBJECT) && !(before & KV_SAW_LATE) && (saw & KV_SAW_END) &&
	       !(saw & KV_SAW_OBJECT);
}

#endif
