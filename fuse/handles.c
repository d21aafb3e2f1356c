// SPDX-License-Identifier: GPL-2.0-only
#include "handles.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MAX 65536u

void kv_handles_init(struct kv_handles *handles, uint32_t epoch)
{
	*handles = (struct kv_handles){.epoch = epoch};
	pthread_mutex_init(&handles->lock, NULL);
}

void kv_handles_free(struct kv_handles *handles, void (*release)(void *object))
{
	for (uint32_t i = 0; i < handles->cap; i++)
		if (handles->slots[i])
			release(handles->slots[i]);
	free(handles->slots);
	pthread_mutex_destroy(&handles->lock);
}

/* Index of a free slot, or -errno. */
static int64_t free_slot(struct kv_handles *handles)
{
	uint32_t cap = handles->cap;
	void **more;

	if (handles->used < cap)
		for (uint32_t i = 0; i < cap; i++)
			if (!handles->slots[i])
				return i;
	if (cap >= CAP_MAX)
		return -EMFILE;
	handles->cap = cap ? cap * 2 : 16;
	more = realloc(handles->slots, handles->cap * sizeof(*more));
	if (!more) {
		handles->cap = cap;
		return -ENOMEM;
	}
	memset(more + cap, 0, (handles->cap - cap) * sizeof(*more));
	handles->slots = more;
	return cap;
}

int kv_handles_add(struct kv_handles *handles, void *object, uint64_t *handle)
{
	int64_t slot;

	pthread_mutex_lock(&handles->lock);
	slot = free_slot(handles);
	if (slot >= 0) {
		handles->slots[slot] = object;
		handles->used++;
		*handle = (uint64_t)handles->epoch << 32 | (uint32_t)slot;
	}
	pthread_mutex_unlock(&handles->lock);
	return slot < 0 ? (int)slot : 0;
}

static void **find(struct kv_handles *handles, uint64_t handle)
{
	uint32_t slot = (uint32_t)handle;

	return handle >> 32 == handles->epoch && slot < handles->cap ? &handles->slots[slot] : NULL;
}

void *kv_handles_get(struct kv_handles *handles, uint64_t handle)
{
	void **slot, *object;

	pthread_mutex_lock(&handles->lock);
	slot = find(handles, handle);
	object = slot ? *slot : NULL;
	pthread_mutex_unlock(&handles->lock);
	return object;
}

void *kv_handles_take(struct kv_handles *handles, uint64_t handle)
{
	void **slot, *object;

	pthread_mutex_lock(&handles->lock);
	slot = find(handles, handle);
	object = slot ? *slot : NULL;
	if (object) {
		*slot = NULL;
		handles->used--;
	}
	pthread_mutex_unlock(&handles->lock);
	return object;
}
