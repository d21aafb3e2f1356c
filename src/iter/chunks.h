/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers of records that one thread fills while another one empties them, in
 * order; no more than one does either. Knows nothing of iterators and records.
 */
#ifndef KVIEW_ITER_CHUNKS_H
#define KVIEW_ITER_CHUNKS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define KV_CHUNKS_MAX 3

struct kv_chunk {
	char *data; /* of the size that kv_chunks_init() was told; NULL before it is needed */
	size_t len;
};

struct kv_chunks {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t size;
	struct kv_chunk ring[KV_CHUNKS_MAX];
	unsigned int first, n; /* of them are full */
	unsigned int max;      /* that may be */
	int cpu;	       /* where they are filled */
	bool is_filling;       /* a thread does, or is about to */
	bool is_stopped;       /* it shall not go on */
	bool is_awaited;       /* a change, by the one thread that takes or frees */
};

/* kv_chunks_init() - none; @size: bytes that each has room for */
void kv_chunks_init(struct kv_chunks *c, size_t size);

/* kv_chunks_free() - all that are there; waits for who fills */
void kv_chunks_free(struct kv_chunks *c);

/* kv_chunks_are_filled() - does a thread fill them at present? */
bool kv_chunks_are_filled(struct kv_chunks *c);

/* kv_chunks_are_there() - are any full, or does a thread fill them? */
bool kv_chunks_are_there(struct kv_chunks *c);

/**
 * kv_chunks_begin() - the caller will fill some, until kv_chunks_end()
 * @max: that may be full at a time; more than KV_CHUNKS_MAX never are
 *
 * Return: false: it will not. Another thread does, or as many are full.
 */
bool kv_chunks_begin(struct kv_chunks *c, unsigned int max);

/**
 * kv_chunks_next() - the one to fill
 *
 * Return: where; NULL: no more. As many as may be are full, somebody waits to free
 * them, or there is no memory.
 */
struct kv_chunk *kv_chunks_next(struct kv_chunks *c);

/* kv_chunks_put() - that one has been filled; its len, above 0, says how far */
void kv_chunks_put(struct kv_chunks *c);

void kv_chunks_end(struct kv_chunks *c);

/**
 * kv_chunks_take() - the bytes of the oldest full one; waits for it where somebody fills
 * @to: has room for as many as a chunk
 *
 * Return: how many; 0: there is none, and nobody fills.
 */
size_t kv_chunks_take(struct kv_chunks *c, char *to);

/* kv_chunks_trim() - free those that are empty, unless a thread fills them */
void kv_chunks_trim(struct kv_chunks *c);

#endif
