// SPDX-License-Identifier: GPL-2.0-only
#include "iter/chunks.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"

/* --- with the lock held --- */

static void await(struct kv_chunks *c)
{
	c->is_awaited = true;
	pthread_cond_wait(&c->changed, &c->lock);
}

static void tell(struct kv_chunks *c)
{
	if (c->is_awaited)
		pthread_cond_signal(&c->changed);
	c->is_awaited = false;
}

/* --- the whole --- */

void kv_chunks_init(struct kv_chunks *c, size_t size)
{
	*c = (struct kv_chunks){.size = size};
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
}

void kv_chunks_free(struct kv_chunks *c)
{
	pthread_mutex_lock(&c->lock);
	c->is_stopped = true;
	while (c->is_filling)
		await(c);
	pthread_mutex_unlock(&c->lock);
	for (unsigned int i = 0; i < KV_CHUNKS_MAX; i++)
		free(c->ring[i].data);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
}

bool kv_chunks_are_filled(struct kv_chunks *c)
{
	bool is_filling;

	pthread_mutex_lock(&c->lock);
	is_filling = c->is_filling;
	pthread_mutex_unlock(&c->lock);
	return is_filling;
}

bool kv_chunks_are_there(struct kv_chunks *c)
{
	bool are_there;

	pthread_mutex_lock(&c->lock);
	are_there = c->n || c->is_filling;
	pthread_mutex_unlock(&c->lock);
	return are_there;
}

/* --- who fills --- */

bool kv_chunks_begin(struct kv_chunks *c, unsigned int max)
{
	bool begins;

	if (max > KV_CHUNKS_MAX)
		max = KV_CHUNKS_MAX;
	pthread_mutex_lock(&c->lock);
	begins = !c->is_filling && c->n < max;
	if (begins) {
		c->is_filling = true;
		c->max = max;
	}
	pthread_mutex_unlock(&c->lock);
	return begins;
}

struct kv_chunk *kv_chunks_next(struct kv_chunks *c)
{
	struct kv_chunk *chunk = NULL;

	pthread_mutex_lock(&c->lock);
	c->cpu = sched_getcpu();
	if (c->n < c->max && !c->is_stopped)
		chunk = &c->ring[(c->first + c->n) % KV_CHUNKS_MAX];
	pthread_mutex_unlock(&c->lock);
	if (chunk && !chunk->data)
		chunk->data = malloc(c->size);
	return chunk && chunk->data ? chunk : NULL;
}

void kv_chunks_put(struct kv_chunks *c)
{
	pthread_mutex_lock(&c->lock);
	c->n++;
	tell(c);
	pthread_mutex_unlock(&c->lock);
}

void kv_chunks_end(struct kv_chunks *c)
{
	pthread_mutex_lock(&c->lock);
	c->is_filling = false;
	tell(c);
	pthread_mutex_unlock(&c->lock);
}

/* --- who empties --- */

/* Both at once is what two threads are for. */
static void leave_to_who_fills(struct kv_chunks *c)
{
	int cpu;

	pthread_mutex_lock(&c->lock);
	cpu = c->is_filling ? c->cpu : -1;
	pthread_mutex_unlock(&c->lock);
	kv_leave_cpu(cpu);
}

size_t kv_chunks_take(struct kv_chunks *c, char *to)
{
	size_t n = 0;

	leave_to_who_fills(c);
	pthread_mutex_lock(&c->lock);
	while (!c->n && c->is_filling)
		await(c);
	if (c->n) {
		n = c->ring[c->first].len;
		memcpy(to, c->ring[c->first].data, n);
		c->first = (c->first + 1) % KV_CHUNKS_MAX;
		c->n--;
	}
	pthread_mutex_unlock(&c->lock);
	return n;
}

void kv_chunks_trim(struct kv_chunks *c)
{
	pthread_mutex_lock(&c->lock);
	for (unsigned int i = c->n; i < KV_CHUNKS_MAX && !c->is_filling; i++) {
		struct kv_chunk *empty = &c->ring[(c->first + i) % KV_CHUNKS_MAX];

		free(empty->data);
		*empty = (struct kv_chunk){0};
	}
	pthread_mutex_unlock(&c->lock);
}
