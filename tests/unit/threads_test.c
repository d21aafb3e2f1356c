// SPDX-License-Identifier: GPL-2.0-only
/* Walks that go on by a list of threads: each table comes once, at a bounded price. */
#include "threads_world.h"

/* By noise: who shares with whom, and how much there is. */
static void add_any(uint32_t tgid, uint32_t n, uint32_t *table)
{
	const uint32_t first = *table, groups = 1 + (uint32_t)(noise(&seed) % n);

	add(tgid, noise(&seed) % 3 ? first : 0, 3); /* a leader, or one that has exited */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t t = first + (uint32_t)(noise(&seed) % groups);

		add(tgid, noise(&seed) % 20 ? t : 0, 3 + t % 5);
	}
	for (size_t i = 0; i < world.n; i++) /* who shares a table has as many rows of it */
		if (world.list[i].table >= first)
			world.list[i].rows = 3 + world.list[i].table % 5;
	*table += groups;
}

static int by_nr(const void *a, const void *b)
{
	return ((const struct being *)a)->nr - ((const struct being *)b)->nr;
}

static void swap(struct being *a, struct being *b)
{
	struct being c = *a;

	*a = *b;
	*b = c;
}

/* Numbers that say nothing of who came first, as in a nested pid namespace. */
static void number_anew(void)
{
	for (size_t i = world.n - 1; i > 0; i--)
		swap(&world.list[i], &world.list[noise(&seed) % (i + 1)]);
	for (size_t i = 0; i < world.n; i++)
		world.list[i].nr = (int)i + 1;
}

/* --- whole walks --- */

static void a_walk_that_repeats_nothing_is_the_kernels_own(void **state)
{
	(void)state;
	for (uint32_t p = 1; p <= 200; p++)
		for (uint32_t t = 0; t < 3; t++)
			add(p * 1000, p, 20);
	walk_all(0);
	assert_int_equal(world.opens, 1);
	assert_in_range(world.calls, 200 * 20, 200 * 20 + 100); /* again where a read ended */
}

static void tables_of_ones_own_take_no_looks(void **state)
{
	(void)state;
	for (uint32_t t = 1; t <= 3000; t++)
		add(1000, t, 5);
	walk_all(0);
	assert_int_equal(world.opens, 1);
	assert_int_equal(world.looks, 0);
}

static void tables_shared_by_twos_take_few_looks(void **state)
{
	(void)state;
	add(1000, 0, 0);
	add_pairs(1000, 1500, 1, 5);
	walk_all(0);
	assert_in_range(world.looks, 1, 8192 + 1500);
	assert_in_range(world.calls, 1500 * 5, 2 * 1500 * 5);
	assert_in_range(world.opens, 2, 2 + 2 * 1500); /* a link and an iterator each */
}

static void a_table_of_many_threads_behind_a_dead_leader_is_read_once(void **state)
{
	(void)state;
	add(1000, 0, 0);
	for (int i = 0; i < 3000; i++)
		add(1000, 1, 200);
	add(5000, 2, 10);
	walk_all(0);
	assert_in_range(world.calls, 210, 2 * 8192 + 1000);
}

static void mappings_are_asked_for_once(void **state)
{
	(void)state;
	world.common = KV_COMMON_MM;
	for (int i = 0; i < 1000; i++)
		add(1000, 1, 250);
	for (int i = 0; i < 1000; i++)
		add(3000, i ? 2 : 0, 250);
	add(5000, 3, 10);
	walk_all(0);
	assert_in_range(world.calls, 510, 8192 + 2000);
}

static void any_arrangement_in_any_order_comes_once(void **state)
{
	uint32_t table = 1;

	(void)state;
	for (uint32_t p = 1; p <= 30; p++)
		add_any(p * 10000, 1 + (uint32_t)(noise(&seed) % 130), &table);
	number_anew();
	walk_all(0);
	assert_true(world.opens > 1);
}

static void many_arrangements_come_once(void **state)
{
	unsigned int listed = 0;

	for (uint64_t i = 1; i <= 300; i++) {
		uint32_t table = 1;

		reset(state);
		seed = i * 7919;
		add_any(10000, 10 + (uint32_t)(noise(&seed) % 600), &table);
		add_any(30000, 1 + (uint32_t)(noise(&seed) % 200), &table);
		if (i % 2)
			number_anew();
		else
			qsort(world.list, world.n, sizeof(world.list[0]), by_nr);
		walk_all(0);
		listed += world.opens > 1;
	}
	assert_in_range(listed, 100, 299);
}

/* --- one process --- */

static void in_one_process_the_place_counts_and_no_number(void **state)
{
	const uint32_t pid = (uint32_t)getpid();

	for (uint64_t i = 1; i <= 100; i++) {
		uint32_t table = 1;

		reset(state);
		seed = i * 104729;
		add_any(pid, 300 + (uint32_t)(noise(&seed) % 600), &table);
		for (size_t j = world.n - 1; j > 1; j--) /* the leader comes first */
			swap(&world.list[j], &world.list[1 + noise(&seed) % j]);
		add_any(pid + 1, 100, &table);
		walk_all(pid);
	}
}

static void in_one_process_no_other_one_is_shown(void **state)
{
	const uint32_t pid = (uint32_t)getpid();

	(void)state;
	add_crowd(pid, 1, 250);
	add(pid + 5000, 2, 250);
	walk_all(pid);
	assert_int_equal(nseen, 250);
}

/* The second thread has the lowest number of those with its table, and is left out. */
static void where_the_kernel_leaves_out_threads_of_a_process_all_come(void **state)
{
	const uint32_t pid = (uint32_t)getpid();

	for (uint64_t i = 1; i <= 60; i++) {
		uint32_t table = 1;

		reset(state);
		seed = i * 6151;
		world.skips = true;
		host.self.walk_skips = 1;
		world.common = i % 2 ? KV_COMMON_FILES : KV_COMMON_MM;
		strcpy(view.kind, i % 2 ? "task_file" : "task_vma");
		if (i % 2) {
			add_any(pid, 1 + (uint32_t)(noise(&seed) % 300), &table);
		} else {
			add(pid, i % 4 ? 0 : 1, 9);
			for (uint64_t t = 0; t < i; t++)
				add(pid, 1, 9);
		}
		walk_all(pid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_walk_that_repeats_nothing_is_the_kernels_own),
		IN_WORLD(tables_of_ones_own_take_no_looks),
		IN_WORLD(tables_shared_by_twos_take_few_looks),
		IN_WORLD(a_table_of_many_threads_behind_a_dead_leader_is_read_once),
		IN_WORLD(mappings_are_asked_for_once),
		IN_WORLD(any_arrangement_in_any_order_comes_once),
		IN_WORLD(many_arrangements_come_once),
		IN_WORLD(in_one_process_the_place_counts_and_no_number),
		IN_WORLD(in_one_process_no_other_one_is_shown),
		IN_WORLD(where_the_kernel_leaves_out_threads_of_a_process_all_come),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
