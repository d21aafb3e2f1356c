/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The accounting behind sched.h: how much slot time and CPU time each user has used, who waits, and
 * whose job is next. It starts no thread and reads no clock, so that tests can try the rules by
 * themselves: all times are arguments, in ns. The caller holds a lock.
 */
#ifndef KVIEW_FS_SHARE_H
#define KVIEW_FS_SHARE_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#define KV_MS 1000000ull

/*
 * A job gives up its slot after this time if a user waits who has used no more, and at once if one
 * waits who has used less by more than this time.
 */
#define KV_SLICE (4 * KV_MS)

/* CPU time of a short job: one that has begun though all slots were taken. */
#define KV_SHORT (2 * KV_MS)

/* CPU time that a user may use at once after a long rest. */
#define KV_BURST (1000 * KV_MS)

struct kv_share_limits {
	unsigned int slots;
	unsigned int shorts; /* beyond the slots, each of a user who has no other job under way */
	unsigned int lane;   /* jobs of one user that have begun, in one lane ... */
	unsigned int each;   /* ... and in all lanes */
	unsigned int host_each;
	unsigned int all; /* of all users but the host */
	unsigned int
		cpu_percent; /* of one CPU, for each user but the host; 0: as much as there is */
	uid_t host;	     /* the user who mounted */
};

/* Of a thread, since it began; all 0: not asked for. */
struct kv_usage {
	uint64_t cpu;
	uint64_t sleeps; /* voluntary context switches */
};

/* First member of what the caller submits; zeroed but for the first two. Times are in ns. */
struct kv_job {
	uid_t uid;
	uint64_t lane_id;
	TAILQ_ENTRY(kv_job) waiting; /* for a slot, or for a thread */
	TAILQ_ENTRY(kv_job) begun;   /* in kv_share.begun */
	struct kv_share_user *user;
	struct kv_share_lane *lane;
	struct kv_sched *sched;
	sem_t go_on;
	pid_t tid;	      /* the thread that runs it; 0: none yet */
	uint64_t got_on;      /* last progress: it came, was given a slot, or took a step */
	uint64_t slice_since; /* since when it has had both slot and thread */
	struct kv_usage used; /* what its user was charged for */
	uint64_t short_until; /* CPU time of its thread at which it is no short job any more */
	bool has_begun, has_slot, is_paused;
	bool is_short;		      /* its slot is one beyond limits.slots */
	_Atomic uint64_t interrupted; /* when it was for the first time; 0: never */
};

TAILQ_HEAD(kv_jobs, kv_job);

struct kv_share_lane {
	TAILQ_ENTRY(kv_share_lane) others;
	struct kv_jobs line; /* that have not begun */
	uint64_t id;
	unsigned int begun;
};

TAILQ_HEAD(kv_share_lanes, kv_share_lane);

struct kv_share_user {
	TAILQ_ENTRY(kv_share_user) others;
	struct kv_share_lanes lanes;
	struct kv_jobs paused; /* have begun, and wait for a slot again */
	uid_t uid;
	unsigned int begun, waiting; /* jobs; paused ones have begun */
	uint64_t had;	  /* what users are compared by: CPU time, and time asleep in a slot */
	int64_t cpu_left; /* CPU time before the user has to wait */
	uint64_t refilled;
};

TAILQ_HEAD(kv_share_users, kv_share_user);

struct kv_share {
	struct kv_share_limits limits;
	struct kv_share_users users;
	struct kv_jobs begun;
	unsigned int running; /* have slots */
	unsigned int shorts;  /* have slots beyond limits.slots */
	unsigned int others;  /* have begun, and are not of the host */
	uint64_t least; /* the lowest @had of users with jobs: where a user without a past begins */
};

void kv_share_init(struct kv_share *s, const struct kv_share_limits *limits);

/* kv_share_free() - there are no jobs */
void kv_share_free(struct kv_share *s);

/* kv_share_line_up() - queue a new job at the end of its lane; 0 or -ENOMEM */
int kv_share_line_up(struct kv_share *s, struct kv_job *job, uint64_t at);

/**
 * kv_share_next() - give a free slot to who is next
 *
 * @had_begun: on success: was it a paused one?
 *
 * Return: the job; NULL: no slot is free, or no job waits that may have one.
 */
struct kv_job *kv_share_next(struct kv_share *s, uint64_t at, bool *had_begun);

/* kv_share_peek() - the job that would get a free slot; NULL: none waits that may have one */
struct kv_job *kv_share_peek(const struct kv_share *s);

/*
 * kv_share_counts() - must this user's jobs be charged? If not, the caller saves the system call
 * that tells what a job has used.
 */
bool kv_share_counts(const struct kv_share *s, const struct kv_share_user *user);

/* kv_share_charge() - a job took a step; @used: by its thread since that began */
void kv_share_charge(struct kv_job *job, uint64_t at, struct kv_usage used);

/* kv_share_has_to_wait() - has the job lost its slot, or used up its user's CPU time? */
bool kv_share_has_to_wait(const struct kv_share *s, const struct kv_job *job);

/* kv_share_gives_way() - is @other, from kv_share_peek(), to have the slot of @job? */
bool kv_share_gives_way(const struct kv_job *job, const struct kv_job *other, uint64_t at);

/* kv_share_pause() - the job gives its slot up and waits for another */
void kv_share_pause(struct kv_share *s, struct kv_job *job);

/* kv_share_lend() - the job makes no progress: it loses its slot and goes on without */
void kv_share_lend(struct kv_share *s, struct kv_job *job, uint64_t at);

/* kv_share_finish() - the job is done */
void kv_share_finish(struct kv_share *s, struct kv_job *job, uint64_t at, struct kv_usage used);

/* kv_share_tick() - refill CPU time, forget users without jobs; to be called every 10 ms or so */
void kv_share_tick(struct kv_share *s, uint64_t at);

/* kv_share_has_jobs() - are there jobs, waiting or begun? */
bool kv_share_has_jobs(const struct kv_share *s);

/* kv_share_each_waiting() - call @visit for each job that has not begun; true: drop and free it */
void kv_share_each_waiting(struct kv_share *s, bool (*visit)(struct kv_job *job, void *arg),
			   void (*free_job)(struct kv_job *job), void *arg);

#endif
