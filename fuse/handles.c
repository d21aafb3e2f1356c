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
		if (handles->slots[i].object)
			release(handles->slots[i].object);
	free(handles->slots);
	pthread_mutex_destroy(&handles->lock);
}

/* Index of a free slot, or -errno. */
static int64_t free_slot(struct kv_handles *handles)
{
	uint32_t cap = handles->cap;
	struct kv_handle_slot *more;

	if (handles->used < cap)
		for (uint32_t i = 0; i < cap; i++)
			if (!handles->slots[i].object)
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
		handles->slots[slot] = (struct kv_handle_slot){object, 1};
		handles->used++;
		*handle = (uint64_t)handles->epoch << 32 | (uint32_t)slot;
	}
	pthread_mutex_unlock(&handles->lock);
	return slot < 0 ? (int)slot : 0;
}

static struct kv_handle_slot *find(struct kv_handles *handles, uint64_t handle)
{
	uint32_t i = (uint32_t)handle;

	if (handle >> 32 != handles->epoch || i >= handles->cap || !handles->slots[i].object)
		return NULL;
	return &handles->slots[i];
}

void *kv_handles_get(struct kv_handles *handles, uint64_t handle)
{
	struct kv_handle_slot *slot;
	void *object = NULL;

	pthread_mutex_lock(&handles->lock);
	slot = find(handles, handle);
	if (slot) {
		slot->refs++;
		object = slot->object;
	}
	pthread_mutex_unlock(&handles->lock);
	return object;
}

void *kv_handles_drop(struct kv_handles *handles, uint64_t handle)
{
	struct kv_handle_slot *slot;
	void *object = NULL;

	pthread_mutex_lock(&handles->lock);
	slot = find(handles, handle);
	if (slot && --slot->refs == 0) {
		object = slot->object;
		slot->object = NULL;
		handles->used--;
	}
	pthread_mutex_unlock(&handles->lock);
	return object;
}
