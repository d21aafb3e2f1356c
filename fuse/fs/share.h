/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose job is next? The books of sched.h: how much time in slots and of CPUs each user has
 * had, and who waits. Starts no thread and asks no clock, so that the rules can be tried
 * by themselves: all times are arguments, in ns. The caller has a lock.
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

/* A slot is not given back before that, but to who has had less by as much. */
#define KV_SLICE (4 * KV_MS)

/* CPU time of a job that has begun though all slots were taken. */
#define KV_SHORT (2 * KV_MS)

/* CPU time that a user may use at once who has used nothing for long. */
#define KV_BURST (1000 * KV_MS)

struct kv_share_limits {
	unsigned int slots;
	unsigned int shorts; /* as many jobs more, each of a user who has no other under way */
	unsigned int lane;   /* jobs of one user that have begun, in one lane */
	unsigned int each;   /* and in all lanes */
	unsigned int host_each;
	unsigned int all; /* and of all users but the host */
	unsigned int
		cpu_percent; /* of one CPU, for each user but the host; 0: as much as there is */
	uid_t host;	     /* the user who mounted */
};

/* Of a thread, since it began. All 0: nobody has asked. */
struct kv_usage {
	uint64_t cpu;
	uint64_t sleeps; /* how often it gave a CPU away of itself */
};

/* First member of what is to be done; zeroed but for the first two. Times are in ns. */
struct kv_job {
	uid_t uid;
	uint64_t lane_id;
	TAILQ_ENTRY(kv_job) waiting; /* for a slot, or for a thread */
	TAILQ_ENTRY(kv_job) begun;   /* in kv_share.begun */
	struct kv_share_user *user;
	struct kv_share_lane *lane;
	struct kv_sched *sched;
	sem_t go_on;
	pid_t tid;	      /* the thread that does it */
	uint64_t got_on;      /* when it came, was given its slot, or took its last step */
	uint64_t slice_since; /* when it was given its slot, and had a thread */
	struct kv_usage used; /* what its user was charged for */
	uint64_t short_until; /* CPU time of its thread; where it has begun as a short one */
	bool has_begun, has_slot, is_paused;
	bool is_short;		      /* its slot is one more than there are */
	_Atomic uint64_t interrupted; /* when, at first; 0: not */
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
	struct kv_jobs paused; /* they have begun, and wait for another slot */
	uid_t uid;
	unsigned int begun, waiting; /* jobs; paused ones have begun */
	uint64_t had;	  /* of slots, to be compared: CPU time, and time asleep in one */
	int64_t cpu_left; /* before it has to wait */
	uint64_t refilled;
};

TAILQ_HEAD(kv_share_users, kv_share_user);

struct kv_share {
	struct kv_share_limits limits;
	struct kv_share_users users;
	struct kv_jobs begun;
	unsigned int running; /* in slots */
	unsigned int shorts;  /* though all were taken */
	unsigned int others;  /* have begun, and are not the host's */
	uint64_t least; /* that anyone with jobs has had: who comes anew neither owes nor is owed */
};

void kv_share_init(struct kv_share *s, const struct kv_share_limits *limits);

/* kv_share_free() - there are no jobs */
void kv_share_free(struct kv_share *s);

/* kv_share_line_up() - a new job, behind those of its lane that wait already; 0 or -ENOMEM */
int kv_share_line_up(struct kv_share *s, struct kv_job *job, uint64_t at);

/**
 * kv_share_next() - give a free slot to who is next
 *
 * Return: the job; its @has_begun tells whether it had before. NULL: no slot is free, or nobody
 * waits who may have one.
 */
struct kv_job *kv_share_next(struct kv_share *s, uint64_t at, bool *had_begun);

/* kv_share_peek() - who is next, were a slot free; NULL: nobody waits who may have one */
struct kv_job *kv_share_peek(const struct kv_share *s);

/* kv_share_counts() - does it matter what a job of this user uses? To ask takes a system call */
bool kv_share_counts(const struct kv_share *s, const struct kv_share_user *user);

/* kv_share_charge() - a job took a step; @used: by its thread, in all */
void kv_share_charge(struct kv_job *job, uint64_t at, struct kv_usage used);

/* kv_share_has_to_wait() - has it lost its slot, or its user no CPU time left? */
bool kv_share_has_to_wait(const struct kv_share *s, const struct kv_job *job);

/* kv_share_gives_way() - has @other, as of kv_share_peek(), come to need its slot more? */
bool kv_share_gives_way(const struct kv_job *job, const struct kv_job *other, uint64_t at);

/* kv_share_pause() - it waits for another slot */
void kv_share_pause(struct kv_share *s, struct kv_job *job);

/* kv_share_lend() - it gets nowhere: its slot is free */
void kv_share_lend(struct kv_share *s, struct kv_job *job, uint64_t at);

/* kv_share_finish() - it was done */
void kv_share_finish(struct kv_share *s, struct kv_job *job, uint64_t at, struct kv_usage used);

/* kv_share_tick() - time passes; to be called now and then */
void kv_share_tick(struct kv_share *s, uint64_t at);

/* kv_share_has_jobs() - any, waiting or not? */
bool kv_share_has_jobs(const struct kv_share *s);

/* kv_share_each_waiting() - call @visit for all that have not begun; true: drop it and free it */
void kv_share_each_waiting(struct kv_share *s, bool (*visit)(struct kv_job *job, void *arg),
			   void (*free_job)(struct kv_job *job), void *arg);

#endif
