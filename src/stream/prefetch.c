// SPDX-License-Identifier: GPL-2.0-only
#include "stream/prefetch.h"

#include <stdlib.h>
#include <string.h>

void kv_prefetch_init(struct kv_prefetch *p, size_t size)
{
	*p = (struct kv_prefetch){.size = size};
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
}

void kv_prefetch_free(struct kv_prefetch *p)
{
	pthread_mutex_lock(&p->lock);
	p->is_stopped = true;
	while (p->is_filling)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < KV_PREFETCH_MAX; i++)
		free(p->ring[i].data);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
}

/* --- the thread that fills --- */

bool kv_prefetch_begin(struct kv_prefetch *p)
{
	bool begins;

	pthread_mutex_lock(&p->lock);
	begins = !p->is_filling && p->n < KV_PREFETCH_MAX;
	p->is_filling |= begins;
	pthread_mutex_unlock(&p->lock);
	return begins;
}

char *kv_prefetch_room(struct kv_prefetch *p)
{
	char **data = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->n < KV_PREFETCH_MAX && !p->is_stopped)
		data = &p->ring[(p->first + p->n) % KV_PREFETCH_MAX].data;
	pthread_mutex_unlock(&p->lock);
	if (data && !*data)
		*data = malloc(p->size);
	return data ? *data : NULL;
}

void kv_prefetch_put(struct kv_prefetch *p, size_t len)
{
	pthread_mutex_lock(&p->lock);
	p->ring[(p->first + p->n++) % KV_PREFETCH_MAX].len = len;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void kv_prefetch_end(struct kv_prefetch *p)
{
	pthread_mutex_lock(&p->lock);
	p->is_filling = false;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* --- the thread that takes --- */

bool kv_prefetch_is_filling(struct kv_prefetch *p)
{
	bool is_filling;

	pthread_mutex_lock(&p->lock);
	is_filling = p->is_filling;
	pthread_mutex_unlock(&p->lock);
	return is_filling;
}

bool kv_prefetch_is_idle(struct kv_prefetch *p)
{
	bool is_idle;

	pthread_mutex_lock(&p->lock);
	is_idle = !p->n && !p->is_filling;
	pthread_mutex_unlock(&p->lock);
	return is_idle;
}

size_t kv_prefetch_take(struct kv_prefetch *p, char *to)
{
	size_t n = 0;

	pthread_mutex_lock(&p->lock);
	while (!p->n && p->is_filling)
		pthread_cond_wait(&p->changed, &p->lock);
	if (p->n) {
		n = p->ring[p->first].len;
		memcpy(to, p->ring[p->first].data, n);
		p->first = (p->first + 1) % KV_PREFETCH_MAX;
		p->n--;
	}
	pthread_mutex_unlock(&p->lock);
	return n;
}
