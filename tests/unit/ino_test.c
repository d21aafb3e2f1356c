// SPDX-License-Identifier: GPL-2.0-only
/* Processes in names and in inode numbers, one told from another. */
#include "fuse/fs/tree.h"
#include "unit.h"

#define BEGAN UINT64_C(123456789012345) /* ns after boot */
#define TICK 1024u			/* ns: what is kept of a start */

/* --- names --- */

static void proper_numbers_are_processes(void **state)
{
	static const pid_t pids[] = {1, 9, 10, 42, 99999, 4194302, 4194303};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", (int)pids[i]);
		assert_int_equal(kv_tree_pid(name), pids[i]);
	}
}

/* Linux gives no number from 4194304 on; the longest are beyond what a type holds. */
static void only_proper_numbers_are_processes(void **state)
{
	static const char *const names[] = {
		"",
		"self",
		"0",
		"00",
		"01",
		"-1",
		"+1",
		"1 ",
		" 1",
		"1x",
		"x1",
		"0x1",
		"1.",
		"1/2",
		".",
		"1\n2",
		"\xd9\xa1",
		"4194304",
		"41943030",
		"99999999",
		"2147483649",
		"4294967297",
		"18446744073709551617",
		"99999999999999999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (kv_tree_pid(names[i]))
			fail_msg("'%s' is taken for a process", names[i]);
}

/* --- numbers --- */

static void a_later_process_of_the_same_number_is_another(void **state)
{
	(void)state;
	assert_true(kv_who(7, BEGAN) == kv_who(7, BEGAN));
	assert_true(kv_who(7, BEGAN) != kv_who(7, BEGAN + TICK));
	assert_true(kv_who(7, BEGAN) != kv_who(7, BEGAN + 1000000));
	assert_true(kv_who(7, BEGAN) != kv_who(7, BEGAN + UINT64_C(60000000000)));
	assert_true(kv_who(7, 0) != kv_who(7, BEGAN));
}

static void processes_of_one_start_are_told_by_their_number(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < KV_PID_BITS; bit++)
		assert_true(kv_who(0, BEGAN) != kv_who(1 << bit, BEGAN));
	assert_true(kv_who(4194303, BEGAN) != kv_who(4194302, BEGAN));
}

/* Each bit of the start that is kept, and no other. */
static void starts_are_told_apart_for_a_minute(void **state)
{
	const uint64_t began = BEGAN & ~UINT64_C(1023);

	(void)state;
	for (unsigned int bit = 0; bit < 10; bit++)
		assert_int_equal(kv_who(7, began), kv_who(7, began | 1u << bit));
	for (unsigned int bit = 10; bit < 36; bit++)
		assert_true(kv_who(7, 0) != kv_who(7, UINT64_C(1) << bit));
	for (unsigned int bit = 36; bit < 64; bit++)
		assert_int_equal(kv_who(7, 0), kv_who(7, UINT64_C(1) << bit));
}

static void a_process_fits_into_a_number_with_any_node(void **state)
{
	static const pid_t pids[] = {1, 4194303};
	static const uint64_t starts[] = {0, BEGAN, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		for (size_t j = 0; j < ARRAY_SIZE(starts); j++) {
			uint64_t who = kv_who(pids[i], starts[j]);

			assert_true(who != 0 && who >> 48 == 0);
			assert_int_equal(kv_ino_who(kv_ino(who, 0xffff)), who);
			assert_int_equal(kv_ino_index(kv_ino(who, 0xffff)), 0xffff);
			assert_int_equal(kv_ino_pid(kv_ino(who, 0xffff)), pids[i]);
		}
}

static void a_number_without_a_process_is_its_node(void **state)
{
	(void)state;
	assert_int_equal(kv_ino(0, 5), 5);
	assert_int_equal(kv_ino_who(5), 0);
	assert_int_equal(kv_ino_pid(5), 0);
	assert_int_equal(kv_ino_index(5), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proper_numbers_are_processes),
		cmocka_unit_test(only_proper_numbers_are_processes),
		cmocka_unit_test(a_later_process_of_the_same_number_is_another),
		cmocka_unit_test(processes_of_one_start_are_told_by_their_number),
		cmocka_unit_test(starts_are_told_apart_for_a_minute),
		cmocka_unit_test(a_process_fits_into_a_number_with_any_node),
		cmocka_unit_test(a_number_without_a_process_is_its_node),
	};

	return cmocka_run_group_tests_name("ino", tests, NULL, NULL);
}
