// SPDX-License-Identifier: GPL-2.0-only
/* Walks ahead of who takes the records: by the same thread, and by another one. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "run_records.h"

static void walk(struct kv_run *run, unsigned int max)
{
	if (kv_run_begin_ahead(run, max))
		kv_run_ahead(run, NULL, NULL);
}

/* --- by the same thread --- */

/* By noise: taken, walked ahead, settled, in any order. */
static void walking_ahead_and_settling_lose_no_record(void **state)
{
	uint64_t seed = 7;
	struct kv_run *run;
	struct kv_err err = {0};
	uint32_t n = 0;

	(void)state;
	fake_records(50000, NULL, 0);
	run = start(NULL);
	for (uint32_t i = 0; i < 50000; i++) {
		uint64_t what = noise(&seed) % 400;

		if (what < 2)
			walk(run, 1 + noise(&seed) % KV_AHEAD_MAX);
		else if (what < 4)
			kv_run_settle(run);
		assert_int_equal(next(run, &n, &err), 1);
		assert_int_equal(n, i);
	}
	walk(run, 1);
	kv_run_settle(run);
	expect_end(run);
}

static void ahead_are_as_many_reads_as_may_wait(void **state)
{
	struct kv_run *run;

	(void)state;
	fake_records(10000, NULL, 0);
	run = start(NULL);
	expect(run, 1);
	assert_int_equal(fake.adds, 1);
	walk(run, 1);
	assert_int_equal(fake.adds, 2);
	assert_false(kv_run_begin_ahead(run, 1));
	walk(run, KV_AHEAD_MAX);
	assert_int_equal(fake.adds, 1 + KV_AHEAD_MAX);
	assert_false(kv_run_begin_ahead(run, KV_AHEAD_MAX));
	kv_run_free(run);
}

static bool goes_on_twice(void *arg)
{
	return ++*(unsigned int *)arg <= 2;
}

static void a_walk_ahead_ends_when_it_is_told_to(void **state)
{
	unsigned int asked = 0;
	struct kv_run *run;

	(void)state;
	fake_records(10000, NULL, 0);
	run = start(NULL);
	expect(run, 1);
	assert_true(kv_run_begin_ahead(run, KV_AHEAD_MAX));
	kv_run_ahead(run, goes_on_twice, &asked);
	assert_int_equal(asked, 3);
	assert_int_equal(fake.adds, 4);
	assert_false(kv_run_is_ahead(run));
	kv_run_free(run);
}

/* Reads that all records take once one was taken and memory was given back. */
static unsigned int reads_after_settling(bool ahead)
{
	struct kv_run *run;
	uint32_t n;

	fake_reset();
	fake_records(10000, NULL, 0);
	run = start(NULL);
	expect(run, 1);
	kv_run_settle(run);
	if (ahead)
		walk(run, 1);
	while (next(run, &n, NULL) > 0)
		;
	kv_run_free(run);
	return fake.adds;
}

static void whoever_walks_ahead_reads_whole_buffers_from_then_on(void **state)
{
	(void)state;
	assert_true(reads_after_settling(true) < reads_after_settling(false) * 2 / 3);
}

static void an_end_found_ahead_is_not_asked_for_again(void **state)
{
	struct kv_run *run;

	(void)state;
	fake_records(3, NULL, 0);
	run = start(NULL);
	expect(run, 1);
	walk(run, KV_AHEAD_MAX);
	assert_false(kv_run_begin_ahead(run, KV_AHEAD_MAX));
	assert_int_equal(fake.adds, 2);
	for (uint32_t i = 1, n; i < 3; i++) {
		assert_int_equal(next(run, &n, NULL), 1);
		assert_int_equal(n, i);
	}
	expect_end(run);
	assert_int_equal(fake.adds, 2);
}

/* A process loses the thread that is next: see run_scope_test.c. */
static void a_failure_ahead_comes_behind_the_records_before_it(void **state)
{
	const struct kv_run_opts opts = {.reader = &reader, .pid = getpid()};
	struct kv_err err = {0};
	struct kv_run *run;
	uint32_t n;

	(void)state;
	fake_records(2, NULL, 0);
	fake_saw(KV_SAW_END);
	fake.saws[0] = KV_SAW_OBJECT;
	run = start(&opts);
	expect(run, 1);
	walk(run, KV_AHEAD_MAX);
	assert_int_equal(next(run, &n, &err), 1);
	assert_int_equal(n, 1);
	for (int i = 0; i < 2; i++) {
		err = (struct kv_err){0};
		assert_int_equal(next(run, &n, &err), -EIO);
		assert_says(&err, "lost the thread");
		assert_hints(&err, "again");
	}
	assert_int_equal(fake.adds, 2);
	kv_run_free(run);
}

/* --- by another one --- */

struct walker {
	pthread_t thread;
	struct kv_run *run; /* of the walk asked for; NULL: end */
	sem_t asked;
};

static void *walk_when_asked(void *arg)
{
	struct walker *w = arg;

	while (sem_wait(&w->asked) == 0 && w->run)
		kv_run_ahead(w->run, NULL, NULL);
	return NULL;
}

static void begin(struct walker *w)
{
	sem_init(&w->asked, 0, 0);
	assert_int_equal(pthread_create(&w->thread, NULL, walk_when_asked, w), 0);
}

static void finish(struct walker *w)
{
	w->run = NULL;
	sem_post(&w->asked);
	pthread_join(w->thread, NULL);
	sem_destroy(&w->asked);
}

/* Asks only where kv_run_begin_ahead() says so: a walk before has ended then. */
static bool ask(struct walker *w, struct kv_run *run)
{
	if (!kv_run_begin_ahead(run, KV_AHEAD_MAX))
		return false;
	w->run = run;
	sem_post(&w->asked);
	return true;
}

static void records_come_in_order_while_another_thread_walks(void **state)
{
	unsigned int walks = 0;
	struct walker walker;
	uint64_t seed = 5;
	struct kv_run *run;
	uint32_t n;

	(void)state;
	fake_records(100000, NULL, 0);
	run = start(NULL);
	begin(&walker);
	for (uint32_t i = 0; i < 100000; i++) {
		uint64_t what = noise(&seed) % 300;

		if (what < 2)
			walks += ask(&walker, run);
		else if (what == 2)
			kv_run_settle(run);
		assert_int_equal(next(run, &n, NULL), 1);
		assert_int_equal(n, i);
	}
	assert_true(walks > 10);
	expect_end(run);
	finish(&walker);
}

/* A run whose first read has given one record; then reads wait for what @at_send gets. */
static struct kv_run *start_waiting(int *at_send)
{
	struct fake_record r;
	size_t len = fake_record(0, &r);
	struct kv_run *run;

	*at_send = fake_messages();
	assert_int_equal(fcntl(fake.fd, F_SETFL, 0), 0);
	assert_int_equal(send(*at_send, &r, len, 0), len);
	run = start(NULL);
	expect(run, 1);
	return run;
}

struct later {
	pthread_t thread;
	int at; /* where record 1 is sent */
};

static void *send_later(void *arg)
{
	struct later *l = arg;
	struct fake_record r;
	size_t len = fake_record(1, &r);

	usleep(50000);
	send(l->at, &r, len, 0);
	return NULL;
}

static void whoever_has_no_record_waits_for_the_walk(void **state)
{
	struct walker walker;
	struct later later;
	struct kv_run *run;
	uint32_t n;

	(void)state;
	run = start_waiting(&later.at);
	begin(&walker);
	assert_true(ask(&walker, run));
	assert_true(kv_run_is_ahead(run));
	assert_false(kv_run_begin_ahead(run, KV_AHEAD_MAX));
	kv_run_settle(run);
	pthread_create(&later.thread, NULL, send_later, &later);
	assert_int_equal(next(run, &n, NULL), 1);
	assert_int_equal(n, 1);
	pthread_join(later.thread, NULL);
	close(later.at);
	expect_end(run);
	finish(&walker);
}

static void whoever_frees_waits_for_one_read_and_no_more(void **state)
{
	struct walker walker;
	struct later later;
	struct kv_run *run;

	(void)state;
	run = start_waiting(&later.at);
	begin(&walker);
	assert_true(ask(&walker, run));
	pthread_create(&later.thread, NULL, send_later, &later);
	while (fake.adds < 2) /* the walk is in its read, or about to be */
		sched_yield();
	kv_run_free(run);
	assert_int_equal(fake.adds, 2);
	assert_int_equal(fake.removes, 2);
	pthread_join(later.thread, NULL);
	close(later.at);
	finish(&walker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(walking_ahead_and_settling_lose_no_record),
		WITH_FAKE(ahead_are_as_many_reads_as_may_wait),
		WITH_FAKE(a_walk_ahead_ends_when_it_is_told_to),
		WITH_FAKE(whoever_walks_ahead_reads_whole_buffers_from_then_on),
		WITH_FAKE(an_end_found_ahead_is_not_asked_for_again),
		WITH_FAKE(a_failure_ahead_comes_behind_the_records_before_it),
		WITH_FAKE(records_come_in_order_while_another_thread_walks),
		WITH_FAKE(whoever_has_no_record_waits_for_the_walk),
		WITH_FAKE(whoever_frees_waits_for_one_read_and_no_more),
	};

	return cmocka_run_group_tests_name("run ahead", tests, NULL, NULL);
}
