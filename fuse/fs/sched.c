// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/sched.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/cleanup.h"

/* A job that sleeps and has made no progress for so long loses its slot ... */
#define OVERDUE (20 * KV_MS)
/* ... and is stuck after this. */
#define STUCK (500 * KV_MS)

/* How often the timer thread looks while there are jobs, and how long after the last one. */
#define TICK (10 * KV_MS)
#define LINGER (1000 * KV_MS)

#define TIDY_EVERY (30 * 1000 * KV_MS)

/* Rows are made in buffers of the heap. */
#define STACK_SIZE (256 << 10)

static uint64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 * KV_MS + (uint64_t)ts.tv_nsec;
}

static uint64_t now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* Of the calling thread. getrusage() tells CPU time as well, but as of the last tick. */
static struct kv_usage own_usage(const struct kv_job *job)
{
	struct rusage r;

	if (!kv_share_counts(&job->sched->share, job->user) || getrusage(RUSAGE_THREAD, &r) < 0)
		return (struct kv_usage){0};
	return (struct kv_usage){
		.cpu = read_clock(CLOCK_THREAD_CPUTIME_ID),
		.sleeps = (uint64_t)r.ru_nvcsw,
	};
}

/* 0; ETIMEDOUT */
static int wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until)
{
	const struct timespec ts = {.tv_sec = (time_t)(until / (1000 * KV_MS)),
				    .tv_nsec = (long)(until % (1000 * KV_MS))};

	return pthread_cond_timedwait(cond, lock, &ts);
}

/* --- threads for jobs; with the lock held --- */

static void *work(void *sched);

/* If none can be made, a thread that has finished takes the job, or the timer thread tries again. */
static bool add_thread(struct kv_sched *s)
{
	bool is_there;

	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	is_there = pthread_create(&thread, &attr, work, s) == 0;
	s->threads += is_there;
	s->starting += is_there;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return is_there;
}

/* One for each ready job, but for @own of them, which the calling thread will run. */
static void add_threads(struct kv_sched *s, unsigned int own)
{
	const struct kv_job *job;
	unsigned int n = 0;

	TAILQ_FOREACH(job, &s->ready, waiting)
	if (++n > s->starting + own && !add_thread(s))
		return;
}

/*
 * Give the free slots to the next jobs. True: @here is one of them, and the caller is to run it.
 * @own: how many others the caller will run
 */
static bool dispatch(struct kv_sched *s, uint64_t at, const struct kv_job *here, unsigned int own)
{
	bool is_here = false, had_begun;
	struct kv_job *job;

	while ((job = kv_share_next(&s->share, at, &had_begun))) {
		if (had_begun)
			sem_post(&job->go_on);
		else if (job == here)
			is_here = true;
		else
			TAILQ_INSERT_TAIL(&s->ready, job, waiting);
	}
	add_threads(s, is_here ? 0 : own);
	return is_here;
}

/* --- the timer thread; with the lock held --- */

/*
 * A thread that is runnable does not sleep, even if it waits for a CPU: on a busy machine that
 * takes time, and one job more would make it longer.
 */
static bool sleeps(const struct kv_job *job)
{
	_cleanup_close_ int fd = -1;
	char path[64], stat[512], *end;
	ssize_t n;

	if (!job->tid)
		return false; /* no thread has it yet */
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)job->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (n <= 0)
		return true; /* nobody knows */
	stat[n] = '\0';
	end = strrchr(stat, ')');
	return !end || strncmp(end, ") R", 3) != 0;
}

static void lend_slots(struct kv_sched *s, uint64_t at)
{
	struct kv_job *job;

	TAILQ_FOREACH(job, &s->share.begun, begun)
	if (job->has_slot && at - job->got_on > OVERDUE && sleeps(job))
		kv_share_lend(&s->share, job, at);
}

struct look {
	struct kv_sched *sched;
	uint64_t at;
};

static bool is_given_up(struct kv_job *job, void *arg)
{
	const struct look *look = arg;
	uint64_t since = atomic_load(&job->interrupted), idle;

	if (!since)
		return false;
	if (since < job->got_on)
		since = job->got_on;
	idle = look->at > since ? look->at - since : 0;
	return look->sched->ops->give_up(job, idle > STUCK && (!job->has_begun || sleeps(job)));
}

static void free_job(struct kv_job *job)
{
	struct kv_sched *s = job->sched;

	sem_destroy(&job->go_on);
	s->ops->free(job);
}

static void look_at_interrupted(struct kv_sched *s, uint64_t at)
{
	struct look look = {s, at};
	struct kv_job *job;

	TAILQ_FOREACH(job, &s->share.begun, begun)
	is_given_up(job, &look);
	kv_share_each_waiting(&s->share, is_given_up, free_job, &look);
}

static void wait_tick(struct kv_sched *s, uint64_t at)
{
	if (kv_share_has_jobs(&s->share))
		s->active = at;
	/* It lingers, so that a busy reader does not have to wake it with every read. */
	if (at - s->active > LINGER) {
		s->active = 0;
		wait_until(&s->wake, &s->lock, s->tidy_at);
	} else {
		wait_until(&s->wake, &s->lock, at + TICK);
	}
}

static void tick(struct kv_sched *s, uint64_t at)
{
	lend_slots(s, at);
	look_at_interrupted(s, at);
	kv_share_tick(&s->share, at);
	dispatch(s, at, NULL, 0);
}

void kv_sched_tick(struct kv_sched *s)
{
	pthread_mutex_lock(&s->lock);
	tick(s, now());
	pthread_mutex_unlock(&s->lock);
}

static bool is_any(struct kv_job *job, void *arg)
{
	(void)job;
	(void)arg;
	return true;
}

/* Jobs that have begun go on to their end; paused ones are woken for that. */
static void end_all(struct kv_sched *s)
{
	struct kv_share_user *u;
	struct kv_job *job;

	s->has_ended = true;
	kv_share_each_waiting(&s->share, is_any, free_job, NULL);
	TAILQ_FOREACH(u, &s->share.users, others)
	while ((job = TAILQ_FIRST(&u->paused))) {
		TAILQ_REMOVE(&u->paused, job, waiting);
		sem_post(&job->go_on);
	}
	pthread_cond_broadcast(&s->wake);
}

static bool has_none(const struct kv_sched *s)
{
	return TAILQ_EMPTY(&s->share.begun) && !s->threads;
}

static void await_end(struct kv_sched *s)
{
	uint64_t until = now() + s->owner.end_ms * KV_MS;
	int rc = 0;

	while (!rc && !has_none(s))
		rc = wait_until(&s->done, &s->lock, until);
	if (rc && s->owner.abandon)
		s->owner.abandon(s->owner.arg);
}

static void tidy(struct kv_sched *s, uint64_t at)
{
	s->tidy_at = at + TIDY_EVERY;
	if (!s->owner.tidy)
		return;
	pthread_mutex_unlock(&s->lock);
	s->owner.tidy(s->owner.arg);
	pthread_mutex_lock(&s->lock);
}

static void *keep_time(void *sched)
{
	struct kv_sched *s = sched;
	uint64_t at;

	pthread_mutex_lock(&s->lock);
	while (!s->has_ended) {
		at = now();
		tick(s, at);
		if (s->owner.is_over && s->owner.is_over(s->owner.arg))
			end_all(s);
		else if (at >= s->tidy_at)
			tidy(s, at);
		else
			wait_tick(s, at);
	}
	await_end(s);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void wake_timer(struct kv_sched *s, uint64_t at)
{
	if (s->active)
		return;
	s->active = at;
	pthread_cond_signal(&s->wake);
}

/* --- the threads that run jobs --- */

static void finish(struct kv_sched *s, struct kv_job *job)
{
	uint64_t at = now();

	kv_share_finish(&s->share, job, at, own_usage(job));
	if (s->has_ended)
		pthread_cond_signal(&s->done);
	else
		dispatch(s, at, NULL, 1);
}

static void do_job(struct kv_sched *s, struct kv_job *job)
{
	job->tid = gettid();
	job->slice_since = now(); /* the thread may have taken long to start */
	job->used = own_usage(job);
	pthread_mutex_unlock(&s->lock);
	s->ops->run(job);
	pthread_mutex_lock(&s->lock);
	finish(s, job);
	pthread_mutex_unlock(&s->lock);
	free_job(job);
	pthread_mutex_lock(&s->lock);
}

static void do_ready(struct kv_sched *s)
{
	struct kv_job *job;

	while ((job = TAILQ_FIRST(&s->ready))) {
		TAILQ_REMOVE(&s->ready, job, waiting);
		do_job(s, job);
	}
}

static void *work(void *sched)
{
	struct kv_sched *s = sched;

	pthread_mutex_lock(&s->lock);
	s->starting--;
	do_ready(s);
	s->threads--;
	pthread_cond_signal(&s->done);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int kv_sched_submit(struct kv_sched *s, struct kv_job *job)
{
	uint64_t at = now();
	int rc;

	if (sem_init(&job->go_on, 0, 0) < 0)
		return -ENOMEM;
	pthread_mutex_lock(&s->lock);
	job->sched = s;
	rc = s->has_ended ? 0 : kv_share_line_up(&s->share, job, at);
	if (rc) {
		sem_destroy(&job->go_on);
	} else if (s->has_ended) {
		free_job(job);
	} else {
		wake_timer(s, at);
		if (dispatch(s, at, job, 1))
			do_job(s, job);
		do_ready(s);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* Has it a thread, or is there one for it? Else to wait for it would be for ever. */
static bool has_thread(struct kv_sched *s, const struct kv_job *job)
{
	return job->has_begun || s->starting || add_thread(s);
}

static bool has_to_wait(struct kv_sched *s, const struct kv_job *job, uint64_t at)
{
	const struct kv_job *other;

	if (kv_share_has_to_wait(&s->share, job))
		return true;
	other = kv_share_peek(&s->share);
	return other && kv_share_gives_way(job, other, at) && has_thread(s, other);
}

void kv_sched_yield(struct kv_sched *s, struct kv_job *job)
{
	uint64_t at = now();
	bool waits;

	pthread_mutex_lock(&s->lock);
	kv_share_charge(job, at, own_usage(job));
	waits = !s->has_ended && has_to_wait(s, job, at);
	if (waits) {
		kv_share_pause(&s->share, job);
		dispatch(s, at, NULL, 0);
	}
	pthread_mutex_unlock(&s->lock);
	while (waits && sem_wait(&job->go_on) < 0)
		; /* a signal */
}

bool kv_sched_is_idle(struct kv_sched *s, const struct kv_job *job)
{
	bool is_idle;

	pthread_mutex_lock(&s->lock);
	is_idle = job->has_slot && !job->is_short && !s->has_ended &&
		  job->user->cpu_left > (int64_t)KV_SLICE && !kv_share_peek(&s->share);
	pthread_mutex_unlock(&s->lock);
	return is_idle;
}

void kv_sched_interrupt(struct kv_job *job)
{
	uint64_t none = 0;

	/* The timer thread runs as long as there are jobs. */
	atomic_compare_exchange_strong(&job->interrupted, &none, now());
}

void kv_sched_count(struct kv_sched *s, struct kv_sched_counts *counts)
{
	const struct kv_share_user *u;
	const struct kv_job *job;
	uint64_t at = now();

	*counts = (struct kv_sched_counts){0};
	pthread_mutex_lock(&s->lock);
	TAILQ_FOREACH(job, &s->share.begun, begun)
	{
		counts->running++;
		counts->stuck += !job->is_paused && at > job->got_on + STUCK;
	}
	TAILQ_FOREACH(u, &s->share.users, others)
	counts->waiting += u->waiting;
	pthread_mutex_unlock(&s->lock);
}

/* --- beginning and end --- */

static void init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

int kv_sched_start(struct kv_sched *s, const struct kv_share_limits *limits,
		   const struct kv_sched_ops *ops, const struct kv_sched_owner *owner)
{
	int rc;

	*s = (struct kv_sched){.ops = ops, .owner = *owner};
	kv_share_init(&s->share, limits);
	TAILQ_INIT(&s->ready);
	pthread_mutex_init(&s->lock, NULL);
	init_cond(&s->wake);
	init_cond(&s->done);
	rc = -pthread_create(&s->timer, NULL, keep_time, s);
	s->has_timer = !rc;
	return rc;
}

bool kv_sched_stop(struct kv_sched *s)
{
	bool is_done;

	pthread_mutex_lock(&s->lock);
	if (!s->has_ended)
		end_all(s);
	pthread_mutex_unlock(&s->lock);
	if (s->has_timer)
		pthread_join(s->timer, NULL);
	pthread_mutex_lock(&s->lock);
	is_done = has_none(s);
	pthread_mutex_unlock(&s->lock);
	if (!is_done)
		return false;
	kv_share_free(&s->share);
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->done);
	pthread_mutex_destroy(&s->lock);
	return true;
}
