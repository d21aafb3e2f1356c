// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/users.h"

#include <errno.h>
#include <stdlib.h>

int64_t kv_users_find(struct kv_users *users, uid_t uid)
{
	uint32_t unused = users->n;
	struct kv_user *more;

	for (uint32_t i = 0; i < users->n; i++) {
		if (users->list[i].count && users->list[i].uid == uid)
			return i;
		if (!users->list[i].count)
			unused = i;
	}
	if (unused == users->n) {
		more = reallocarray(users->list, unused + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		users->list = more;
		users->n++;
	}
	users->list[unused] = (struct kv_user){.uid = uid};
	return unused;
}

void kv_users_free(struct kv_users *users)
{
	free(users->list);
	*users = (struct kv_users){0};
}
