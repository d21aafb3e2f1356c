/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last bytes of a stream, by offset: what readers step back to. Knows
 * nothing of FUSE, files or rows.
 */
#ifndef KVIEW_STREAM_WINDOW_H
#define KVIEW_STREAM_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * Bytes before the end that are always there; the slack above it holds a row.
 * Together with malloc's own bytes they fill pages.
 */
#define KV_WINDOW_KEEP (128u << 10)
#define KV_WINDOW_SLACK ((8u << 10) - 64)

struct kv_window {
	char *ring;	     /* NULL until the first byte */
	size_t cap;	     /* of the ring; grows to KEEP + SLACK, further for a huge row */
	uint64_t start, end; /* offsets in the stream */
	char *spill;	     /* a row that would cross the ring's edge, until it is committed */
	bool is_long;	     /* the stream will be: no small ring first */
};

/* kv_window_reset() - forget all, the stream starts at 0; memory is kept */
void kv_window_reset(struct kv_window *w);

void kv_window_free(struct kv_window *w);

/* kv_window_forget() - give the memory back; the stream goes on where it was */
void kv_window_forget(struct kv_window *w);

/**
 * kv_window_reserve() - room for the next bytes
 * @n: at most this many will be written
 *
 * Forgets the oldest bytes where the ring is full, but never any of the last
 * KV_WINDOW_KEEP.
 *
 * Return: where to write them, or NULL: out of memory, nothing is lost.
 */
char *kv_window_reserve(struct kv_window *w, size_t n);

/**
 * kv_window_commit() - the bytes written at kv_window_reserve()'s pointer count
 * @n: how many, at most as many as reserved
 */
void kv_window_commit(struct kv_window *w, const char *at, size_t n);

/**
 * kv_window_get() - bytes from @off on
 * @off: start <= @off <= end
 * @size: bytes wanted; fewer come where the stream ends so far
 * @iov: receives up to two pieces, valid until the window changes
 *
 * Return: number of pieces.
 */
int kv_window_get(const struct kv_window *w, uint64_t off, size_t size, struct iovec iov[2]);

#endif
