/* SPDX-License-Identifier: GPL-2.0-only */
/* How many of something each user has. For few users: it is looked through. */
#ifndef KVIEW_FS_USERS_H
#define KVIEW_FS_USERS_H

#include <stdint.h>
#include <sys/types.h>

struct kv_user {
	uid_t uid;
	uint32_t count; /* 0: the entry is free for another user */
};

struct kv_users {
	struct kv_user *list;
	uint32_t n;
};

/**
 * kv_users_find() - a user's entry, made if there is none
 *
 * The caller has a lock. What has a count keeps its place.
 *
 * Return: its index in @users->list, or -ENOMEM.
 */
int64_t kv_users_find(struct kv_users *users, uid_t uid);

void kv_users_free(struct kv_users *users);

#endif
