// SPDX-License-Identifier: GPL-2.0-only
/* On whose behalf an iteration runs, and what it makes of rows that were withheld. */
#include "fake_iter.h"
#include "load/kernel.h"

static const struct kv_reader reader = {
	.scope = {.pid_ns = 0xabcd, .target_start = 2, .fsuid = 1000, .passes = 1 << KV_PUBLIC},
	.holds = {-1, -1, -1, -1, -1},
};

static struct kv_run *start(pid_t pid, uint64_t began)
{
	const struct kv_run_opts opts = {.reader = &reader,
					 .subset = kv_subset_process(pid, began)};
	struct kv_run *run = NULL;
	struct kv_err err = {0};

	assert_int_equal(kv_run_new(&fake_view, &opts, &run, &err), 0);
	return run;
}

/* Reads to the end, and says what was there: 0 or -errno; it stays so. */
static int drain(struct kv_run *run, unsigned int *records, struct kv_err *err)
{
	const void *record;
	uint32_t len;
	int rc;

	*records = 0;
	*err = (struct kv_err){0};
	while ((rc = kv_run_next(run, &record, &len, err)) > 0)
		++*records;
	assert_int_equal(fake.adds, fake.removes);
	return rc;
}

static int drain_process(pid_t pid, uint32_t n, uint8_t saw, struct kv_err *err)
{
	struct kv_run *run;
	unsigned int records;
	int rc;

	fake_records(n, NULL, 0);
	fake_saw(saw);
	run = start(pid, 5);
	rc = drain(run, &records, err);
	assert_int_equal(records, n);
	assert_int_equal(drain(run, &records, err), rc);
	assert_int_equal(records, 0);
	kv_run_free(run);
	return rc;
}

/* --- the scope --- */

static void every_read_has_the_readers_scope(void **state)
{
	struct kv_run *run;
	struct kv_err err;
	unsigned int n;

	(void)state;
	fake_records(10000, NULL, 0);
	run = start(0, 0);
	assert_int_equal(drain(run, &n, &err), 0);
	assert_true(fake.adds > 5);
	assert_int_equal(fake.scope.pid_ns, 0xabcd);
	assert_int_equal(fake.scope.fsuid, 1000);
	assert_int_equal(fake.scope.passes, 1 << KV_PUBLIC);
	kv_run_free(run);
}

static void a_run_for_all_is_for_processes_of_any_start(void **state)
{
	struct kv_run *run;
	struct kv_err err;
	unsigned int n;

	(void)state;
	fake_records(1, NULL, 0);
	run = start(0, 0);
	assert_int_equal(drain(run, &n, &err), 0);
	assert_int_equal(fake.scope.target_start, 0);
	kv_run_free(run);
}

static void a_process_is_meant_by_its_start(void **state)
{
	struct kv_err err;

	(void)state;
	assert_int_equal(drain_process(getpid(), 1, KV_SAW_OBJECT | KV_SAW_END, &err), 0);
	assert_int_equal(fake.pid, getpid());
	assert_int_equal(fake.scope.target_start, 5);
}

/* What one read saw is no question to the next. */
static void a_scope_is_registered_without_an_answer(void **state)
{
	struct kv_run *run;
	struct kv_err err;
	unsigned int n;

	(void)state;
	fake_records(10000, NULL, 0);
	fake_saw(KV_SAW_OBJECT | KV_SAW_DENIED);
	run = start(0, 0);
	assert_int_equal(drain(run, &n, &err), 0);
	assert_int_equal(fake.scope.saw, 0);
	kv_run_free(run);
}

/* --- no rows --- */

static void a_process_without_rows_is_an_end(void **state)
{
	struct kv_err err;

	(void)state;
	assert_int_equal(drain_process(getpid(), 0, KV_SAW_OBJECT | KV_SAW_END, &err), 0);
	assert_int_equal(drain_process(getpid(), 0, KV_SAW_END, &err), 0);
	assert_int_equal(drain_process(getpid(), 0, 0, &err), 0);
}

static void rows_that_were_withheld_are_no_end(void **state)
{
	struct kv_err err;
	char pid[32];

	(void)state;
	assert_int_equal(
		drain_process(getpid(), 0, KV_SAW_OBJECT | KV_SAW_END | KV_SAW_DENIED, &err),
		-EACCES);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_says(&err, pid);
	assert_says(&err, "not yours");
	assert_hints(&err, "ptrace");
}

static void a_later_process_of_that_number_is_none(void **state)
{
	struct kv_err err;

	(void)state;
	assert_int_equal(
		drain_process(getpid(), 0, KV_SAW_OBJECT | KV_SAW_END | KV_SAW_OTHER, &err),
		-ENOENT);
	assert_says(&err, "no process");
}

/* Some threads have tables of their own: what may be seen of the others is all. */
static void once_a_record_came_nothing_is_missing(void **state)
{
	struct kv_err err;

	(void)state;
	assert_int_equal(
		drain_process(getpid(), 1, KV_SAW_OBJECT | KV_SAW_END | KV_SAW_DENIED, &err), 0);
	assert_int_equal(
		drain_process(getpid(), 1, KV_SAW_OBJECT | KV_SAW_END | KV_SAW_OTHER, &err), 0);
	assert_string_equal(err.msg, "");
}

static void without_a_process_what_is_withheld_is_left_out(void **state)
{
	struct kv_err err;

	(void)state;
	assert_int_equal(drain_process(0, 0, KV_SAW_OBJECT | KV_SAW_END | KV_SAW_DENIED, &err), 0);
	assert_int_equal(drain_process(0, 3, KV_SAW_OBJECT | KV_SAW_END | KV_SAW_DENIED, &err), 0);
}

/* Withheld in one read, ended in another. */
static void what_any_read_saw_counts(void **state)
{
	int to = fake_messages();
	struct fake_record r;
	struct kv_run *run;
	struct kv_err err;
	unsigned int n;

	(void)state;
	fake.saws[0] = KV_SAW_OBJECT | KV_SAW_DENIED;
	fake.saws[1] = KV_SAW_OBJECT;
	fake.saws[2] = KV_SAW_OBJECT | KV_SAW_END;
	run = start(getpid(), 0);
	/* A record in two halves, and no other: three reads with the end. */
	fake_record(0, &r);
	assert_int_equal(send(to, &r, 5, 0), 5);
	assert_int_equal(send(to, (char *)&r + 5, r.len - 5, 0), r.len - 5);
	close(to);
	assert_int_equal(drain(run, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(fake.reads, 3);
	kv_run_free(run);
}

struct withheld {
	int to, asked;
};

/* The first read says EAGAIN, as after very many objects; then comes the end. */
static bool end_it(void *arg)
{
	struct withheld *w = arg;

	if (++w->asked == 2)
		close(w->to);
	return false;
}

static void what_was_withheld_before_eagain_counts(void **state)
{
	struct withheld w = {.to = fake_messages()};
	const struct kv_run_opts opts = {.reader = &reader,
					 .subset = kv_subset_process(getpid(), 0),
					 .cancelled = end_it,
					 .arg = &w};
	struct kv_run *run = NULL;
	struct kv_err err = {0};
	unsigned int n;

	(void)state;
	fake.saws[0] = KV_SAW_OBJECT | KV_SAW_DENIED;
	fake.saws[1] = KV_SAW_OBJECT | KV_SAW_END;
	assert_int_equal(kv_run_new(&fake_view, &opts, &run, &err), 0);
	assert_int_equal(drain(run, &n, &err), -EACCES);
	assert_int_equal(fake.reads, 2);
	kv_run_free(run);
}

/* --- a walk that lost its place --- */

/* One record, then a read that is called for the end alone. */
static int lose_place(pid_t pid, uint8_t last, struct kv_err *err)
{
	int to = fake_messages(), rc;
	struct fake_record r;
	struct kv_run *run;
	unsigned int n;
	size_t len = fake_record(0, &r);

	fake.reads = 0;
	fake.saws[0] = KV_SAW_OBJECT;
	fake.saws[1] = last;
	run = start(pid, 0);
	assert_int_equal(send(to, &r, len, 0), len);
	close(to);
	rc = drain(run, &n, err);
	assert_int_equal(n, 1);
	kv_run_free(run);
	fake_reset();
	return rc;
}

static void a_process_whose_next_thread_is_lost_is_an_error(void **state)
{
	struct kv_err err;

	(void)state;
	assert_int_equal(lose_place(getpid(), KV_SAW_END, &err), -EIO);
	assert_says(&err, "the thread to read next has ended");
	assert_hints(&err, "again");
}

static void an_end_with_a_last_object_is_honest(void **state)
{
	struct kv_err err;

	(void)state;
	assert_int_equal(lose_place(getpid(), KV_SAW_OBJECT | KV_SAW_END, &err), 0);
	/* What comes after the end was said: the program is not called any more. */
	assert_int_equal(lose_place(getpid(), 0, &err), 0);
}

static void an_end_that_was_said_is_not_asked_for_again(void **state)
{
	struct kv_run *run;
	struct kv_err err;
	unsigned int n;

	(void)state;
	fake_records(5, NULL, 0);
	fake_saw(KV_SAW_OBJECT | KV_SAW_END);
	run = start(getpid(), 5);
	assert_int_equal(drain(run, &n, &err), 0);
	assert_int_equal(n, 5);
	assert_int_equal(fake.reads, 1);
	kv_run_free(run);
}

/* The kernel keeps what does not fit into a read, and its programs are not called for that. */
static void an_end_said_in_a_full_read_is_not_the_end_of_the_records(void **state)
{
	struct kv_run *run;
	struct kv_err err;
	unsigned int n;

	(void)state;
	fake_records(5000, NULL, 0);
	fake_saw(KV_SAW_OBJECT | KV_SAW_END);
	run = start(0, 0);
	assert_int_equal(drain(run, &n, &err), 0);
	assert_int_equal(n, 5000);
	kv_run_free(run);
}

static void a_walk_through_all_does_not_lose_its_place(void **state)
{
	struct kv_err err;

	(void)state;
	assert_int_equal(lose_place(0, KV_SAW_END, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(every_read_has_the_readers_scope),
		WITH_FAKE(a_run_for_all_is_for_processes_of_any_start),
		WITH_FAKE(a_process_is_meant_by_its_start),
		WITH_FAKE(a_scope_is_registered_without_an_answer),
		WITH_FAKE(a_process_without_rows_is_an_end),
		WITH_FAKE(rows_that_were_withheld_are_no_end),
		WITH_FAKE(a_later_process_of_that_number_is_none),
		WITH_FAKE(once_a_record_came_nothing_is_missing),
		WITH_FAKE(without_a_process_what_is_withheld_is_left_out),
		WITH_FAKE(what_any_read_saw_counts),
		WITH_FAKE(what_was_withheld_before_eagain_counts),
		WITH_FAKE(a_process_whose_next_thread_is_lost_is_an_error),
		WITH_FAKE(an_end_with_a_last_object_is_honest),
		WITH_FAKE(an_end_that_was_said_is_not_asked_for_again),
		WITH_FAKE(an_end_said_in_a_full_read_is_not_the_end_of_the_records),
		WITH_FAKE(a_walk_through_all_does_not_lose_its_place),
	};

	return cmocka_run_group_tests_name("run scope", tests, NULL, NULL);
}
