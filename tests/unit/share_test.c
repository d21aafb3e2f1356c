// SPDX-License-Identifier: GPL-2.0-only
/* Whose job is next: slots, lanes and shares. */
#include "share_clock.h"

/* --- limits --- */

static void there_are_so_many_slots(void **state)
{
	(void)state;
	begin(loose);
	nobody_is_next();
	for (int i = 0; i < 3; i++)
		comes(i, 1, 0);
	is_next(0);
	is_next(1);
	nobody_is_next();
	is_done(0);
	is_next(2);
	is_done(1);
	is_done(2);
	end();
}

static void a_lane_has_so_many_jobs_and_others_pass_by(void **state)
{
	struct kv_share_limits limits = loose;

	(void)state;
	limits.slots = 10;
	limits.lane = 2;
	begin(limits);
	for (int i = 0; i < 4; i++)
		comes(i, 1, 7);
	comes(4, 1, 8);
	comes(5, 2, 7);
	is_next(0);
	is_next(4); /* lanes take turns */
	is_next(1);
	is_next(5);
	nobody_is_next();
	is_done(1);
	is_next(2);
	nobody_is_next();
	for (int i = 0; i < 6; i++)
		if (i != 1 && i != 3)
			is_done(i);
	is_next(3);
	is_done(3);
	end();
}

static void a_user_has_so_many_jobs(void **state)
{
	struct kv_share_limits limits = loose;

	(void)state;
	limits.slots = 10;
	limits.each = 2;
	begin(limits);
	for (int i = 0; i < 3; i++)
		comes(i, 1, (uint64_t)i);
	comes(3, 2, 0);
	is_next(0);
	is_next(1);
	is_next(3);
	nobody_is_next();
	is_done(0);
	is_next(2);
	for (int i = 1; i < 4; i++)
		is_done(i);
	end();
}

static void all_others_have_so_many_and_the_host_its_own(void **state)
{
	struct kv_share_limits limits = loose;

	(void)state;
	limits.slots = 20;
	limits.all = 3;
	limits.host_each = 2;
	begin(limits);
	for (int i = 0; i < 4; i++)
		comes(i, 10 + (uid_t)i, 0);
	for (int i = 4; i < 7; i++)
		comes(i, HOST, (uint64_t)i);
	is_next(0);
	is_next(1);
	is_next(2);
	is_next(4);
	is_next(5);
	nobody_is_next();
	is_done(4);
	is_next(6);
	nobody_is_next();
	is_done(1);
	is_next(3);
	for (int i = 0; i < 7; i++)
		if (i != 1 && i != 4)
			is_done(i);
	end();
}

/* --- who is next --- */

static void one_lanes_jobs_are_in_the_order_of_coming(void **state)
{
	(void)state;
	begin(loose);
	for (int i = 0; i < 20; i++)
		comes(i, 1, 3);
	for (int i = 0; i < 20; i++) {
		is_next(i);
		runs(i, KV_MS);
		is_done(i);
	}
	end();
}

static void lanes_take_turns(void **state)
{
	(void)state;
	begin(loose);
	for (int i = 0; i < 6; i++)
		comes(i, 1, i < 3 ? 0 : 1);
	for (int i = 0; i < 3; i++) {
		is_next(i);
		is_done(i);
		is_next(3 + i);
		is_done(3 + i);
	}
	end();
}

static void who_has_had_the_least_is_next(void **state)
{
	(void)state;
	begin(loose);
	for (int i = 0; i < 4; i++) {
		comes(2 * i, 1, 0);
		comes(2 * i + 1, 2, 0);
	}
	is_next(0);
	runs(0, 100 * KV_MS);
	is_done(0);
	/* The other one until both have had as much, whatever the first asks for. */
	for (int i = 0; i < 4; i++) {
		is_next(2 * i + 1);
		runs(2 * i + 1, 20 * KV_MS);
		is_done(2 * i + 1);
	}
	for (int i = 1; i < 4; i++) {
		is_next(2 * i);
		is_done(2 * i);
	}
	end();
}

/* Not by what was had while nobody else was there. */
static void who_comes_anew_neither_owes_nor_is_owed(void **state)
{
	(void)state;
	begin(loose);
	comes(0, HOST, 0);
	is_next(0);
	runs(0, 10 * S);
	kv_share_tick(&share, at);
	comes(1, 2, 0);
	is_next(1);
	for (int i = 0; i < 8; i++) {
		runs(1, 4 * KV_MS);
		runs(0, 4 * KV_MS);
	}
	runs(1, KV_MS);
	comes(3, 2, 1);
	comes(2, 3, 0);
	is_done(1);
	is_next(2); /* it came last, and has had the least of these */
	is_done(2);
	is_next(3);
	is_done(3);
	is_done(0);
	end();
}

static void a_slot_that_nobody_wants_is_kept(void **state)
{
	(void)state;
	begin(loose);
	comes(0, HOST, 0);
	is_next(0);
	runs(0, 10 * S);
	assert_false(gives_way(0));
	comes(1, HOST, 0);
	is_next(1);
	runs(0, 10 * S);
	assert_false(gives_way(0));
	is_done(0);
	is_done(1);
	end();
}

static void a_slice_is_not_cut_short_but_for_who_has_had_less(void **state)
{
	struct kv_share_limits limits = loose;

	(void)state;
	limits.slots = 1;
	begin(limits);
	comes(0, 1, 0);
	is_next(0);
	runs(0, KV_SLICE / 4);
	kv_share_tick(&share, at);
	comes(1, 2, 0); /* has had as much, to begin with */
	assert_false(gives_way(0));
	runs(0, KV_SLICE / 2);
	assert_false(gives_way(0));
	runs(0, KV_SLICE / 4);
	assert_true(gives_way(0));
	pauses(0);
	is_next(1);
	runs(1, KV_SLICE / 4);
	assert_false(gives_way(1)); /* it has had less */
	is_done(1);
	is_next(0);
	is_done(0);
	end();
}

static void who_has_had_less_by_a_slice_is_not_kept_waiting(void **state)
{
	(void)state;
	begin(loose);
	comes(0, 1, 0);
	comes(1, 1, 1);
	is_next(0);
	is_next(1);
	comes(2, 2, 0);
	for (int i = 0; i < 2; i++) { /* both at once */
		runs(i, KV_SLICE * 6 / 10);
		at -= KV_SLICE * 6 / 10;
	}
	at += KV_SLICE * 6 / 10;
	assert_true(gives_way(0));
	pauses(0);
	is_next(2);
	is_done(2);
	is_next(0);
	is_done(0);
	is_done(1);
	end();
}

static void who_has_nothing_under_way_begins_though_all_slots_are_taken(void **state)
{
	struct kv_share_limits limits = loose;

	(void)state;
	limits.slots = limits.shorts = 1;
	begin(limits);
	comes(0, 1, 0);
	comes(1, 1, 1);
	is_next(0);
	nobody_is_next(); /* its user has one under way */
	comes(2, 2, 0);
	comes(3, 3, 0);
	is_next(2);
	nobody_is_next(); /* one at a time */
	runs(2, 0);
	assert_false(gives_way(2));
	at += 2 * KV_SLICE; /* it is not given a CPU */
	runs(2, 0);
	assert_false(gives_way(2));
	runs(2, KV_SHORT);
	assert_false(gives_way(2));
	runs(2, KV_MS / 10);
	assert_true(gives_way(2)); /* it takes long: from here on it waits for a slot */
	pauses(2);
	is_next(3);
	is_done(3);
	nobody_is_next();
	is_done(0);
	is_next(1);
	is_done(1);
	is_next(2);
	runs(2, KV_SHORT);
	assert_false(gives_way(2));
	is_done(2);
	end();
}

static void two_walks_share_one_slot_evenly(void **state)
{
	struct kv_share_limits limits = loose;
	int now = 0, ran[2] = {0, 0};

	(void)state;
	limits.slots = 1;
	begin(limits);
	comes(0, HOST, 0);
	comes(1, HOST + 1, 0);
	share.limits.cpu_percent = 0;
	is_next(0);
	for (int i = 0; i < 1000; i++) {
		runs(now, KV_MS);
		ran[now]++;
		if (!gives_way(now))
			continue;
		pauses(now);
		now = 1 - now;
		is_next(now);
	}
	assert_in_range(ran[0], 490, 510);
	is_done(now);
	is_next(1 - now);
	is_done(1 - now);
	end();
}

/* --- what gets nowhere --- */

static void a_slot_that_was_lent_is_another_ones(void **state)
{
	struct kv_share_limits limits = loose;

	(void)state;
	limits.slots = 1;
	begin(limits);
	comes(0, 1, 0);
	comes(1, 2, 0);
	is_next(0);
	nobody_is_next();
	kv_share_lend(&share, &job[0], at);
	is_next(1);
	nobody_is_next();
	/* Back from where it was stuck it needs a slot again. */
	waits_for_cpu(0, 0);
	assert_true(gives_way(0));
	pauses(0);
	nobody_is_next();
	is_done(1);
	is_next(0);
	is_done(0);
	end();
}

static void what_is_stuck_counts_for_its_lane(void **state)
{
	struct kv_share_limits limits = loose;

	(void)state;
	limits.lane = 1;
	begin(limits);
	comes(0, 1, 5);
	comes(1, 1, 5);
	comes(2, 1, 6);
	is_next(0);
	kv_share_lend(&share, &job[0], at);
	is_next(2);
	nobody_is_next();
	is_done(0);
	is_next(1);
	is_done(1);
	is_done(2);
	end();
}

/* In one slot: two users' jobs, in turn; one runs, the other one does something else. */
static void check_turns(void (*other)(int i, uint64_t ns), int its_turns, int in_all)
{
	struct kv_share_limits limits = loose;
	int now = 0, turns[2] = {0, 0};

	limits.slots = 1;
	limits.cpu_percent = 0;
	begin(limits);
	comes(0, 1, 0);
	comes(1, 2, 0);
	is_next(0);
	for (int i = 0; i < in_all; i++) {
		turns[now]++;
		(now ? other : runs)(now, KV_SLICE);
		pauses(now);
		now = job[1].user->had < job[0].user->had ? 1 : 0;
		is_next(now);
	}
	assert_in_range(turns[1], its_turns - 1, its_turns + 1);
	is_done(now);
	is_next(1 - now);
	is_done(1 - now);
	end();
}

static void who_sleeps_in_a_slot_has_had_it(void **state)
{
	(void)state;
	check_turns(sleeps, 50, 100);
}

/* Who runs has had it, and who is not given a CPU is next until it is. */
static void who_waits_for_a_cpu_has_not(void **state)
{
	(void)state;
	check_turns(waits_for_cpu, 99, 100);
}

static void a_slot_that_was_lent_was_had_until_then(void **state)
{
	struct kv_share_limits limits = loose;

	(void)state;
	limits.slots = 1;
	begin(limits);
	comes(0, 1, 0);
	comes(1, 2, 0);
	comes(2, 1, 1);
	comes(3, 2, 1);
	is_next(0);
	at += 50 * KV_MS;
	kv_share_lend(&share, &job[0], at);
	at += 5 * S;
	is_next(1);
	runs(1, 20 * KV_MS);
	is_done(1);
	is_next(3);
	runs(3, 20 * KV_MS);
	is_done(3);
	is_done(0);
	is_next(2);
	is_done(2);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_are_so_many_slots),
		cmocka_unit_test(a_lane_has_so_many_jobs_and_others_pass_by),
		cmocka_unit_test(a_user_has_so_many_jobs),
		cmocka_unit_test(all_others_have_so_many_and_the_host_its_own),
		cmocka_unit_test(one_lanes_jobs_are_in_the_order_of_coming),
		cmocka_unit_test(lanes_take_turns),
		cmocka_unit_test(who_has_had_the_least_is_next),
		cmocka_unit_test(who_comes_anew_neither_owes_nor_is_owed),
		cmocka_unit_test(a_slot_that_nobody_wants_is_kept),
		cmocka_unit_test(a_slice_is_not_cut_short_but_for_who_has_had_less),
		cmocka_unit_test(who_has_had_less_by_a_slice_is_not_kept_waiting),
		cmocka_unit_test(who_has_nothing_under_way_begins_though_all_slots_are_taken),
		cmocka_unit_test(two_walks_share_one_slot_evenly),
		cmocka_unit_test(a_slot_that_was_lent_is_another_ones),
		cmocka_unit_test(what_is_stuck_counts_for_its_lane),
		cmocka_unit_test(who_sleeps_in_a_slot_has_had_it),
		cmocka_unit_test(who_waits_for_a_cpu_has_not),
		cmocka_unit_test(a_slot_that_was_lent_was_had_until_then),
	};

	return cmocka_run_group_tests_name("shares", tests, NULL, NULL);
}
