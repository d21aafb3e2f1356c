// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/handles.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

void kv_handles_init(struct kv_handles *handles, uint32_t epoch,
		     const struct kv_handle_limits *limits)
{
	*handles = (struct kv_handles){.epoch = epoch, .limits = *limits};
	pthread_mutex_init(&handles->lock, NULL);
}

void kv_handles_free(struct kv_handles *handles, void (*release)(void *object))
{
	for (uint32_t i = 0; i < handles->cap; i++)
		if (handles->slots[i].object)
			release(handles->slots[i].object);
	free(handles->slots);
	free(handles->users);
	pthread_mutex_destroy(&handles->lock);
}

static int check_limits(const struct kv_handles *handles, const struct kv_handle_user *owner)
{
	const struct kv_handle_limits *limits = &handles->limits;
	bool is_host = owner->uid == limits->host;
	uint32_t kept = is_host ? 0 : limits->each;

	if (!is_host && owner->count >= limits->each)
		return -EMFILE;
	return limits->all <= kept || handles->used >= limits->all - kept ? -ENFILE : 0;
}

/* Adds free slots, each of which holds the index of the next. */
static int grow(struct kv_handles *handles)
{
	uint32_t cap = handles->cap ? handles->cap * 2 : 16;
	struct kv_handle_slot *more = reallocarray(handles->slots, cap, sizeof(*more));

	if (!more)
		return -ENOMEM;
	for (uint32_t i = handles->cap; i < cap; i++)
		more[i] = (struct kv_handle_slot){.owner = i + 1};
	handles->slots = more;
	handles->cap = cap;
	return 0;
}

/* The index of a user's entry, which is made if there is none; or -ENOMEM. */
static int64_t find_user(struct kv_handles *handles, uid_t uid)
{
	uint32_t unused = handles->nusers;
	struct kv_handle_user *more;

	for (uint32_t i = 0; i < handles->nusers; i++) {
		if (handles->users[i].count && handles->users[i].uid == uid)
			return i;
		if (!handles->users[i].count)
			unused = i;
	}
	if (unused == handles->nusers) {
		more = reallocarray(handles->users, unused + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		handles->users = more;
		handles->nusers++;
	}
	handles->users[unused] = (struct kv_handle_user){.uid = uid};
	return unused;
}

static int add(struct kv_handles *handles, void *object, uid_t uid, uint64_t *handle)
{
	int64_t owner = find_user(handles, uid);
	uint32_t i = handles->free;
	int rc = owner < 0 ? (int)owner : check_limits(handles, &handles->users[owner]);

	if (!rc && i == handles->cap)
		rc = grow(handles);
	if (rc)
		return rc;
	handles->free = handles->slots[i].owner;
	handles->slots[i] = (struct kv_handle_slot){object, 1, (uint32_t)owner};
	handles->users[owner].count++;
	handles->used++;
	if (handles->most < handles->used)
		handles->most = handles->used;
	*handle = (uint64_t)handles->epoch << 32 | i;
	return 0;
}

int kv_handles_add(struct kv_handles *handles, void *object, uid_t uid, uint64_t *handle)
{
	int rc;

	pthread_mutex_lock(&handles->lock);
	rc = add(handles, object, uid, handle);
	pthread_mutex_unlock(&handles->lock);
	return rc;
}

void kv_handles_each(struct kv_handles *handles, void (*visit)(void *object, void *arg), void *arg)
{
	pthread_mutex_lock(&handles->lock);
	for (uint32_t i = 0; i < handles->cap; i++)
		if (handles->slots[i].object)
			visit(handles->slots[i].object, arg);
	pthread_mutex_unlock(&handles->lock);
}

uint32_t kv_handles_count(struct kv_handles *handles)
{
	uint32_t n;

	pthread_mutex_lock(&handles->lock);
	n = handles->used;
	pthread_mutex_unlock(&handles->lock);
	return n;
}

bool kv_handles_were(struct kv_handles *handles, uint32_t many)
{
	bool were;

	pthread_mutex_lock(&handles->lock);
	were = !handles->used && handles->most >= many;
	if (!handles->used)
		handles->most = 0;
	pthread_mutex_unlock(&handles->lock);
	return were;
}

/* Frees a slot without references, and returns its object. */
static void *empty(struct kv_handles *handles, struct kv_handle_slot *slot)
{
	void *object = slot->object;

	handles->users[slot->owner].count--;
	handles->used--;
	*slot = (struct kv_handle_slot){.owner = handles->free};
	handles->free = (uint32_t)(slot - handles->slots);
	return object;
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
	if (slot && --slot->refs == 0)
		object = empty(handles, slot);
	pthread_mutex_unlock(&handles->lock);
	return object;
}
