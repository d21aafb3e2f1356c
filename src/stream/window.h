/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last bytes of a stream, by offset: readers may step back to them. Knows
 * nothing of FUSE, files or rows.
 */
#ifndef KVIEW_STREAM_WINDOW_H
#define KVIEW_STREAM_WINDOW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * Bytes before the end that are kept; a few more may be there. Together with malloc's own bytes
 * the ring fills pages.
 */
#define KV_WINDOW_KEEP (128u << 10)
#define KV_WINDOW_MAX (KV_WINDOW_KEEP + (8u << 10) - 64)

struct kv_window {
	char *ring;	     /* NULL until the first byte */
	size_t cap;	     /* of the ring: a small one first */
	uint64_t start, end; /* offsets in the stream */
};

/* kv_window_reset() - forget all, the stream starts at 0; memory is kept */
void kv_window_reset(struct kv_window *w);

/* kv_window_forget() - give the memory back; nothing more is put before kv_window_reset() */
void kv_window_forget(struct kv_window *w);

/**
 * kv_window_put() - the next bytes of the stream; the oldest ones are forgotten
 * @n: at most KV_WINDOW_KEEP
 *
 * Return: 0, or -ENOMEM and nothing has changed.
 */
int kv_window_put(struct kv_window *w, const char *data, size_t n);

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
