/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who has the worker's CPUs and threads. What may walk in the kernel for long is a job of
 * some user, and runs in one of a few slots, about as many as there are CPUs:
 *
 * - The next slot is for the user who has had the least of them. A job gives its slot back
 *   between two reads of its iterator when another has come to need it more.
 * - A user has a share of a CPU, and a burst before that.
 * - A job that gets nowhere, since a process keeps the lock that its walk waits for, or a file
 *   server does not answer, loses its slot and keeps its thread. So a user has a few
 *   threads, and fewer for what gets stuck in the same place, a lane.
 *
 * What has to wait before it has begun holds no thread. A job runs in the thread that submits
 * it, if a slot is free; then that thread does those that have become ready meanwhile.
 */
#ifndef KVIEW_FS_SCHED_H
#define KVIEW_FS_SCHED_H

#include <pthread.h>

#include "fuse/fs/share.h"

struct kv_sched_ops {
	/* Do it, in any thread. @free follows. */
	void (*run)(struct kv_job *job);
	/*
	 * Now and then, of one that was interrupted: was it given up, so that nobody waits
	 * for it any more? @is_stuck: it has got nowhere for half a second. Must not call back.
	 */
	bool (*give_up)(struct kv_job *job, bool is_stuck);
	void (*free)(struct kv_job *job);
	/* Now and then while there are jobs: are they to come to an end? NULL: never by themselves */
	bool (*is_over)(struct kv_sched *s);
	/* They were, and some have not within @end_ms of kv_sched_start(): NULL: so be it */
	void (*abandon)(struct kv_sched *s);
};

struct kv_sched {
	struct kv_share share;
	const struct kv_sched_ops *ops;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the clerk */
	pthread_cond_t done; /* a job, or a thread, as it ends */
	pthread_t clerk;
	bool has_clerk;
	struct kv_jobs ready;  /* begun, by nobody yet */
	unsigned int threads;  /* of our own, for those */
	unsigned int starting; /* of them have taken none yet */
	uint64_t active;       /* when there was a job last; 0: the clerk sleeps */
	unsigned int end_ms;
	bool has_ended;
};

struct kv_sched_counts {
	unsigned int running; /* have begun, whether they get on or not */
	unsigned int waiting; /* have not begun */
	unsigned int stuck;   /* have begun, and get nowhere */
};

/**
 * kv_sched_start() - get ready for jobs
 * @end_ms: how long they may take in the end; what is stuck in the kernel may never end
 *
 * Return: 0 or -errno.
 */
int kv_sched_start(struct kv_sched *s, const struct kv_share_limits *limits,
		   const struct kv_sched_ops *ops, unsigned int end_ms);

/**
 * kv_sched_stop() - no more jobs: forget those that have not begun, wait for the others
 *
 * Return: have all ended? If not, nothing that they use may be freed.
 */
bool kv_sched_stop(struct kv_sched *s);

/* kv_sched_tick() - what the clerk does, a thread of the scheduler's own, every some milliseconds */
void kv_sched_tick(struct kv_sched *s);

/**
 * kv_sched_submit() - do it, or have it done as soon as it has a slot
 *
 * After the end jobs are freed and not done.
 *
 * Return: 0: it may be done and freed already; -ENOMEM: nothing was done.
 */
int kv_sched_submit(struct kv_sched *s, struct kv_job *job);

/**
 * kv_sched_breathe() - called by a job between two steps, by its thread: is it another's time?
 *
 * Comes back when it is its own again.
 */
void kv_sched_breathe(struct kv_sched *s, struct kv_job *job);

/* kv_sched_interrupt() - kv_sched_ops.give_up will be asked about it; from any thread */
void kv_sched_interrupt(struct kv_job *job);

/* kv_sched_has_leisure() - may a job do more than it was asked for? Nobody waits, and its user can pay */
bool kv_sched_has_leisure(struct kv_sched *s, const struct kv_job *job);

void kv_sched_count(struct kv_sched *s, struct kv_sched_counts *counts);

#endif
