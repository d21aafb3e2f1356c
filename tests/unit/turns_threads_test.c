// SPDX-License-Identifier: GPL-2.0-only
/* Turns under load: in any order, and from many threads at once. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "fuse/turns.h"
#include "unit.h"

#define USERS 6
#define HOST 2u
#define EACH 3u
#define ALL 7u

static struct kv_turns turns;

static void forget(struct kv_turn *turn)
{
	(void)turn;
	fail();
}

/* --- whatever comes, in whatever order: what the rules say, told anew --- */

#define MAX_WAITING 300

static struct kv_turn pool[MAX_WAITING + USERS * EACH];

struct told {
	unsigned int has[USERS], others, running;
	struct kv_turn *waiting[MAX_WAITING]; /* in the order of coming */
	unsigned int n;
	struct kv_turn *unused[ARRAY_SIZE(pool)];
	unsigned int n_unused;
};

static bool may(const struct told *t, uid_t uid)
{
	return t->has[uid] < EACH && (uid == HOST || t->others < ALL);
}

static void count_turn(struct told *t, uid_t uid, int by)
{
	t->has[uid] += (unsigned int)by;
	t->running += (unsigned int)by;
	if (uid != HOST)
		t->others += (unsigned int)by;
}

static void unlist(struct told *t, unsigned int at)
{
	memmove(&t->waiting[at], &t->waiting[at + 1], (t->n - at - 1) * sizeof(t->waiting[0]));
	t->n--;
}

/* A turn that is had needs no memory of its own: pass names a user only. */
static void come(struct told *t, uid_t uid)
{
	struct kv_turn *turn;

	if (t->n == MAX_WAITING)
		return;
	turn = t->unused[--t->n_unused];
	*turn = (struct kv_turn){.uid = uid};
	assert_int_equal(kv_turns_take(&turns, turn), may(t, uid));
	if (may(t, uid)) {
		count_turn(t, uid, 1);
		t->unused[t->n_unused++] = turn;
	} else {
		t->waiting[t->n++] = turn;
	}
}

static void pass(struct told *t, uid_t uid)
{
	unsigned int next = 0;

	if (!t->has[uid])
		return;
	count_turn(t, uid, -1);
	while (next < t->n && !may(t, t->waiting[next]->uid))
		next++;
	assert_ptr_equal(kv_turns_pass(&turns, uid), next < t->n ? t->waiting[next] : NULL);
	if (next < t->n) {
		count_turn(t, t->waiting[next]->uid, 1);
		t->unused[t->n_unused++] = t->waiting[next];
		unlist(t, next);
	}
}

static void go(struct told *t, uint64_t any)
{
	unsigned int at = t->n ? (unsigned int)(any % t->n) : 0;

	if (!t->n)
		return;
	assert_true(kv_turns_leave(&turns, t->waiting[at]));
	t->unused[t->n_unused++] = t->waiting[at];
	unlist(t, at);
}

/* Nobody waits who may have a turn. */
static void check(const struct told *t)
{
	unsigned int running, waiting;

	kv_turns_count(&turns, &running, &waiting);
	assert_int_equal(running, t->running);
	assert_int_equal(waiting, t->n);
	for (unsigned int i = 0; i < t->n; i++)
		assert_false(may(t, t->waiting[i]->uid));
}

static void empty(struct told *t)
{
	while (t->running)
		for (uid_t uid = 0; uid < USERS; uid++)
			pass(t, uid);
	assert_int_equal(t->n, 0);
	check(t);
}

static void the_rules_hold_in_any_order(void **state)
{
	static struct told t;
	uint64_t seed = 11;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pool); i++)
		t.unused[t.n_unused++] = &pool[i];
	kv_turns_init(&turns, EACH, ALL, HOST);
	for (int i = 0; i < 100000; i++) {
		uid_t uid = (uid_t)(noise(&seed) % USERS);
		unsigned int what = (unsigned int)(noise(&seed) % 100);

		/* Ebb and flow: now more come, now more go. */
		if (what < (i / 1000 % 2 ? 55U : 25U))
			come(&t, uid);
		else if (what < 90)
			pass(&t, uid);
		else
			go(&t, noise(&seed));
		check(&t);
	}
	empty(&t);
	kv_turns_free(&turns, forget);
}

/* --- many threads --- */

#define THREADS 12
#define JOBS 4000 /* of each */

struct job {
	struct kv_turn turn;
	unsigned int work;	    /* plain memory: what is handed on must be seen */
	atomic_uint runs, leavings; /* one of the two, once */
};

static struct job jobs[THREADS][JOBS];
static pthread_barrier_t all_are_there;
static atomic_uint running[USERS], others, wrong, waited;

static void begin_turn(uid_t uid)
{
	if (atomic_fetch_add(&running[uid], 1) >= EACH)
		atomic_fetch_add(&wrong, 1);
	if (uid != HOST && atomic_fetch_add(&others, 1) >= ALL)
		atomic_fetch_add(&wrong, 1);
}

static void end_turn(uid_t uid)
{
	if (uid != HOST)
		atomic_fetch_sub(&others, 1);
	atomic_fetch_sub(&running[uid], 1);
}

/* As who serves does: each thread goes on with whom it has given the turn. */
static void work(struct job *job)
{
	while (job) {
		uid_t uid = job->turn.uid;

		begin_turn(uid);
		job->work += 2;
		sched_yield(); /* while others come */
		atomic_fetch_add(&job->runs, 1);
		end_turn(uid);
		job = (struct job *)kv_turns_pass(&turns, uid);
	}
}

/* Some wait no longer, whether their turn has come meanwhile or not. */
static void leave(struct job *job)
{
	if (!kv_turns_leave(&turns, &job->turn))
		return;
	job->work += 3;
	atomic_fetch_add(&job->leavings, 1);
}

static void *serve(void *arg)
{
	struct job *mine = arg;
	uint64_t seed = (uint64_t)(mine - jobs[0]) + 1;

	pthread_barrier_wait(&all_are_there);
	for (int i = 0; i < JOBS; i++) {
		int rc;

		mine[i].turn.uid = (uid_t)(noise(&seed) % USERS);
		mine[i].work = 1;
		rc = kv_turns_take(&turns, &mine[i].turn);
		if (rc < 0)
			atomic_fetch_add(&wrong, 1);
		if (rc > 0)
			work(&mine[i]);
		else
			atomic_fetch_add(&waited, 1);
		if (noise(&seed) % 4 == 0)
			leave(&mine[noise(&seed) % (uint64_t)(i + 1)]);
	}
	return NULL;
}

static void check_jobs(void)
{
	unsigned int runs = 0, leavings = 0;

	for (int i = 0; i < THREADS * JOBS; i++) {
		const struct job *job = &jobs[i / JOBS][i % JOBS];

		assert_int_equal(job->runs + job->leavings, 1);
		assert_int_equal(job->work, job->runs ? 3 : 4);
		runs += job->runs;
		leavings += job->leavings;
	}
	assert_int_equal(runs + leavings, THREADS * JOBS);
	/* It was tried: there were too many for the turns. */
	assert_true(waited > 100);
	assert_true(leavings > 10);
}

/* Each has its turn or leaves, once; no more than may have turns at a time. */
static void threads_do_not_disturb_each_other(void **state)
{
	pthread_t threads[THREADS];
	unsigned int still, waiting;

	(void)state;
	kv_turns_init(&turns, EACH, ALL, HOST);
	pthread_barrier_init(&all_are_there, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, serve, jobs[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&all_are_there);
	assert_int_equal(wrong, 0);
	kv_turns_count(&turns, &still, &waiting);
	assert_int_equal(still, 0);
	assert_int_equal(waiting, 0);
	check_jobs();
	kv_turns_free(&turns, forget);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_hold_in_any_order),
		cmocka_unit_test(threads_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests_name("turns under load", tests, NULL, NULL);
}
