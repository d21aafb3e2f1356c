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
 * What has to wait before it has begun holds no thread.
 */
#ifndef KVIEW_FUSE_SCHED_H
#define KVIEW_FUSE_SCHED_H

#include <pthread.h>

#include "share.h"

struct kv_sched_ops {
	/* Do it, in any thread. @free follows. */
	void (*run)(struct kv_job *job);
	/*
	 * Now and then, of one that was interrupted: was it given up, so that nobody waits
	 * for it any more? @is_stuck: it has got nowhere for half a second. Must not call back.
	 */
	bool (*give_up)(struct kv_job *job, bool is_stuck);
	void (*free)(struct kv_job *job);
};

struct kv_sched {
	struct kv_share share;
	const struct kv_sched_ops *ops;
	pthread_mutex_t lock;
	pthread_cond_t wake;	/* the clerk */
	pthread_cond_t vacancy; /* a thread that has nothing to do */
	pthread_cond_t done;	/* a job, or a thread, as it ends */
	pthread_t clerk;
	bool has_clerk;
	struct kv_jobs ready; /* begun, by nobody yet */
	unsigned int threads, idle, starting;
	uint64_t active; /* when there was a job last; 0: the clerk sleeps */
	bool has_ended;
};

struct kv_sched_counts {
	unsigned int running; /* have begun, whether they get on or not */
	unsigned int waiting; /* have not begun */
	unsigned int stuck;   /* have begun, and get nowhere */
};

/**
 * kv_sched_start() - get ready for jobs
 *
 * Return: 0 or -errno.
 */
int kv_sched_start(struct kv_sched *s, const struct kv_share_limits *limits,
		   const struct kv_sched_ops *ops);

/**
 * kv_sched_stop() - no more jobs: forget those that have not begun, wait for the others
 * @ms: how long; what is stuck in the kernel may never end
 *
 * Return: have all ended? If not, nothing that they use may be freed.
 */
bool kv_sched_stop(struct kv_sched *s, unsigned int ms);

/* kv_sched_tick() - what the clerk does, a thread of the scheduler's own, every some milliseconds */
void kv_sched_tick(struct kv_sched *s);

/**
 * kv_sched_submit() - have it done as soon as may be: in the calling thread, if there is no other
 *
 * Return: 0; -ENOMEM: nothing was done.
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
