// SPDX-License-Identifier: GPL-2.0-only
/* Threads that change, end or are refused between a walk's stop and its going on. */
#include "threads_world.h"

static void end_every_third(void)
{
	size_t n = 0;

	for (size_t i = 0; i < world.n; i++)
		if (i % 3)
			world.list[n++] = world.list[i];
	world.n = n;
	world.on_list = NULL;
}

/* Behind a dead leader that had files: the others have one each. */
static void threads_that_end_cost_their_own_rows_alone(void **state)
{
	struct kv_err err;

	(void)state;
	add(1000, 0, 0);
	for (uint32_t t = 1; t <= 40; t++)
		for (int i = 0; i < 40; i++)
			add(1000, 100, 250);
	for (uint32_t t = 1; t <= 60; t++)
		add(1000, t, 5);
	world.on_list = end_every_third;
	assert_int_equal(drain(0, &err), 0);
	for (size_t i = 0; i < world.n; i++)
		for (uint32_t j = 0; world.list[i].table < 100 && j < world.list[i].rows; j++)
			assert_int_equal(seen[world.list[i].table][j], 1);
}

/* --- who shows a table ends, and others still have it --- */

static unsigned int lists;

static void count_lists(void)
{
	lists++;
}

/* Of those that are left, and were not shown before. */
static void remove_beings(bool (*is_gone)(const struct being *b))
{
	size_t n = 0;

	lists++;
	for (size_t i = 0; i < world.n; i++)
		if (!is_gone(&world.list[i]))
			world.list[n++] = world.list[i];
	world.n = n;
	world.on_list = count_lists;
}

static bool is_lower_of_two(const struct being *b)
{
	return b->tid > 1000 && b->tid <= 1000 + 501;
}

static void end_lower_of_two(void)
{
	remove_beings(is_lower_of_two);
}

static void a_table_whose_thread_has_ended_is_shown_by_another(void **state)
{
	struct kv_err err;

	(void)state;
	lists = 0;
	add(1000, 0, 0);
	add_pairs(1000, 500, 1, 5);
	world.on_list = end_lower_of_two;
	assert_int_equal(drain(0, &err), 0);
	assert_int_equal(lists, 1);
	all_came_once(0);
	assert_int_equal(nseen, 500 * 5);
}

static void end_leaders(void)
{
	lists++;
	for (size_t i = 0; i < world.n; i++)
		if (world.list[i].tid == world.list[i].tgid)
			world.list[i].table = 0;
	world.on_list = count_lists;
}

static bool is_leader(const struct being *b)
{
	return b->tid == b->tgid;
}

static void remove_leaders(void)
{
	remove_beings(is_leader);
}

/* Behind one process that makes the walk stop there are others whose threads share. */
static void lose_leaders(void (*lose)(void))
{
	struct kv_err err;

	lists = 0;
	add(1000, 0, 0);
	add_pairs(1000, 500, 1, 5);
	for (uint32_t p = 0; p < 20; p++) {
		add(5000 + 100 * p, 600 + p, 50);
		add(5000 + 100 * p, 600 + p, 50);
		add(5000 + 100 * p, 600 + p, 50);
	}
	add(9000, 700, 5); /* nobody shares: it goes with its leader */
	world.on_list = lose;
	assert_int_equal(drain(0, &err), 0);
	for (uint32_t t = 1; t <= 500; t++)
		assert_int_equal(seen[t][0], 1);
	for (uint32_t t = 600; t < 620; t++)
		for (uint32_t j = 0; j < 50; j++)
			assert_int_equal(seen[t][j], 1);
	assert_int_equal(seen[700][0], 0);
}

static void a_table_whose_leader_has_exited_is_shown_by_another(void **state)
{
	(void)state;
	lose_leaders(end_leaders);
	assert_int_equal(lists, 1);
}

static void or_by_one_of_a_process_whose_leader_is_not_found(void **state)
{
	(void)state;
	lose_leaders(remove_leaders);
}

static bool has_table_of_its_own(const struct being *b)
{
	return b->tgid == 5000 && b->tid != b->tgid;
}

static void end_those_with_tables_of_their_own(void)
{
	remove_beings(has_table_of_its_own);
}

/* Thousands of which nobody else has anything: to ask for each would take for ever. */
static void who_ends_with_what_was_its_own_costs_nothing(void **state)
{
	struct kv_err err;

	(void)state;
	lists = 0;
	add(1000, 0, 0);
	add_pairs(1000, 500, 1, 5);
	add(5000, 600, 5);
	for (uint32_t i = 0; i < 2000; i++)
		add(5000, 700 + i, 1);
	world.on_list = end_those_with_tables_of_their_own;
	assert_int_equal(drain(0, &err), 0);
	assert_int_equal(lists, 1);
	all_came_once(0);
}

/* --- and who is another by then --- */

/* Numbers of those that have ended go to threads with tables that others show. */
static void number_others(void)
{
	for (size_t i = world.n - 30; i < world.n; i++) {
		world.list[i].table = 100;
		world.list[i].rows = 250;
		world.list[i].start = world.now + 1;
	}
	world.on_list = NULL;
}

static void a_later_thread_of_a_number_is_not_shown(void **state)
{
	struct kv_err err;

	(void)state;
	add(1000, 0, 0);
	for (int i = 0; i < 100; i++)
		add(1000, 100, 250);
	for (uint32_t t = 1; t <= 60; t++)
		add(1000, t, 5);
	world.on_list = number_others;
	assert_int_equal(drain(0, &err), 0);
	for (uint32_t j = 0; j < 250; j++)
		assert_int_equal(seen[100][j], 1);
	assert_int_equal(nseen, 250 + 30 * 5);
}

/* The leader gets a table of its own: all that shared it are asked for from now on. */
static void part_with_leader(void)
{
	world.list[0].table = 99;
	world.on_list = NULL;
}

static void who_was_not_listed_is_not_shown(void **state)
{
	struct kv_err err;

	(void)state;
	add(1000, 98, 5);
	for (uint32_t i = 0; i < 900; i++) {
		add(1000, 98, 5);
		add(1000, 100 + i % 300, 5);
	}
	world.on_list = part_with_leader;
	assert_int_equal(drain(0, &err), 0);
	assert_int_equal(nseen, 301 * 5);
}

/* And so many of them that the walk goes on from one thread to the next. */
static void who_was_not_listed_does_not_bring_back_the_others(void **state)
{
	struct kv_err err;

	(void)state;
	add(1000, 98, 250);
	for (uint32_t i = 0; i < 1200; i++) {
		if (i > 600)
			add(1000, 98, 250);
		add(1000, i < 600 ? 100 + i % 300 : 500 + i, 5);
	}
	world.on_list = part_with_leader;
	assert_int_equal(drain(0, &err), 0);
	assert_int_equal(nseen, 250 + 300 * 5 + 600 * 5);
}

static void what_processes_share_is_shown_by_each(void **state)
{
	struct kv_err err;

	(void)state;
	for (uint32_t p = 1; p <= 2; p++) {
		add(p * 10000, 0, 0);
		add_pairs(p * 10000, 300, 1 + 299 * (p - 1), 5);
	}
	assert_int_equal(drain(0, &err), 0);
	assert_int_equal(nseen, 2 * 300 * 5);
}

/* Threads without rows, as those that a reader may not look into. */
static void of_many_threads_without_rows_one_is_asked_now_and_then(void **state)
{
	(void)state;
	add_crowd(1000, 1, 250);
	for (uint32_t p = 0; p < 2500; p++)
		add(5000 + p, 2 + p, 0);
	walk_all(0);
	assert_in_range(asked, 2500 / 512, 100);
}

/* --- failures --- */

static void lose_the_next(void)
{
	for (size_t i = 0; i < world.n; i++)
		if (world.list[i].nr == world.reading.progress.stopped_at)
			memmove(&world.list[i], &world.list[i + 1],
				(--world.n - i) * sizeof(world.list[0]));
	world.on_stop = NULL;
}

static void a_process_that_has_lost_the_next_thread_is_an_error(void **state)
{
	const uint32_t pid = (uint32_t)getpid();
	struct kv_err err;

	(void)state;
	add(pid, 0, 0);
	add_pairs(pid, 500, 1, 5);
	world.on_stop = lose_the_next;
	assert_int_equal(drain(pid, &err), -EIO);
	assert_says(&err, "the thread to read next has ended");
	assert_hints(&err, "again");
}

/* Of the third table a half comes with all of the second, then its thread ends. */
static int end_amid_rows(uint32_t pid, struct kv_err *err)
{
	struct kv_run *run;
	const void *record;
	uint32_t len;
	int rc;

	add(pid, 0, 0);
	for (uint32_t i = 0; i < 2000; i++)
		add(pid, 1 + i / 500, 250);
	run = start(pid);
	for (nseen = 0; (rc = kv_run_next(run, &record, &len, err)) > 0; nseen++)
		if (nseen == 510)
			world.list[1 + 2 * 500].table = 0;
	kv_run_free(run);
	return rc;
}

static void a_process_that_has_lost_a_thread_amid_its_rows_is_an_error(void **state)
{
	struct kv_err err = {0};

	(void)state;
	assert_int_equal(end_amid_rows((uint32_t)getpid(), &err), -EIO);
	assert_says(&err, "the thread to read next has ended");
	assert_in_range(nseen, 510, 750);
}

static void an_iterator_that_cannot_be_made_is_an_error(void **state)
{
	struct kv_err err;

	(void)state;
	world.common = KV_COMMON_MM;
	for (int i = 0; i < 1000; i++)
		add(1000, 1, 250);
	add(5000, 3, 10);
	world.fail = -EMFILE;
	assert_int_equal(drain(0, &err), -EMFILE);
	assert_says(&err, "can't read view 'fake'");
	assert_int_equal(nseen, 250);
}

static void nothing_stays_open(void **state)
{
	int before = open_fds();
	const void *record;
	struct kv_run *run;
	struct kv_err err;
	uint32_t len;

	(void)state;
	world.common = KV_COMMON_MM;
	for (int i = 0; i < 1000; i++)
		add(1000, i ? 1 : 0, 250);
	for (uint32_t p = 0; p < 20; p++)
		add(5000 + p, 10 + p, 250);
	run = start(0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(kv_run_next(run, &record, &len, &err), 1);
	assert_int_equal(open_fds(), before + 1);
	kv_run_free(run);
	assert_int_equal(open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_process_that_has_lost_the_next_thread_is_an_error),
		IN_WORLD(a_process_that_has_lost_a_thread_amid_its_rows_is_an_error),
		IN_WORLD(threads_that_end_cost_their_own_rows_alone),
		IN_WORLD(a_table_whose_thread_has_ended_is_shown_by_another),
		IN_WORLD(a_table_whose_leader_has_exited_is_shown_by_another),
		IN_WORLD(or_by_one_of_a_process_whose_leader_is_not_found),
		IN_WORLD(who_ends_with_what_was_its_own_costs_nothing),
		IN_WORLD(a_later_thread_of_a_number_is_not_shown),
		IN_WORLD(who_was_not_listed_is_not_shown),
		IN_WORLD(who_was_not_listed_does_not_bring_back_the_others),
		IN_WORLD(what_processes_share_is_shown_by_each),
		IN_WORLD(of_many_threads_without_rows_one_is_asked_now_and_then),
		IN_WORLD(an_iterator_that_cannot_be_made_is_an_error),
		IN_WORLD(nothing_stays_open),
	};

	return cmocka_run_group_tests_name("threads that change", tests, NULL, NULL);
}
