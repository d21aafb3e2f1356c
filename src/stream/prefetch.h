/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prefetch: buffers of records which one thread reads from the kernel while another thread
 * renders earlier ones. At most one thread fills buffers and one takes them. Knows nothing of
 * iterators.
 */
#ifndef KVIEW_STREAM_PREFETCH_H
#define KVIEW_STREAM_PREFETCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define KV_PREFETCH_MAX 2 /* buffers; a third gained nothing measurable */

struct kv_prefetch {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* for the one thread that takes or frees */
	size_t size;
	struct {
		char *data; /* NULL until it is needed */
		size_t len;
	} ring[KV_PREFETCH_MAX];
	unsigned int first, n; /* that are full */
	bool is_filling;       /* a thread fills buffers, or is about to */
	bool is_stopped;       /* that thread must not go on */
};

/* kv_prefetch_init() - @size: bytes of each buffer */
void kv_prefetch_init(struct kv_prefetch *p, size_t size);

/* kv_prefetch_free() - waits for a thread that fills */
void kv_prefetch_free(struct kv_prefetch *p);

/**
 * kv_prefetch_begin() - the caller will fill buffers until kv_prefetch_end()
 *
 * Return: false: another thread does, or all are full.
 */
bool kv_prefetch_begin(struct kv_prefetch *p);

/**
 * kv_prefetch_room() - the buffer to fill next
 *
 * Return: NULL: all are full, another thread waits to free them, or there is no memory.
 */
char *kv_prefetch_room(struct kv_prefetch *p);

/* kv_prefetch_put() - @len bytes are in that buffer; more than 0 */
void kv_prefetch_put(struct kv_prefetch *p, size_t len);

void kv_prefetch_end(struct kv_prefetch *p);

/* kv_prefetch_is_filling() - does a thread fill buffers at present? */
bool kv_prefetch_is_filling(struct kv_prefetch *p);

/**
 * kv_prefetch_is_idle() - is no buffer full, and none being filled?
 *
 * If so, the thread that takes sees all that the thread that filled has written.
 */
bool kv_prefetch_is_idle(struct kv_prefetch *p);

/**
 * kv_prefetch_take() - the bytes of the oldest buffer; waits for it while a thread fills
 * @to: room for a whole buffer
 *
 * Return: their number; 0: there is none, and no thread fills.
 */
size_t kv_prefetch_take(struct kv_prefetch *p, char *to);

#endif
