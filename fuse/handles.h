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

struct kv_handles {
	pthread_mutex_t lock;
	void **slots;
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
 * kv_handles_add() - a handle for an object
 *
 * Return: 0, -ENOMEM, -EMFILE: the table is full.
 */
int kv_handles_add(struct kv_handles *handles, void *object, uint64_t *handle);

/* kv_handles_get() - the object, NULL for a handle that is not of this table */
void *kv_handles_get(struct kv_handles *handles, uint64_t handle);

/* kv_handles_take() - the same, and the handle is no more */
void *kv_handles_take(struct kv_handles *handles, uint64_t handle);

#endif
