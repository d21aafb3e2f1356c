/* SPDX-License-Identifier: GPL-2.0-only */
/* Jobs that share slots and CPU time, by a clock that the test turns. */
#ifndef KVIEW_UNIT_SHARE_CLOCK_H
#define KVIEW_UNIT_SHARE_CLOCK_H

#include "fuse/fs/share.h"
#include "unit.h"

#define HOST 0u
#define MANY 64
#define S (1000 * KV_MS)

static struct kv_share share;
static struct kv_job job[MANY];
static uint64_t at;
static struct kv_usage used[MANY]; /* of each job's thread */

static const struct kv_share_limits loose = {
	.slots = 2,
	.lane = 50,
	.each = 50,
	.host_each = 50,
	.all = 50,
	.cpu_percent = 50,
};

static inline void begin(struct kv_share_limits limits)
{
	memset(job, 0, sizeof(job));
	for (int i = 0; i < MANY; i++)
		used[i] = (struct kv_usage){.cpu = 1};
	at = 1000 * S;
	kv_share_init(&share, &limits);
}

static inline void end(void)
{
	assert_false(kv_share_has_jobs(&share));
	kv_share_free(&share);
}

static inline void comes(int i, uid_t uid, uint64_t lane)
{
	job[i] = (struct kv_job){.uid = uid, .lane_id = lane};
	assert_int_equal(kv_share_line_up(&share, &job[i], at), 0);
}

static inline void nobody_is_next(void)
{
	bool had_begun;

	assert_null(kv_share_next(&share, at, &had_begun));
}

static inline void is_next(int i)
{
	bool had_begun, before = job[i].has_begun;

	assert_ptr_equal(kv_share_next(&share, at, &had_begun), &job[i]);
	assert_int_equal(had_begun, before);
	if (!before)
		job[i].used = used[i];
	assert_true(job[i].has_slot && job[i].has_begun);
}

/* It runs for a time, in its slot. */
static inline void runs(int i, uint64_t ns)
{
	at += ns;
	used[i].cpu += ns;
	kv_share_charge(&job[i], at, used[i]);
}

/* It is in its slot for a time, and does not use a CPU. */
static inline void sleeps(int i, uint64_t ns)
{
	at += ns;
	used[i].sleeps++;
	kv_share_charge(&job[i], at, used[i]);
}

static inline void waits_for_cpu(int i, uint64_t ns)
{
	at += ns;
	kv_share_charge(&job[i], at, used[i]);
}

static inline void is_done(int i)
{
	kv_share_finish(&share, &job[i], at, used[i]);
}

static inline bool gives_way(int i)
{
	const struct kv_job *other = kv_share_peek(&share);

	return kv_share_has_to_wait(&share, &job[i]) ||
	       (other && kv_share_gives_way(&job[i], other, at));
}

static inline void pauses(int i)
{
	kv_share_pause(&share, &job[i]);
}

#endif
