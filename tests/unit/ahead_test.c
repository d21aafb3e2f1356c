// SPDX-License-Identifier: GPL-2.0-only
/* How far the kernel may walk ahead, by what else there is to do. */
#include "fuse/ahead.h"
#include "iter/run.h"
#include "unit.h"

static unsigned int max_of(unsigned int files, unsigned int reads, unsigned int walks,
			   unsigned int cpus)
{
	const struct kv_at_work w = {files, reads, walks, cpus};

	return kv_ahead_max(&w);
}

static bool goes_on(unsigned int reads, unsigned int walks, unsigned int cpus)
{
	const struct kv_at_work w = {1, reads, walks, cpus};

	return kv_ahead_goes_on(&w);
}

static void the_only_dump_is_walked_far_ahead_of(void **state)
{
	(void)state;
	assert_int_equal(max_of(1, 0, 1, 2), KV_AHEAD_MAX);
	assert_int_equal(max_of(4, 0, 1, 2), KV_AHEAD_MAX);
	assert_true(goes_on(0, 1, 2));
	assert_true(goes_on(1, 1, 2)); /* its own reader's */
}

static void where_others_are_at_work_one_buffer_is_all(void **state)
{
	(void)state;
	assert_int_equal(max_of(2, 1, 1, 2), 1);
	assert_int_equal(max_of(2, 0, 2, 2), 1);
	assert_false(goes_on(2, 1, 2));
	assert_false(goes_on(1, 2, 2));
}

static void one_cpu_is_for_one_buffer(void **state)
{
	(void)state;
	assert_int_equal(max_of(1, 0, 1, 1), 1);
	assert_false(goes_on(1, 1, 1));
}

static void more_cpus_are_for_more_dumps(void **state)
{
	(void)state;
	assert_int_equal(max_of(4, 3, 4, 8), KV_AHEAD_MAX);
	assert_int_equal(max_of(4, 4, 4, 8), 1);
	assert_true(goes_on(4, 4, 8));
	assert_false(goes_on(5, 4, 8));
}

static void many_files_or_walks_leave_no_room_for_it(void **state)
{
	(void)state;
	assert_int_equal(max_of(5, 0, 1, 64), 0);
	assert_int_equal(max_of(4, 0, 5, 64), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_only_dump_is_walked_far_ahead_of),
		cmocka_unit_test(where_others_are_at_work_one_buffer_is_all),
		cmocka_unit_test(one_cpu_is_for_one_buffer),
		cmocka_unit_test(more_cpus_are_for_more_dumps),
		cmocka_unit_test(many_files_or_walks_leave_no_room_for_it),
	};

	return cmocka_run_group_tests_name("ahead", tests, NULL, NULL);
}
