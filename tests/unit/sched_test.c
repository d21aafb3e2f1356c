// SPDX-License-Identifier: GPL-2.0-only
/* The scheduler with its threads: jobs that run, yield, get stuck and are given up. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "fuse/fs/sched.h"
#include "unit.h"

#define HOST 0u
#define PATIENCE_S 20 /* for what is to come; a busy machine takes its time */

struct work {
	struct kv_job job; /* first */
	int gate;	   /* >= 0: stuck until a byte comes */
	unsigned int steps;
	unsigned int step_us;
	atomic_bool is_given_up;
};

static struct kv_sched sched;
static unsigned int end_ms = PATIENCE_S * 1000;
static atomic_uint ran, freed, given_up, stuck_now;
static atomic_uint steps_of[8];
#define BURST 1000	    /* steps of a ms, at a tenth of a CPU */
static atomic_bool is_over; /* for those who go on without end */

#define ENDLESS UINT32_MAX

static void do_step(struct work *w)
{
	struct timespec until, now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &until);
	until.tv_nsec += w->step_us * 1000;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec);
	steps_of[w->job.uid % 8]++;
}

static void run(struct kv_job *job)
{
	struct work *w = (struct work *)job;
	char c;

	if (w->gate >= 0) {
		stuck_now++;
		assert_int_equal(read(w->gate, &c, 1), 1);
		stuck_now--;
	}
	for (unsigned int i = 0; i < w->steps && !w->is_given_up; i++) {
		if (w->steps == ENDLESS && is_over)
			break;
		kv_sched_yield(&sched, job);
		do_step(w);
	}
	ran++;
}

static bool give_up(struct kv_job *job, bool is_stuck)
{
	struct work *w = (struct work *)job;

	if (w->is_given_up || !is_stuck)
		return false;
	w->is_given_up = true;
	given_up++;
	return true;
}

static void free_work(struct kv_job *job)
{
	freed++;
	free(job);
}

static const struct kv_sched_ops ops = {.run = run, .give_up = give_up, .free = free_work};

static void begin(unsigned int slots, unsigned int lane, unsigned int cpu_percent)
{
	const struct kv_share_limits limits = {
		.slots = slots,
		.lane = lane,
		.each = 8,
		.host_each = 64,
		.all = 40,
		.cpu_percent = cpu_percent,
		.host = HOST,
	};
	const struct kv_sched_owner owner = {.end_ms = end_ms};

	is_over = false;
	ran = freed = given_up = stuck_now = 0;
	memset((void *)steps_of, 0, sizeof(steps_of));
	assert_int_equal(kv_sched_start(&sched, &limits, &ops, &owner), 0);
}

static struct work *make(struct work like, uid_t uid, uint64_t lane)
{
	struct work *w = malloc(sizeof(*w));

	assert_non_null(w);
	memcpy(w, &like, sizeof(like));
	w->job.uid = uid;
	w->job.lane_id = lane;
	return w;
}

static struct work *submit(struct work like, uid_t uid, uint64_t lane)
{
	struct work *w = make(like, uid, lane);

	assert_int_equal(kv_sched_submit(&sched, &w->job), 0);
	return w;
}

static void until(atomic_uint *count, unsigned int n)
{
	for (int i = 0; *count < n && i < PATIENCE_S * 1000; i++)
		usleep(1000);
	assert_int_equal(*count, n);
}

/* Those who submit what may get stuck are away with it. */
static void *submit_it(void *work)
{
	struct work *w = work;

	assert_int_equal(kv_sched_submit(&sched, &w->job), 0);
	return NULL;
}

static struct work *submit_apart(struct work like, uid_t uid, uint64_t lane)
{
	struct work *w = make(like, uid, lane);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, submit_it, w), 0);
	pthread_detach(thread);
	return w;
}

static struct work stuck_at(int gate)
{
	return (struct work){.gate = gate};
}

static struct work of_steps(unsigned int n, unsigned int us)
{
	return (struct work){.gate = -1, .steps = n, .step_us = us};
}

static void open_gate(int gate, unsigned int n)
{
	while (n--)
		assert_int_equal(write(gate, "", 1), 1);
}

static void *submit_many(void *uid)
{
	for (int i = 0; i < 200; i++)
		submit(of_steps(1 + (unsigned int)i % 3, 20), (uid_t)(uintptr_t)uid,
		       (uint64_t)i % 5);
	return NULL;
}

/* --- cases --- */

static void all_are_done_once(void **state)
{
	pthread_t threads[6];

	(void)state;
	begin(2, 4, 0);
	for (uintptr_t i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, submit_many, (void *)(i / 2)),
				 0);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	until(&freed, 1200);
	assert_int_equal(ran, 1200);
	assert_true(kv_sched_stop(&sched));
}

static void what_is_stuck_keeps_no_slot(void **state)
{
	int gate[2];

	(void)state;
	assert_int_equal(pipe(gate), 0);
	begin(2, 4, 0);
	for (uid_t uid = 1; uid <= 10; uid++)
		for (int i = 0; i < 2; i++)
			submit_apart(stuck_at(gate[0]), uid, 1);
	until(&stuck_now, 20);
	submit(of_steps(3, 10), 77, 1);
	until(&freed, 1);
	open_gate(gate[1], 20);
	until(&freed, 21);
	assert_true(kv_sched_stop(&sched));
	close(gate[0]);
	close(gate[1]);
}

static void a_lane_has_so_many_stuck_ones_and_the_next_has_its_own(void **state)
{
	struct kv_sched_counts counts;
	int gate[2];

	(void)state;
	assert_int_equal(pipe(gate), 0);
	begin(2, 2, 0);
	for (int i = 0; i < 5; i++)
		submit_apart(stuck_at(gate[0]), 1, 9);
	until(&stuck_now, 2);
	submit(of_steps(1, 10), 1, 10);
	until(&freed, 1);
	assert_int_equal(stuck_now, 2);
	for (int i = 0; i < PATIENCE_S * 100; i++) {
		kv_sched_count(&sched, &counts);
		if (counts.stuck == 2 && counts.waiting == 3)
			break;
		usleep(10000);
	}
	assert_int_equal(counts.running, 2);
	assert_int_equal(counts.stuck, 2);
	assert_int_equal(counts.waiting, 3);
	open_gate(gate[1], 5);
	until(&freed, 6);
	assert_true(kv_sched_stop(&sched));
	close(gate[0]);
	close(gate[1]);
}

static void long_jobs_give_way_to_short_ones(void **state)
{
	(void)state;
	begin(2, 4, 0);
	for (int i = 0; i < 4; i++)
		submit_apart(of_steps(ENDLESS, 500), 1, 0);
	for (int i = 0; steps_of[1] < 20 && i < PATIENCE_S * 1000; i++)
		usleep(1000);
	for (unsigned int i = 1; i <= 50; i++) {
		submit(of_steps(2, 100), 2, 0);
		until(&freed, i);
	}
	is_over = true;
	until(&freed, 54);
	assert_true(kv_sched_stop(&sched));
}

/* By the steps that each has made: both are as long, and each takes at least its CPU time. */
static void users_have_even_shares_whatever_they_ask_for(void **state)
{
	(void)state;
	begin(1, 4, 0);
	for (int i = 0; i < 3; i++)
		submit_apart(of_steps(ENDLESS, 1000), 1, (uint64_t)i);
	submit_apart(of_steps(ENDLESS, 1000), 2, 0);
	for (int i = 0; steps_of[1] + steps_of[2] < 400 && i < PATIENCE_S * 1000; i++)
		usleep(1000);
	is_over = true;
	until(&freed, 4);
	assert_in_range(steps_of[2] * 100 / (steps_of[1] + steps_of[2]), 25, 75);
	assert_true(kv_sched_stop(&sched));
}

static void a_users_cpu_time_is_limited_and_the_hosts_is_not(void **state)
{
	struct timespec began, now;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &began);
	begin(2, 4, 10);
	submit_apart(of_steps(ENDLESS, 1000), 1, 0);
	for (int i = 0; steps_of[1] < BURST && i < PATIENCE_S * 1000; i++)
		usleep(1000);
	submit_apart(of_steps(ENDLESS, 1000), HOST, 0);
	usleep(1000000);
	is_over = true;
	until(&freed, 2);
	clock_gettime(CLOCK_MONOTONIC, &now);
	/* A tenth in all that time, and one piece; a step takes a ms. */
	assert_in_range(steps_of[1], BURST,
			BURST + 100 + (unsigned int)(now.tv_sec - began.tv_sec + 1) * 100);
	assert_true(kv_sched_stop(&sched));
}

static void what_was_interrupted_is_given_up_only_where_it_gets_nowhere(void **state)
{
	struct work *waits, *is_stuck, *gets_on;
	int gate[2];

	(void)state;
	assert_int_equal(pipe(gate), 0);
	begin(2, 1, 0);
	submit_apart(stuck_at(gate[0]), 1, 0);
	until(&stuck_now, 1);
	waits = submit(stuck_at(gate[0]), 1, 0); /* its lane is full */
	kv_sched_interrupt(&waits->job);
	until(&freed, 1);
	assert_int_equal(given_up, 1);
	assert_int_equal(ran, 0);
	/* With its thread: it is freed when that comes back. */
	is_stuck = submit_apart(stuck_at(gate[0]), 2, 0);
	until(&stuck_now, 2);
	kv_sched_interrupt(&is_stuck->job);
	until(&given_up, 2);
	assert_int_equal(freed, 1);
	open_gate(gate[1], 2);
	until(&freed, 3);
	gets_on = submit_apart(of_steps(ENDLESS, 100), 3, 0);
	for (int i = 0; steps_of[3] < 10 && i < PATIENCE_S * 1000; i++)
		usleep(1000);
	kv_sched_interrupt(&gets_on->job);
	for (int i = 0; steps_of[3] < 2000 && i < PATIENCE_S * 1000; i++)
		usleep(1000);
	is_over = true;
	until(&freed, 4);
	assert_int_equal(given_up, 2);
	assert_true(kv_sched_stop(&sched));
	close(gate[0]);
	close(gate[1]);
}

static void the_end_waits_for_those_that_get_on_and_not_for_others(void **state)
{
	int gate[2];

	(void)state;
	assert_int_equal(pipe(gate), 0);
	end_ms = 10;
	begin(2, 1, 0);
	submit_apart(stuck_at(gate[0]), 1, 0);
	until(&stuck_now, 1);
	submit(of_steps(1, 10), 1, 0); /* behind it: forgotten */
	assert_false(kv_sched_stop(&sched));
	assert_int_equal(freed, 1);
	assert_int_equal(ran, 0);
	open_gate(gate[1], 1);
	until(&freed, 2);
	close(gate[0]);
	close(gate[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_done_once),
		cmocka_unit_test(what_is_stuck_keeps_no_slot),
		cmocka_unit_test(a_lane_has_so_many_stuck_ones_and_the_next_has_its_own),
		cmocka_unit_test(long_jobs_give_way_to_short_ones),
		cmocka_unit_test(users_have_even_shares_whatever_they_ask_for),
		cmocka_unit_test(a_users_cpu_time_is_limited_and_the_hosts_is_not),
		cmocka_unit_test(what_was_interrupted_is_given_up_only_where_it_gets_nowhere),
		cmocka_unit_test(the_end_waits_for_those_that_get_on_and_not_for_others),
	};

	return cmocka_run_group_tests_name("scheduler", tests, NULL, NULL);
}
