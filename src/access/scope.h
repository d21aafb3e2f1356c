/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads of iterators on behalf of a reader: the reading thread is registered with its scope. */
#ifndef KVIEW_ACCESS_SCOPE_H
#define KVIEW_ACCESS_SCOPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "kview/abi.h"

/* kv_scope_read() returns it when @err is set. It is no -errno. */
#define KV_SAID (-100000)

/* The same for lack of memory, which the reader is told: ENOMEM. */
#define KV_SAID_NO_MEMORY (KV_SAID - 1)

/**
 * kv_scope_read() - one read() of an iterator on behalf of a reader
 * @map: kv_loaded.readers_fd
 * @progress: what programs keep from one read of a walk to the next, zero before the first;
 *	  NULL: for a program that keeps nothing
 * @saw: receives KV_SAW_ bits
 *
 * The calling thread is registered only while it reads, so that a later thread of the same
 * number is not taken for it. Signals are blocked meanwhile: they would not stop the kernel's
 * walk.
 *
 * Return: bytes, -errno of read(), or KV_SAID.
 */
ssize_t kv_scope_read(int map, const struct kv_scope *scope, struct kv_progress *progress, int iter,
		      void *to, size_t size, uint8_t *saw, struct kv_err *err);

/**
 * kv_scope_call() - the same for a program that is called: one run on behalf of a reader
 * @prog: the program, of the kind KV_KIND_CALL
 *
 * Return: 0; -EAGAIN: the program could not run; another -errno, or KV_SAID with @err set.
 */
int kv_scope_call(int map, const struct kv_scope *scope, struct kv_progress *progress, int prog,
		  uint8_t *saw, struct kv_err *err);

/* kv_scope_read_on() - the same, repeated until bytes or the end come; -EIO: none came */
ssize_t kv_scope_read_on(int map, const struct kv_scope *scope, struct kv_progress *progress,
			 int iter, void *to, size_t size);

/* kv_saw_is_end() - was a read that gave @n of @size bytes the last? */
static inline bool kv_saw_is_end(uint8_t saw, ssize_t n, size_t size)
{
	/* A read that filled its buffer may have left a part of the last record. */
	return n == 0 || ((saw & KV_SAW_END) && n > 0 && (size_t)n < size);
}

/*
 * kv_saw_may_be_lost() - may the walk have ended too early? @before: KV_SAW_ bits of all earlier
 * reads
 *
 * The walk through one process continues with the thread whose record did not fit. If that
 * thread has exited meanwhile, the kernel reports the end. A true end comes in the same read
 * as the last object, or a second time; or by itself, if the thread is there but has closed or
 * unmapped what was left.
 */
static inline bool kv_saw_may_be_lost(uint8_t saw, uint8_t before)
{
	return (before & KV_SAW_OBJECT) && !(before & KV_SAW_LATE) && (saw & KV_SAW_END) &&
	       !(saw & KV_SAW_OBJECT);
}

#endif
