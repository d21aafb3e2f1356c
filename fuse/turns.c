// SPDX-License-Identifier: GPL-2.0-only
#include "turns.h"

#include <errno.h>

void kv_turns_init(struct kv_turns *turns, unsigned int each, unsigned int all, uid_t host)
{
	*turns = (struct kv_turns){.each = each, .all = all, .host = host};
	turns->last = &turns->first;
	pthread_mutex_init(&turns->lock, NULL);
}

void kv_turns_free(struct kv_turns *turns, void (*forget)(struct kv_turn *turn))
{
	while (turns->first) {
		struct kv_turn *turn = turns->first;

		turns->first = turn->next;
		forget(turn);
	}
	kv_users_free(&turns->users);
	pthread_mutex_destroy(&turns->lock);
}

/* The user's entry; NULL: out of memory. */
static struct kv_user *find_user(struct kv_turns *turns, uid_t uid)
{
	int64_t i = kv_users_find(&turns->users, uid);

	return i < 0 ? NULL : &turns->users.list[i];
}

static bool may_have(const struct kv_turns *turns, const struct kv_user *user)
{
	if (user->count >= turns->each)
		return false;
	return user->uid == turns->host || turns->taken < turns->all;
}

static void have(struct kv_turns *turns, struct kv_user *user)
{
	user->count++;
	if (user->uid != turns->host)
		turns->taken++;
}

int kv_turns_take(struct kv_turns *turns, struct kv_turn *turn)
{
	struct kv_user *user;
	int rc = -ENOMEM;

	pthread_mutex_lock(&turns->lock);
	user = find_user(turns, turn->uid);
	if (user && may_have(turns, user)) {
		have(turns, user);
		rc = 1;
	} else if (user) {
		turn->next = NULL;
		*turns->last = turn;
		turns->last = &turn->next;
		rc = 0;
	}
	pthread_mutex_unlock(&turns->lock);
	return rc;
}

static void remove_at(struct kv_turns *turns, struct kv_turn **at)
{
	struct kv_turn *turn = *at;

	*at = turn->next;
	if (turns->last == &turn->next)
		turns->last = at;
}

bool kv_turns_leave(struct kv_turns *turns, struct kv_turn *turn)
{
	struct kv_turn **at;
	bool waited;

	pthread_mutex_lock(&turns->lock);
	for (at = &turns->first; *at && *at != turn;)
		at = &(*at)->next;
	waited = *at;
	if (waited)
		remove_at(turns, at);
	pthread_mutex_unlock(&turns->lock);
	return waited;
}

/* The first of those who wait that may have a turn now. */
static struct kv_turn *take_next(struct kv_turns *turns)
{
	for (struct kv_turn **at = &turns->first; *at; at = &(*at)->next) {
		struct kv_turn *turn = *at;
		struct kv_user *user = find_user(turns, turn->uid);

		if (!user || !may_have(turns, user))
			continue;
		have(turns, user);
		remove_at(turns, at);
		return turn;
	}
	return NULL;
}

struct kv_turn *kv_turns_pass(struct kv_turns *turns, uid_t uid)
{
	struct kv_user *user;
	struct kv_turn *next;

	pthread_mutex_lock(&turns->lock);
	user = find_user(turns, uid);
	user->count--; /* it is there: it has a turn */
	if (uid != turns->host)
		turns->taken--;
	next = take_next(turns);
	pthread_mutex_unlock(&turns->lock);
	return next;
}

void kv_turns_count(struct kv_turns *turns, unsigned int *running, unsigned int *waiting)
{
	*running = *waiting = 0;
	pthread_mutex_lock(&turns->lock);
	for (size_t i = 0; i < turns->users.n; i++)
		*running += turns->users.list[i].count;
	for (const struct kv_turn *turn = turns->first; turn; turn = turn->next)
		++*waiting;
	pthread_mutex_unlock(&turns->lock);
}
