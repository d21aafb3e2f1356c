// SPDX-License-Identifier: GPL-2.0-only
/* Turns: who waits no longer, and very many who wait. */
#include "turn_numbers.h"

/* --- leaving --- */

/* Numbers 1 to 4 wait behind 0, without the one that has left; 5 comes behind them. */
static void check_without(int gone)
{
	uid_t uid = 1;

	begin(1, 1);
	has(0, uid);
	for (int i = 1; i <= 4; i++)
		waits(i, 10 + (uid_t)i);
	leaves(gone);
	expect_counts(1, 3);
	waits(5, 15);
	for (int i = 1; i <= 5; i++) {
		if (i == gone)
			continue;
		passes_to(uid, i);
		uid = turn[i].uid;
	}
	passes_to(uid, -1);
	end(0);
}

static void one_leaves_from_the_first_place(void **state)
{
	(void)state;
	check_without(1);
}

static void one_leaves_from_the_middle(void **state)
{
	(void)state;
	check_without(2);
	check_without(3);
}

static void one_leaves_from_the_last_place(void **state)
{
	(void)state;
	check_without(4);
}

static void the_only_one_leaves_and_comes_again(void **state)
{
	(void)state;
	begin(1, 1);
	has(0, 1);
	for (int i = 0; i < 100; i++) {
		waits(1, 2);
		leaves(1);
		expect_counts(1, 0);
	}
	waits(1, 2);
	waits(2, 3);
	passes_to(1, 1);
	passes_to(2, 2);
	end(0);
}

static void all_leave(void **state)
{
	static const int order[] = {3, 1, 5, 4, 2};

	(void)state;
	begin(1, 1);
	has(0, 1);
	for (int round = 0; round < 2; round++) {
		for (int i = 1; i <= 5; i++)
			waits(i, 1);
		for (size_t i = 0; i < ARRAY_SIZE(order); i++)
			leaves(order[i]);
		expect_counts(1, 0);
	}
	passes_to(1, -1);
	end(0);
}

static void who_has_a_turn_does_not_leave(void **state)
{
	(void)state;
	begin(1, 1);
	has(0, 1);
	waits(1, 1);
	assert_false(kv_turns_leave(&turns, &turn[0]));
	expect_counts(1, 1);
	passes_to(1, 1);
	assert_false(kv_turns_leave(&turns, &turn[1]));
	expect_counts(1, 0);
	end(0);
}

static void who_never_came_does_not_leave(void **state)
{
	(void)state;
	begin(1, 1);
	assert_false(kv_turns_leave(&turns, &turn[0]));
	has(0, 1);
	waits(1, 1);
	assert_false(kv_turns_leave(&turns, &turn[2]));
	expect_counts(1, 1);
	end(1);
}

/* Given a turn from the first place, the middle and the last: the next comer is behind all. */
static void the_last_place_is_where_it_should_be(void **state)
{
	(void)state;
	begin(1, 3);
	has(0, 1);
	has(1, 2);
	has(2, 3);
	waits(3, 1);
	waits(4, 2);
	waits(5, 3);
	passes_to(3, 5); /* the last */
	waits(6, 3);
	passes_to(2, 4); /* the middle */
	waits(7, 2);
	passes_to(1, 3); /* the first */
	waits(8, 1);
	expect_counts(3, 3);
	leaves(8);
	waits(9, 9);
	passes_to(3, 6);
	passes_to(3, 9);
	passes_to(2, 7);
	expect_counts(3, 0);
	end(0);
}

/* --- the end --- */

static void the_end_forgets_who_waits_and_nobody_else(void **state)
{
	(void)state;
	begin(1, 1);
	has(0, 1);
	has(1, HOST);
	for (int i = 2; i < 7; i++)
		waits(i, (uid_t)i % 3);
	leaves(4);
	end(4);
	assert_ptr_equal(forgotten[0], &turn[2]);
	assert_ptr_equal(forgotten[1], &turn[3]);
	assert_ptr_equal(forgotten[2], &turn[5]);
	assert_ptr_equal(forgotten[3], &turn[6]);
}

/* --- many --- */

static void ten_thousand_of_one_user_wait(void **state)
{
	(void)state;
	begin(1, 40);
	has(0, 1);
	for (int i = 1; i < MANY; i++)
		waits(i, 1);
	expect_counts(1, MANY - 1);
	has(MANY, 2); /* whoever it is, others have their turns */
	passes_to(2, -1);
	has(MANY, HOST);
	for (int i = 1; i < MANY; i++)
		passes_to(1, i);
	passes_to(1, -1);
	expect_counts(1, 0);
	end(0);
}

static void ten_thousand_users_wait(void **state)
{
	(void)state;
	begin(16, 1);
	has(0, 10);
	for (int i = 1; i < MANY; i++)
		waits(i, 10 + (uid_t)i);
	expect_counts(1, MANY - 1);
	assert_true(turns.users.n <= 2); /* who has no turn has no entry */
	for (int i = 1; i < MANY; i++)
		passes_to(9 + (uid_t)i, i);
	assert_true(turns.users.n <= 2);
	end(0);
}

static void behind_ten_thousand_one_is_found(void **state)
{
	(void)state;
	begin(1, 2);
	has(MANY, 1);
	has(MANY + 1, 2);
	for (int i = 0; i < MANY - 1; i++)
		waits(i, 1);
	waits(MANY - 1, 3);
	passes_to(2, MANY - 1);
	waits(MANY - 1, 5);
	passes_to(1, 0);
	passes_to(3, MANY - 1);
	end(MANY - 2);
}

static void ten_thousand_leave(void **state)
{
	(void)state;
	begin(1, 1);
	has(MANY, 1);
	for (int i = 0; i < MANY; i++)
		waits(i, 10 + (uid_t)i % 100);
	/* a step that is prime to them reaches all, in disorder */
	for (int i = 0; i < MANY - 1; i++)
		assert_true(kv_turns_leave(&turns, &turn[i * 3331 % MANY]));
	expect_counts(1, 1);
	passes_to(1, (MANY - 1) * 3331 % MANY);
	end(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_leaves_from_the_first_place),
		cmocka_unit_test(one_leaves_from_the_middle),
		cmocka_unit_test(one_leaves_from_the_last_place),
		cmocka_unit_test(the_only_one_leaves_and_comes_again),
		cmocka_unit_test(all_leave),
		cmocka_unit_test(who_has_a_turn_does_not_leave),
		cmocka_unit_test(who_never_came_does_not_leave),
		cmocka_unit_test(the_last_place_is_where_it_should_be),
		cmocka_unit_test(the_end_forgets_who_waits_and_nobody_else),
		cmocka_unit_test(ten_thousand_of_one_user_wait),
		cmocka_unit_test(ten_thousand_users_wait),
		cmocka_unit_test(behind_ten_thousand_one_is_found),
		cmocka_unit_test(ten_thousand_leave),
	};

	return cmocka_run_group_tests_name("turns and leaving", tests, NULL, NULL);
}
