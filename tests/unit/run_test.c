// SPDX-License-Identifier: GPL-2.0-only
/* The read loop over an iterator that gives whatever a kernel may give. */
#include <signal.h>
#include <sys/wait.h>

#include "run_records.h"

static void an_iteration_without_records_ends_at_once(void **state)
{
	(void)state;
	fake_records(0, NULL, 0);
	expect_end(start(NULL));
}

/* Far more than one read gives: records lie across the edges of reads. */
static void many_records_come_whole_and_in_order(void **state)
{
	struct kv_run *run;

	(void)state;
	fake_records(100000, NULL, 0);
	run = start(NULL);
	expect(run, 100000);
	expect_end(run);
}

static void nothing_is_read_before_the_first_record_is_asked_for(void **state)
{
	(void)state;
	fake_records(1, NULL, 0);
	kv_run_free(start(NULL));
	assert_int_equal(fake.adds, 0);
}

static void records_are_put_together_from_single_bytes(void **state)
{
	struct fake_record r;
	struct kv_run *run;
	int to = fake_messages();

	(void)state;
	run = start(NULL);
	for (uint32_t i = 0; i < 3; i++) {
		size_t n = fake_record(i, &r);

		for (size_t j = 0; j < n; j++)
			assert_int_equal(send(to, (char *)&r + j, 1, 0), 1);
	}
	close(to);
	expect(run, 3);
	expect_end(run);
}

static void a_run_is_registered_for_each_read_and_not_after(void **state)
{
	struct kv_err err = {0};
	struct kv_run *run;
	uint32_t n;

	(void)state;
	fake_records(10000, NULL, 0);
	run = start(NULL);
	while (next(run, &n, &err) > 0)
		assert_int_equal(fake.adds, fake.removes);
	assert_true(fake.adds > 5);
	kv_run_free(run);
}

/* --- failures --- */

static void fails_with(int want, const char *words)
{
	struct kv_run *run = start(NULL);
	struct kv_err err = {0};
	uint32_t n;
	int rc;

	while ((rc = next(run, &n, &err)) > 0)
		;
	assert_int_equal(rc, want);
	assert_says(&err, words);
	assert_int_equal(fake.adds, fake.removes);
	assert_true(next(run, &n, &err) < 0);
	kv_run_free(run);
}

static void an_end_amid_a_record_is_an_error(void **state)
{
	struct fake_record r;
	size_t n = fake_record(5, &r);

	(void)state;
	for (size_t cut = 1; cut < n; cut++) {
		fake_records(3, &r, cut);
		fails_with(-EIO, "ended amid a record");
	}
}

static void a_record_that_lies_is_an_error(void **state)
{
	static const uint32_t lengths[] = {0, 1, ROW_FIXED - 1, KV_RECORD_MAX + 1, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		fake_records(3, &lengths[i], sizeof(lengths[i]));
		fails_with(-EBADMSG, "malformed record");
	}
}

static void a_string_outside_its_record_is_an_error(void **state)
{
	struct fake_record r;
	size_t n = fake_record(5, &r);

	(void)state;
	r.name.len++;
	fake_records(3, &r, n);
	fails_with(-EBADMSG, "column 'name' points outside");
}

static void a_read_that_fails_is_an_error(void **state)
{
	(void)state;
	fake.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	fails_with(-EBADF, "can't read view 'fake'");
}

/* What the kernel says after 1,000,000 objects without output, and for ever. */
static void endless_eagain_is_an_error_with_a_hint(void **state)
{
	struct kv_err err = {0};
	struct kv_run *run;
	uint32_t n;
	int to = fake_messages();

	(void)state;
	run = start(NULL);
	assert_int_equal(next(run, &n, &err), -EIO);
	assert_says(&err, "no progress");
	assert_hints(&err, "memory");
	kv_run_free(run);
	close(to);
}

static void an_iterator_that_cannot_be_made_is_an_error(void **state)
{
	const struct kv_run_opts opts = {.reader = &reader};
	struct kv_run *run = NULL;
	struct kv_err err = {0};

	(void)state;
	fake.fail = -EMFILE;
	assert_int_equal(kv_run_new(&fake_view, &opts, &run, &err), -EMFILE);
	assert_null(run);
	assert_says(&err, "can't run view 'fake'");
}

/* --- waiting and interrupts --- */

struct asked {
	int times, send_at, cancel_at;
	int to;
};

static bool is_cancelled(void *arg)
{
	struct asked *a = arg;
	struct fake_record r;

	a->times++;
	if (a->times == a->send_at)
		send(a->to, &r, fake_record(0, &r), 0);
	return a->times == a->cancel_at;
}

static void eagain_is_waited_out(void **state)
{
	struct asked a = {.send_at = 50, .to = fake_messages()};
	const struct kv_run_opts opts = {.reader = &reader, .cancelled = is_cancelled, .arg = &a};
	struct kv_run *run;

	(void)state;
	run = start(&opts);
	expect(run, 1);
	assert_int_equal(a.times, 50);
	close(a.to);
	expect_end(run);
}

static void a_cancelled_run_can_go_on(void **state)
{
	struct asked a = {.send_at = 6, .cancel_at = 3, .to = fake_messages()};
	const struct kv_run_opts opts = {.reader = &reader, .cancelled = is_cancelled, .arg = &a};
	struct kv_err err = {0};
	struct kv_run *run;
	uint32_t n;

	(void)state;
	run = start(&opts);
	assert_int_equal(next(run, &n, &err), -EINTR);
	assert_int_equal(a.times, 3);
	expect(run, 1);
	close(a.to);
	expect_end(run);
}

static void a_cancel_amid_a_record_loses_nothing(void **state)
{
	struct asked a = {.cancel_at = 2, .to = fake_messages()};
	const struct kv_run_opts opts = {.reader = &reader, .cancelled = is_cancelled, .arg = &a};
	struct kv_err err = {0};
	struct fake_record r;
	struct kv_run *run;
	uint32_t n;
	size_t len = fake_record(0, &r);

	(void)state;
	run = start(&opts);
	assert_int_equal(send(a.to, &r, 9, 0), 9);
	assert_int_equal(next(run, &n, &err), -EINTR);
	assert_int_equal(send(a.to, (char *)&r + 9, len - 9, 0), len - 9);
	expect(run, 1);
	close(a.to);
	expect_end(run);
}

static void whom_to_ask_can_change(void **state)
{
	struct asked first = {0}, second = {.cancel_at = 1};
	const struct kv_run_opts opts = {
		.reader = &reader, .cancelled = is_cancelled, .arg = &first};
	struct kv_err err = {0};
	struct kv_run *run;
	uint32_t n;

	(void)state;
	fake_records(1, NULL, 0);
	run = start(&opts);
	kv_run_on_behalf(run, &second);
	assert_int_equal(next(run, &n, &err), -EINTR);
	assert_int_equal(first.times, 0);
	kv_run_free(run);
}

/* --- one process --- */

static void a_process_gets_a_link_of_its_own(void **state)
{
	const struct kv_run_opts opts = {.reader = &reader,
					 .subset = kv_subset_process(getpid(), 0)};
	int before = open_fds();
	struct kv_run *run;

	(void)state;
	fake_records(1, NULL, 0);
	run = start(&opts);
	assert_int_equal(fake.links, 1);
	assert_int_equal(fake.pid, getpid());
	expect(run, 1);
	expect_end(run);
	fake_reset();
	assert_int_equal(open_fds(), before);
}

static int start_for(pid_t pid, struct kv_err *err)
{
	const struct kv_run_opts opts = {.reader = &reader, .subset = kv_subset_process(pid, 0)};
	struct kv_run *run = NULL;
	int rc;

	*err = (struct kv_err){0};
	fake_records(1, NULL, 0);
	rc = kv_run_new(&fake_view, &opts, &run, err);
	assert_null(run);
	return rc;
}

static void a_process_that_is_not_there_is_named(void **state)
{
	struct kv_err err;

	(void)state;
	/* Above the highest number that Linux gives to a process. */
	assert_int_equal(start_for((4 << 20) + 1, &err), -ENOENT);
	assert_string_equal(err.msg, "no process 4194305");
	assert_int_equal(fake.opens, 0);
}

/* The kernel makes an iterator nevertheless, which has nothing. */
static void a_process_that_went_meanwhile_is_not_there(void **state)
{
	struct kv_run_opts opts = {.reader = &reader};
	struct kv_run *run = NULL;
	struct kv_err err = {0};
	const void *record;
	pid_t pid = fork();
	uint32_t len;

	(void)state;
	if (!pid) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	opts.subset = kv_subset_process(pid, 0);
	fake_records(0, NULL, 0);
	run = start(&opts);
	assert_int_equal(kv_run_next(run, &record, &len, &err), 0);
	kv_run_free(run);
	run = start(&opts);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(kv_run_next(run, &record, &len, &err), -ENOENT);
	assert_says(&err, "no process");
	kv_run_free(run);
}

static void a_kernel_without_links_per_process_is_explained(void **state)
{
	struct kv_err err;

	(void)state;
	fake.link_fail = -EINVAL;
	assert_int_equal(start_for(getpid(), &err), -EINVAL);
	assert_hints(&err, "Linux 6.1");
}

static void a_view_without_tasks_has_no_rows_of_processes(void **state)
{
	struct kv_err err;

	(void)state;
	fake_view.param = KV_PARAM_NONE;
	assert_int_equal(start_for(getpid(), &err), -EINVAL);
	assert_says(&err, "has no rows of single processes");
	fake_view.param = KV_PARAM_TASK;
}

static void no_run_can_be_freed(void **state)
{
	(void)state;
	kv_run_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(an_iteration_without_records_ends_at_once),
		WITH_FAKE(many_records_come_whole_and_in_order),
		WITH_FAKE(nothing_is_read_before_the_first_record_is_asked_for),
		WITH_FAKE(records_are_put_together_from_single_bytes),
		WITH_FAKE(a_run_is_registered_for_each_read_and_not_after),
		WITH_FAKE(an_end_amid_a_record_is_an_error),
		WITH_FAKE(a_record_that_lies_is_an_error),
		WITH_FAKE(a_string_outside_its_record_is_an_error),
		WITH_FAKE(a_read_that_fails_is_an_error),
		WITH_FAKE(endless_eagain_is_an_error_with_a_hint),
		WITH_FAKE(an_iterator_that_cannot_be_made_is_an_error),
		WITH_FAKE(eagain_is_waited_out),
		WITH_FAKE(a_cancelled_run_can_go_on),
		WITH_FAKE(a_cancel_amid_a_record_loses_nothing),
		WITH_FAKE(whom_to_ask_can_change),
		WITH_FAKE(a_process_gets_a_link_of_its_own),
		WITH_FAKE(a_process_that_is_not_there_is_named),
		WITH_FAKE(a_process_that_went_meanwhile_is_not_there),
		WITH_FAKE(a_kernel_without_links_per_process_is_explained),
		WITH_FAKE(a_view_without_tasks_has_no_rows_of_processes),
		WITH_FAKE(no_run_can_be_freed),
	};

	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
