// SPDX-License-Identifier: GPL-2.0-only
/* Prefetch: by the thread that takes the records, and by another one. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "stream/prefetch.h"
#include "run_records.h"

static void prefetch(struct kv_run *run)
{
	if (kv_run_begin_prefetch(run))
		kv_run_prefetch(run, NULL, NULL);
}

/* --- by the same thread --- */

/* By noise: taken, prefetched, settled, in any order. */
static void prefetching_and_settling_lose_no_record(void **state)
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
			prefetch(run);
		else if (what < 4)
			kv_run_settle(run);
		assert_int_equal(next(run, &n, &err), 1);
		assert_int_equal(n, i);
	}
	prefetch(run);
	kv_run_settle(run);
	expect_end(run);
}

static void it_ends_when_the_buffers_are_full(void **state)
{
	struct kv_run *run;

	(void)state;
	fake_records(10000, NULL, 0);
	run = start(NULL);
	expect(run, 1);
	assert_int_equal(fake.adds, 1);
	prefetch(run);
	assert_int_equal(fake.adds, 1 + KV_PREFETCH_MAX);
	assert_false(kv_run_begin_prefetch(run));
	kv_run_free(run);
}

static bool does_not_go_on(void *arg)
{
	++*(unsigned int *)arg;
	return false;
}

static void it_ends_when_it_is_told_to(void **state)
{
	unsigned int asked = 0;
	struct kv_run *run;

	(void)state;
	fake_records(10000, NULL, 0);
	run = start(NULL);
	expect(run, 1);
	assert_true(kv_run_begin_prefetch(run));
	kv_run_prefetch(run, does_not_go_on, &asked);
	assert_int_equal(asked, 1);
	assert_int_equal(fake.adds, 2);
	assert_false(kv_run_is_prefetching(run));
	kv_run_free(run);
}

static void an_end_that_was_prefetched_is_not_asked_for_again(void **state)
{
	struct kv_run *run;

	(void)state;
	fake_records(3, NULL, 0);
	run = start(NULL);
	expect(run, 1);
	prefetch(run);
	assert_false(kv_run_begin_prefetch(run));
	assert_int_equal(fake.adds, 2);
	for (uint32_t i = 1, n; i < 3; i++) {
		assert_int_equal(next(run, &n, NULL), 1);
		assert_int_equal(n, i);
	}
	expect_end(run);
	assert_int_equal(fake.adds, 2);
}

/* A process loses the thread that is next: see run_scope_test.c. */
static void a_failure_comes_behind_the_records_before_it(void **state)
{
	const struct kv_run_opts opts = {.reader = &reader,
					 .subset = kv_subset_process(getpid(), 0)};
	struct kv_err err = {0};
	struct kv_run *run;
	uint32_t n;

	(void)state;
	fake_records(2, NULL, 0);
	fake_saw(KV_SAW_END);
	fake.saws[0] = KV_SAW_OBJECT;
	run = start(&opts);
	expect(run, 1);
	prefetch(run);
	assert_int_equal(next(run, &n, &err), 1);
	assert_int_equal(n, 1);
	for (int i = 0; i < 2; i++) {
		err = (struct kv_err){0};
		assert_int_equal(next(run, &n, &err), -EIO);
		assert_says(&err, "the thread to read next has ended");
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
		kv_run_prefetch(w->run, NULL, NULL);
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

/* Asks only where kv_run_begin_prefetch() says so: a walk before has ended then. */
static bool ask(struct walker *w, struct kv_run *run)
{
	if (!kv_run_begin_prefetch(run))
		return false;
	w->run = run;
	sem_post(&w->asked);
	return true;
}

static void records_come_in_order_while_another_thread_prefetches(void **state)
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
		while (what == 3 && kv_run_is_prefetching(run)) /* on a busy machine, too */
			sched_yield();
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

static void a_reader_without_records_waits_for_the_thread_that_prefetches(void **state)
{
	struct walker walker;
	struct later later;
	struct kv_run *run;
	uint32_t n;

	(void)state;
	run = start_waiting(&later.at);
	begin(&walker);
	assert_true(ask(&walker, run));
	assert_true(kv_run_is_prefetching(run));
	assert_false(kv_run_begin_prefetch(run));
	kv_run_settle(run);
	pthread_create(&later.thread, NULL, send_later, &later);
	assert_int_equal(next(run, &n, NULL), 1);
	assert_int_equal(n, 1);
	pthread_join(later.thread, NULL);
	close(later.at);
	expect_end(run);
	finish(&walker);
}

static void freeing_waits_for_one_read_and_no_more(void **state)
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
		WITH_FAKE(prefetching_and_settling_lose_no_record),
		WITH_FAKE(it_ends_when_the_buffers_are_full),
		WITH_FAKE(it_ends_when_it_is_told_to),
		WITH_FAKE(an_end_that_was_prefetched_is_not_asked_for_again),
		WITH_FAKE(a_failure_comes_behind_the_records_before_it),
		WITH_FAKE(records_come_in_order_while_another_thread_prefetches),
		WITH_FAKE(a_reader_without_records_waits_for_the_thread_that_prefetches),
		WITH_FAKE(freeing_waits_for_one_read_and_no_more),
	};

	return cmocka_run_group_tests_name("prefetch", tests, NULL, NULL);
}
