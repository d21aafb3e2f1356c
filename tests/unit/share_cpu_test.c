// SPDX-License-Identifier: GPL-2.0-only
/* Whose job is next: by the CPU time that its user has left; and the books of that. */
#include "share_clock.h"

/* --- CPU time --- */

static void a_user_has_a_burst_and_a_share(void **state)
{
	(void)state;
	begin(loose);
	comes(0, 1, 0);
	is_next(0);
	for (uint64_t from = at; at < from + 10 * S; at += KV_MS) {
		kv_share_tick(&share, at);
		if (job[0].has_slot) {
			used[0].cpu += KV_MS;
			kv_share_charge(&job[0], at, used[0]);
			if (gives_way(0))
				pauses(0);
		} else if (kv_share_peek(&share)) {
			is_next(0);
		}
	}
	/* Half of ten seconds, and one. */
	assert_in_range(used[0].cpu, 5900 * KV_MS, 6100 * KV_MS);
	is_done(0);
	end();
}

static void the_host_has_all_and_so_has_everybody_with_0(void **state)
{
	struct kv_share_limits limits = loose;

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(limits);
		comes(0, i ? 1 : HOST, 0);
		is_next(0);
		runs(0, 100 * S);
		kv_share_tick(&share, at);
		assert_false(gives_way(0));
		is_done(0);
		comes(0, i ? 1 : HOST, 0);
		is_next(0);
		is_done(0);
		end();
		limits.cpu_percent = 0;
	}
}

static void who_has_used_up_all_waits_and_others_do_not(void **state)
{
	(void)state;
	begin(loose);
	comes(0, 1, 0);
	is_next(0);
	runs(0, 1100 * KV_MS);
	at -= 1100 * KV_MS; /* on several CPUs at once */
	is_done(0);
	comes(1, 1, 0);
	nobody_is_next();
	comes(2, 2, 0);
	is_next(2);
	at += 190 * KV_MS; /* half of it pays what it owes, but not more */
	kv_share_tick(&share, at);
	nobody_is_next();
	at += 20 * KV_MS;
	kv_share_tick(&share, at);
	is_next(1);
	is_done(1);
	is_done(2);
	end();
}

static void a_burst_is_full_again_after_a_while(void **state)
{
	(void)state;
	begin(loose);
	for (int i = 0; i < 3; i++) {
		comes(0, 1, 0);
		is_next(0);
		runs(0, 950 * KV_MS);
		assert_false(gives_way(0));
		is_done(0);
		at += 2 * S;
		kv_share_tick(&share, at);
	}
	end();
}

/* --- the books --- */

static void users_that_owe_nothing_are_forgotten(void **state)
{
	const struct kv_share_user *u;
	int n = 0;

	(void)state;
	begin(loose);
	for (uid_t uid = 1; uid < 10000; uid++) {
		comes(0, uid, uid);
		is_next(0);
		runs(0, KV_MS);
		is_done(0);
		kv_share_tick(&share, at);
		TAILQ_FOREACH(u, &share.users, others)
		n++;
		assert_in_range(n, 0, 50);
		n = 0;
	}
	end();
}

static bool is_of_lane_1(struct kv_job *j, void *seen)
{
	++*(int *)seen;
	return j->lane_id == 1;
}

static int dropped;

static void count_dropped(struct kv_job *j)
{
	assert_int_equal(j->lane_id, 1);
	dropped++;
}

static void who_waits_can_be_dropped(void **state)
{
	struct kv_job *begun[2];
	bool had_begun;
	int seen = 0;

	(void)state;
	begin(loose);
	for (int i = 0; i < 30; i++)
		comes(i, 1 + (uid_t)i % 3, (uint64_t)i % 2);
	for (int i = 0; i < 2; i++)
		begun[i] = kv_share_next(&share, at, &had_begun);
	dropped = 0;
	kv_share_each_waiting(&share, is_of_lane_1, count_dropped, &seen);
	assert_int_equal(seen, 28);
	assert_int_equal(dropped, 15 - (int)(begun[0]->lane_id + begun[1]->lane_id));
	for (int i = 0; i < 2; i++)
		kv_share_finish(&share, begun[i], at, (struct kv_usage){0});
	for (int left = seen - dropped; left; left--) {
		struct kv_job *j = kv_share_next(&share, at, &had_begun);

		assert_non_null(j);
		assert_int_equal(j->lane_id, 0);
		kv_share_finish(&share, j, at, (struct kv_usage){0});
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_has_a_burst_and_a_share),
		cmocka_unit_test(the_host_has_all_and_so_has_everybody_with_0),
		cmocka_unit_test(who_has_used_up_all_waits_and_others_do_not),
		cmocka_unit_test(a_burst_is_full_again_after_a_while),
		cmocka_unit_test(users_that_owe_nothing_are_forgotten),
		cmocka_unit_test(who_waits_can_be_dropped),
	};

	return cmocka_run_group_tests_name("CPU time", tests, NULL, NULL);
}
