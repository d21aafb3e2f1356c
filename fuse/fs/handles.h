/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File handles, which the kernel sends with each request for an open file: an epoch and an index
 * into a table, never pointers. A handle of an earlier worker has another epoch and is refused.
 */
#ifndef KVIEW_FS_HANDLES_H
#define KVIEW_FS_HANDLES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How many a user has. */
struct kv_handle_user {
	uid_t uid;
	uint32_t count; /* 0: the entry is free for another user */
};

struct kv_handle_slot {
	void *object; /* NULL: free */
	uint32_t refs;
	uint32_t owner; /* index in kv_handles.users; of a free slot: the next free one */
};

/* How many handles there may be. The limit @each keeps one user from taking all of them. */
struct kv_handle_limits {
	uint32_t all;
	uint32_t each; /* of one user; the same number is reserved for @host */
	uid_t host;    /* the user who mounted: only @all counts */
};

struct kv_handles {
	pthread_mutex_t lock;
	struct kv_handle_limits limits;
	struct kv_handle_slot *slots;
	struct kv_handle_user *users;
	uint32_t nusers;
	uint32_t used, cap, free; /* @free: index of the first free slot, or @cap */
	uint32_t most;		  /* highest @used since it was 0 */
	uint32_t epoch;
};

/* kv_handles_init() - @epoch tells this table's handles from an earlier one's */
void kv_handles_init(struct kv_handles *handles, uint32_t epoch,
		     const struct kv_handle_limits *limits);

/**
 * kv_handles_free() - forget all
 * @release: called for each object still there
 */
void kv_handles_free(struct kv_handles *handles, void (*release)(void *object));

/**
 * kv_handles_add() - a handle for an object, with one reference
 * @uid: whose it is
 *
 * Return: 0, -ENOMEM, -EMFILE: this user has all that one may have, -ENFILE:
 * all users together have.
 */
int kv_handles_add(struct kv_handles *handles, void *object, uid_t uid, uint64_t *handle);

/* kv_handles_each() - call @visit for every object; it must not wait */
void kv_handles_each(struct kv_handles *handles, void (*visit)(void *object, void *arg), void *arg);

/* kv_handles_count() - how many there are */
uint32_t kv_handles_count(struct kv_handles *handles);

/*
 * kv_handles_were() - has the table become empty after it held @many handles or more at once?
 *
 * On an empty table the count begins anew, so this returns true once.
 */
bool kv_handles_were(struct kv_handles *handles, uint32_t many);

/**
 * kv_handles_get() - the object, with one more reference
 *
 * A RELEASE may overtake the end of the READ before it: the reader closes as
 * soon as it has its bytes, while the thread that sent them is still in here.
 *
 * Return: NULL for a handle that is not of this table.
 */
void *kv_handles_get(struct kv_handles *handles, uint64_t handle);

/**
 * kv_handles_drop() - give a reference back
 *
 * Return: the object if that was the last one: the caller frees it; or NULL.
 */
void *kv_handles_drop(struct kv_handles *handles, uint64_t handle);

#endif
