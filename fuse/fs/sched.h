/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler of the worker's threads and CPUs. A request that may walk in the kernel for long
 * is a job of the user who sent it, and runs in one of a few slots, about as many as there
 * are CPUs:
 *
 * - The next free slot goes to the user who has used the least. Between two reads of its
 *   iterator a job gives its slot up if a user who has used less waits for one.
 * - Each user may use a share of a CPU, and a burst before that limit applies.
 * - A job may get stuck in the kernel: another process keeps the lock that its walk waits
 *   for, or a file server does not answer. It loses its slot and keeps its thread. So the
 *   number of threads per user is limited, and lower still for jobs that would get stuck in
 *   the same place, which form a lane.
 *
 * A job that waits to begin holds no thread. A job runs in the thread that submits it if a slot is
 * free; that thread then runs the jobs that have become ready meanwhile.
 */
#ifndef KVIEW_FS_SCHED_H
#define KVIEW_FS_SCHED_H

#include <pthread.h>

#include "fuse/fs/share.h"

struct kv_sched_ops {
	/* Runs the job, in any thread. @free follows. */
	void (*run)(struct kv_job *job);
	/*
	 * Asked every 10 ms about a job that was interrupted: does nobody wait for it any more?
	 * @is_stuck: it has made no progress for half a second. Must not call the scheduler.
	 */
	bool (*give_up)(struct kv_job *job, bool is_stuck);
	void (*free)(struct kv_job *job);
};

/* What the timer thread asks of the scheduler's owner. Functions may be NULL. */
struct kv_sched_owner {
	/* Asked every 10 ms while there are jobs: is the worker ending? NULL: kv_sched_stop() tells */
	bool (*is_over)(void *arg);
	/* Called if jobs are left @end_ms after is_over(): they may be stuck for ever */
	void (*abandon)(void *arg);
	/* Called every 30 seconds, whether there are jobs or not */
	void (*tidy)(void *arg);
	void *arg;
	unsigned int end_ms;
};

struct kv_sched {
	struct kv_share share;
	const struct kv_sched_ops *ops;
	struct kv_sched_owner owner;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the timer thread */
	pthread_cond_t done; /* a job, or a thread, as it ends */
	pthread_t timer;
	bool has_timer;
	struct kv_jobs ready;  /* have a slot and no thread yet */
	unsigned int threads;  /* that the scheduler made for those */
	unsigned int starting; /* of these, those that have taken no job yet */
	uint64_t active;       /* when there was a job last; 0: the timer thread sleeps */
	uint64_t tidy_at;
	bool has_ended;
};

struct kv_sched_counts {
	unsigned int running; /* have begun, stuck ones included */
	unsigned int waiting; /* have not begun */
	unsigned int stuck;   /* have begun, and made no progress for half a second */
};

/**
 * kv_sched_start() - start the timer thread
 * @owner: copied
 *
 * Return: 0 or -errno.
 */
int kv_sched_start(struct kv_sched *s, const struct kv_share_limits *limits,
		   const struct kv_sched_ops *ops, const struct kv_sched_owner *owner);

/**
 * kv_sched_stop() - drop the jobs that have not begun, wait for the others
 *
 * Return: true: all have ended; false: the caller must free nothing that they use.
 */
bool kv_sched_stop(struct kv_sched *s);

/* kv_sched_tick() - what the timer thread does every 10 ms */
void kv_sched_tick(struct kv_sched *s);

/**
 * kv_sched_submit() - run a job in this thread, or in another as soon as it has a slot
 *
 * After kv_sched_stop() jobs are freed and not run.
 *
 * Return: 0: the job may have been run and freed already; -ENOMEM: it is the caller's still.
 */
int kv_sched_submit(struct kv_sched *s, struct kv_job *job);

/**
 * kv_sched_yield() - called by a job's thread between two steps: give the slot up if another needs it
 *
 * Returns when the job has a slot again.
 */
void kv_sched_yield(struct kv_sched *s, struct kv_job *job);

/* kv_sched_interrupt() - have kv_sched_ops.give_up asked about a job; from any thread */
void kv_sched_interrupt(struct kv_job *job);

/* kv_sched_is_idle() - may @job prefetch: does nobody wait, and has its user CPU time left? */
bool kv_sched_is_idle(struct kv_sched *s, const struct kv_job *job);

void kv_sched_count(struct kv_sched *s, struct kv_sched_counts *counts);

#endif
