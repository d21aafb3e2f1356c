/* SPDX-License-Identifier: GPL-2.0-only */
/* CPU times of a thread or a process, as /proc/PID/stat shows them. */
#ifndef KVIEW_CPUTIME_H
#define KVIEW_CPUTIME_H

#include "kview.h"

struct kv_cputime {
	__u64 utime, stime; /* ns; as counted by ticks, then adjusted */
	__u64 runtime;	    /* the scheduler's exact sum */
};

/*
 * stime * rtime / (stime + utime), of 32 significant bits each, so that the product has 64: as
 * scale_stime() in kernel/sched/cputime.c did it.
 */
static __always_inline __u64 kv_scale_stime(__u64 stime, __u64 utime, __u64 rtime)
{
	__u64 total = stime + utime;
	__u32 shift = 0;

	for (int i = 0; i < 32 && ((rtime | total) >> 32); i++) {
		stime >>= 1;
		rtime >>= 1;
		total >>= 1;
		shift++;
	}
	return total ? stime * rtime / total << shift : 0;
}

/*
 * The exact run time is split in the ratio of the ticks, but neither part ever decreases:
 * cputime_adjust() in kernel/sched/cputime.c.
 * @past_utime, @past_stime: of the kernel's struct prev_cputime
 */
static __always_inline void kv_adjust_cputime(struct kv_cputime *t, __u64 past_utime,
					      __u64 past_stime)
{
	__u64 utime = t->utime, stime = t->stime;

	if (past_utime + past_stime >= t->runtime) {
		t->utime = past_utime;
		t->stime = past_stime;
		return;
	}
	if (!stime)
		t->stime = 0;
	else if (!utime)
		t->stime = t->runtime;
	else
		t->stime = kv_scale_stime(stime, utime, t->runtime);
	if (t->stime < past_stime)
		t->stime = past_stime;
	t->utime = t->runtime - t->stime;
	if (t->utime < past_utime) {
		t->utime = past_utime;
		t->stime = t->runtime - past_utime;
	}
}

/*
 * /proc/PID/stat shows times to everybody, in ticks of USER_HZ. Exact times would let a
 * reader measure what another user's process does. cputime is exact, as in /proc/PID/schedstat.
 */
#define KV_TICK 10000000

static __always_inline __u64 kv_cut_time(__u64 ns)
{
	return ns - ns % KV_TICK;
}

#endif
