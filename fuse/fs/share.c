// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/share.h"

#include <errno.h>
#include <stdlib.h>

/* A user who has used up the CPU time waits for so much of it: not for slivers. */
#define ENOUGH (5 * KV_MS)

/* --- users --- */

static bool is_host(const struct kv_share *s, const struct kv_share_user *user)
{
	return user->uid == s->limits.host;
}

static bool is_limited(const struct kv_share *s, const struct kv_share_user *user)
{
	return s->limits.cpu_percent && !is_host(s, user);
}

static unsigned int count_jobs(const struct kv_share_user *user)
{
	return user->begun + user->waiting;
}

static struct kv_share_user *find_user(struct kv_share *s, uid_t uid, uint64_t at)
{
	struct kv_share_user *u;

	TAILQ_FOREACH(u, &s->users, others)
	if (u->uid == uid)
		return u;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->uid = uid;
	u->cpu_left = KV_BURST;
	u->refilled = at;
	TAILQ_INIT(&u->lanes);
	TAILQ_INIT(&u->paused);
	TAILQ_INSERT_TAIL(&s->users, u, others);
	return u;
}

static void refill(const struct kv_share *s, struct kv_share_user *u, uint64_t at)
{
	u->cpu_left += (int64_t)((at - u->refilled) * s->limits.cpu_percent / 100);
	u->refilled = at;
	if (u->cpu_left > (int64_t)KV_BURST || !is_limited(s, u))
		u->cpu_left = KV_BURST;
}

static void update_least(struct kv_share *s)
{
	const struct kv_share_user *u;
	uint64_t least = UINT64_MAX;

	TAILQ_FOREACH(u, &s->users, others)
	if (count_jobs(u) && u->had < least)
		least = u->had;
	if (least != UINT64_MAX && least > s->least)
		s->least = least;
}

/* Users without jobs, whose accounts are level again, are forgotten. */
void kv_share_tick(struct kv_share *s, uint64_t at)
{
	struct kv_share_user *u, *next;

	update_least(s);
	for (u = TAILQ_FIRST(&s->users); u; u = next) {
		next = TAILQ_NEXT(u, others);
		refill(s, u, at);
		if (count_jobs(u) || u->cpu_left < (int64_t)KV_BURST ||
		    u->had > s->least + KV_SLICE)
			continue;
		TAILQ_REMOVE(&s->users, u, others);
		free(u);
	}
}

bool kv_share_has_jobs(const struct kv_share *s)
{
	const struct kv_share_user *u;

	TAILQ_FOREACH(u, &s->users, others)
	if (count_jobs(u))
		return true;
	return false;
}

void kv_share_init(struct kv_share *s, const struct kv_share_limits *limits)
{
	*s = (struct kv_share){.limits = *limits};
	TAILQ_INIT(&s->users);
	TAILQ_INIT(&s->begun);
}

void kv_share_free(struct kv_share *s)
{
	struct kv_share_user *u;

	while ((u = TAILQ_FIRST(&s->users))) {
		TAILQ_REMOVE(&s->users, u, others);
		free(u);
	}
}

/* --- lanes: jobs that have not begun --- */

static struct kv_share_lane *find_lane(struct kv_share_user *u, uint64_t id)
{
	struct kv_share_lane *lane;

	TAILQ_FOREACH(lane, &u->lanes, others)
	if (lane->id == id)
		return lane;
	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return NULL;
	lane->id = id;
	TAILQ_INIT(&lane->line);
	TAILQ_INSERT_TAIL(&u->lanes, lane, others);
	return lane;
}

static void forget_lane(struct kv_share_user *u, struct kv_share_lane *lane)
{
	if (lane->begun || !TAILQ_EMPTY(&lane->line))
		return;
	TAILQ_REMOVE(&u->lanes, lane, others);
	free(lane);
}

int kv_share_line_up(struct kv_share *s, struct kv_job *job, uint64_t at)
{
	struct kv_share_user *u = find_user(s, job->uid, at);
	struct kv_share_lane *lane = u ? find_lane(u, job->lane_id) : NULL;

	if (!lane)
		return -ENOMEM;
	update_least(s);
	if (!count_jobs(u) && u->had < s->least)
		u->had = s->least;
	refill(s, u, at);
	u->waiting++;
	job->user = u;
	job->lane = lane;
	job->got_on = at;
	TAILQ_INSERT_TAIL(&lane->line, job, waiting);
	return 0;
}

static void leave_line(struct kv_job *job)
{
	TAILQ_REMOVE(&job->lane->line, job, waiting);
	job->user->waiting--;
}

static void visit_line(struct kv_share_lane *lane, bool (*visit)(struct kv_job *job, void *arg),
		       void (*free_job)(struct kv_job *job), void *arg)
{
	struct kv_job *job, *next;

	for (job = TAILQ_FIRST(&lane->line); job; job = next) {
		next = TAILQ_NEXT(job, waiting);
		if (!visit(job, arg))
			continue;
		leave_line(job);
		free_job(job);
	}
}

void kv_share_each_waiting(struct kv_share *s, bool (*visit)(struct kv_job *job, void *arg),
			   void (*free_job)(struct kv_job *job), void *arg)
{
	struct kv_share_lane *lane, *next;
	struct kv_share_user *u;

	TAILQ_FOREACH(u, &s->users, others)
	for (lane = TAILQ_FIRST(&u->lanes); lane; lane = next) {
		next = TAILQ_NEXT(lane, others);
		visit_line(lane, visit, free_job, arg);
		forget_lane(u, lane);
	}
}

/* --- slots --- */

static void take_slot(struct kv_share *s, struct kv_job *job, uint64_t at)
{
	job->has_slot = true;
	job->got_on = job->slice_since = at;
	s->running += !job->is_short;
	s->shorts += job->is_short;
}

static void leave_slot(struct kv_share *s, struct kv_job *job)
{
	if (job->has_slot) {
		s->running -= !job->is_short;
		s->shorts -= job->is_short;
	}
	job->has_slot = job->is_short = false;
}

/*
 * Who sleeps in a slot keeps others from it. Who waits for a CPU does not do so of itself: on a
 * busy machine small jobs take long.
 */
void kv_share_charge(struct kv_job *job, uint64_t at, struct kv_usage used)
{
	struct kv_share_user *u = job->user;

	if (!job->short_until)
		job->short_until = used.cpu + KV_SHORT;
	if (used.cpu && job->used.cpu) {
		uint64_t cpu = used.cpu - job->used.cpu;

		u->cpu_left -= (int64_t)cpu;
		if (job->has_slot)
			u->had += used.sleeps != job->used.sleeps ? at - job->got_on : cpu;
	}
	job->used = used;
	job->got_on = at;
}

void kv_share_pause(struct kv_share *s, struct kv_job *job)
{
	leave_slot(s, job);
	job->is_paused = true;
	TAILQ_INSERT_TAIL(&job->user->paused, job, waiting);
}

void kv_share_lend(struct kv_share *s, struct kv_job *job, uint64_t at)
{
	job->user->had += at - job->got_on;
	leave_slot(s, job);
}

void kv_share_finish(struct kv_share *s, struct kv_job *job, uint64_t at, struct kv_usage used)
{
	struct kv_share_user *u = job->user;

	kv_share_charge(job, at, used);
	leave_slot(s, job);
	TAILQ_REMOVE(&s->begun, job, begun);
	u->begun--;
	s->others -= !is_host(s, u);
	job->lane->begun--;
	forget_lane(u, job->lane);
}

bool kv_share_counts(const struct kv_share *s, const struct kv_share_user *user)
{
	const struct kv_share_user *u;

	if (is_limited(s, user))
		return true;
	TAILQ_FOREACH(u, &s->users, others)
	if (u != user && count_jobs(u))
		return true;
	return false;
}

/* --- who is next --- */

/* May one more of its jobs have a thread? */
static bool may_begin(const struct kv_share *s, const struct kv_share_user *u)
{
	if (is_host(s, u))
		return u->begun < s->limits.host_each;
	return u->begun < s->limits.each && s->others < s->limits.all;
}

static struct kv_job *next_of(const struct kv_share *s, const struct kv_share_user *u)
{
	const struct kv_share_lane *lane;

	if (is_limited(s, u) && u->cpu_left < (int64_t)ENOUGH)
		return NULL;
	if (!TAILQ_EMPTY(&u->paused))
		return TAILQ_FIRST(&u->paused);
	if (!u->waiting || !may_begin(s, u))
		return NULL;
	TAILQ_FOREACH(lane, &u->lanes, others)
	if (lane->begun < s->limits.lane && !TAILQ_EMPTY(&lane->line))
		return TAILQ_FIRST(&lane->line);
	return NULL;
}

/* The next job of the user who has used the least. */
struct kv_job *kv_share_peek(const struct kv_share *s)
{
	const struct kv_share_user *u;
	struct kv_job *best = NULL, *job;

	TAILQ_FOREACH(u, &s->users, others)
	if ((!best || u->had < best->user->had) && (job = next_of(s, u)))
		best = job;
	return best;
}

static void begin(struct kv_share *s, struct kv_job *job)
{
	struct kv_share_user *u = job->user;

	leave_line(job);
	job->has_begun = true;
	u->begun++;
	s->others += !is_host(s, u);
	job->lane->begun++;
	/* The lanes of a user take turns. */
	TAILQ_REMOVE(&u->lanes, job->lane, others);
	TAILQ_INSERT_TAIL(&u->lanes, job->lane, others);
	TAILQ_INSERT_TAIL(&s->begun, job, begun);
}

/* A short job need not wait for the walks in the slots, which may lack a CPU for a while. */
static struct kv_job *next_short(const struct kv_share *s)
{
	const struct kv_share_user *u;
	struct kv_job *best = NULL, *job;

	TAILQ_FOREACH(u, &s->users, others)
	if (!u->begun && (!best || u->had < best->user->had) && (job = next_of(s, u)))
		best = job;
	return best;
}

struct kv_job *kv_share_next(struct kv_share *s, uint64_t at, bool *had_begun)
{
	bool is_short = s->running >= s->limits.slots;
	struct kv_job *job = NULL;

	if (!is_short)
		job = kv_share_peek(s);
	else if (s->shorts < s->limits.shorts)
		job = next_short(s);
	if (!job)
		return NULL;
	*had_begun = job->has_begun;
	if (job->has_begun)
		TAILQ_REMOVE(&job->user->paused, job, waiting);
	else
		begin(s, job);
	job->is_paused = false;
	job->is_short = is_short;
	take_slot(s, job, at);
	return job;
}

bool kv_share_has_to_wait(const struct kv_share *s, const struct kv_job *job)
{
	if (!job->has_slot) /* it was slow, and another one has it */
		return true;
	if (job->is_short && job->used.cpu > job->short_until)
		return true;
	return is_limited(s, job->user) && job->user->cpu_left <= 0;
}

bool kv_share_gives_way(const struct kv_job *job, const struct kv_job *other, uint64_t at)
{
	/* A short job is in nobody's way: it has no slot to give. */
	if (job->is_short)
		return false;
	if (other->user->had + KV_SLICE < job->user->had)
		return true;
	return at - job->slice_since >= KV_SLICE && other->user->had <= job->user->had;
}
