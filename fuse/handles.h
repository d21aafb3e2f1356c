/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File handles as the kernel holds them for us: epoch << 32 | index into a
 * table, never pointers. A handle that an earlier worker gave out is refused,
 * not followed.
 */
#ifndef KVIEW_FUSE_HANDLES_H
#define KVIEW_FUSE_HANDLES_H

#include <pthread.h>
#include <stdint.h>

struct kv_handle_slot {
	void *object; /* NULL: free */
	uint32_t refs;
};

struct kv_handles {
	pthread_mutex_t lock;
	struct kv_handle_slot *slots;
	uint32_t used, cap;
	uint32_t epoch;
};

/* kv_handles_init() - @epoch tells this table's handles from an earlier one's */
void kv_handles_init(struct kv_handles *handles, uint32_t epoch);

/**
 * kv_handles_free() - forget all
 * @release: called for each object still there
 */
void kv_handles_free(struct kv_handles *handles, void (*release)(void *object));

/**
 * kv_handles_add() - a handle for an object, with one reference
 *
 * Return: 0, -ENOMEM, -EMFILE: the table is full.
 */
int kv_handles_add(struct kv_handles *handles, void *object, uint64_t *handle);

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
