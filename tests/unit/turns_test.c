// SPDX-License-Identifier: GPL-2.0-only
/* Turns: who has one, who waits, and who is next. */
#include "turn_numbers.h"

/* --- limits --- */

static void nobody_is_there_at_first(void **state)
{
	(void)state;
	begin(1, 1);
	expect_counts(0, 0);
	end(0);
}

static void one_user_has_so_many_turns(void **state)
{
	(void)state;
	begin(3, 100);
	has(0, 1);
	has(1, 1);
	has(2, 1);
	waits(3, 1);
	waits(4, 1);
	expect_counts(3, 2);
	end(2);
}

static void a_user_at_the_limit_leaves_others_theirs(void **state)
{
	(void)state;
	begin(2, 100);
	for (uid_t uid = 10; uid < 20; uid++) {
		has((int)uid * 3, uid);
		has((int)uid * 3 + 1, uid);
		waits((int)uid * 3 + 2, uid);
	}
	expect_counts(20, 10);
	end(10);
}

static void all_others_together_have_so_many(void **state)
{
	(void)state;
	begin(2, 3);
	has(0, 1);
	has(1, 1);
	has(2, 2);
	waits(3, 2);
	waits(4, 3);
	expect_counts(3, 2);
	end(2);
}

static void the_mounting_user_has_turns_whatever_others_do(void **state)
{
	(void)state;
	begin(2, 1);
	has(0, 1);
	waits(1, 2);
	has(2, HOST);
	has(3, HOST);
	waits(4, HOST); /* it may have as many as each */
	expect_counts(3, 2);
	end(2);
}

/* Its turns are not among those of all others. */
static void the_mounting_user_takes_no_turns_from_others(void **state)
{
	(void)state;
	begin(2, 3);
	has(0, HOST);
	has(1, HOST);
	has(2, 1);
	has(3, 1);
	has(4, 2);
	waits(5, 3);
	expect_counts(5, 1);
	end(1);
}

static void root_is_as_all_others_unless_it_mounted(void **state)
{
	(void)state;
	begin(5, 2);
	has(0, 0);
	has(1, 1);
	waits(2, 0);
	end(1);
}

/* --- who is next --- */

static void with_nobody_waiting_nobody_is_next(void **state)
{
	(void)state;
	begin(2, 2);
	has(0, 1);
	has(1, HOST);
	passes_to(1, -1);
	expect_counts(1, 0);
	passes_to(HOST, -1);
	expect_counts(0, 0);
	end(0);
}

static void who_waits_is_next_in_the_order_of_coming(void **state)
{
	(void)state;
	begin(1, 1);
	has(0, 1);
	for (int i = 1; i <= 5; i++)
		waits(i, 10 + (uid_t)i % 3);
	passes_to(1, 1);
	for (int i = 1; i < 5; i++)
		passes_to(10 + (uid_t)i % 3, i + 1);
	expect_counts(1, 0);
	passes_to(12, -1);
	expect_counts(0, 0);
	end(0);
}

static void a_turn_that_is_over_can_be_had_again(void **state)
{
	(void)state;
	begin(1, 1);
	for (uid_t uid = 1; uid < 1000; uid++) {
		has(0, uid);
		waits(1, uid);
		passes_to(uid, 1);
		passes_to(uid, -1);
	}
	expect_counts(0, 0);
	end(0);
}

static void a_user_at_the_limit_does_not_block_those_behind(void **state)
{
	(void)state;
	begin(1, 2);
	has(0, 1);
	has(1, 2);
	waits(2, 1);
	waits(3, 1);
	waits(4, 3);
	waits(5, 4 + HOST);
	passes_to(2, 4); /* user 1 has what one may have */
	passes_to(1, 2);
	passes_to(3, 5);
	passes_to(4 + HOST, -1);
	passes_to(1, 3);
	expect_counts(1, 0);
	end(0);
}

/* It has waited longest, and has its turn as soon as it may. */
static void who_was_passed_over_keeps_its_place(void **state)
{
	(void)state;
	begin(1, 2);
	has(0, 1);
	has(1, 2);
	waits(2, 1);
	waits(3, 2);
	waits(4, 3);
	passes_to(2, 3);
	passes_to(1, 2);
	passes_to(1, 4);
	expect_counts(2, 0);
	end(0);
}

static void the_mounting_users_turn_is_nobody_elses(void **state)
{
	(void)state;
	begin(1, 1);
	has(0, 1);
	has(1, HOST);
	waits(2, 2);
	waits(3, HOST);
	passes_to(HOST, 3);
	passes_to(HOST, -1);
	expect_counts(1, 1);
	passes_to(1, 2);
	end(0);
}

static void others_turns_are_not_the_mounting_users(void **state)
{
	(void)state;
	begin(1, 1);
	has(0, HOST);
	has(1, 1);
	waits(2, HOST);
	passes_to(1, -1);
	has(3, 1);
	waits(4, 5);
	passes_to(1, 4); /* not number 2, which waits in front of it */
	passes_to(HOST, 2);
	end(0);
}

/* Who comes while others wait is not before them. */
static void nobody_overtakes(void **state)
{
	(void)state;
	begin(2, 2);
	has(0, 1);
	has(1, 2);
	waits(2, 3);
	waits(3, 1);
	passes_to(1, 2);
	waits(4, 5);
	passes_to(2, 3);
	passes_to(3, 4);
	end(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_there_at_first),
		cmocka_unit_test(one_user_has_so_many_turns),
		cmocka_unit_test(a_user_at_the_limit_leaves_others_theirs),
		cmocka_unit_test(all_others_together_have_so_many),
		cmocka_unit_test(the_mounting_user_has_turns_whatever_others_do),
		cmocka_unit_test(the_mounting_user_takes_no_turns_from_others),
		cmocka_unit_test(root_is_as_all_others_unless_it_mounted),
		cmocka_unit_test(with_nobody_waiting_nobody_is_next),
		cmocka_unit_test(who_waits_is_next_in_the_order_of_coming),
		cmocka_unit_test(a_turn_that_is_over_can_be_had_again),
		cmocka_unit_test(a_user_at_the_limit_does_not_block_those_behind),
		cmocka_unit_test(who_was_passed_over_keeps_its_place),
		cmocka_unit_test(the_mounting_users_turn_is_nobody_elses),
		cmocka_unit_test(others_turns_are_not_the_mounting_users),
		cmocka_unit_test(nobody_overtakes),
	};

	return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
