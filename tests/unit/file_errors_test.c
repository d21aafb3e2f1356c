// SPDX-License-Identifier: GPL-2.0-only
/* Open files that fail, without a kernel. */
#include "file_reader.h"

static void rows_before_a_failure_come_first(void **state)
{
	struct reader r;

	(void)state;
	fake_records(2, "\xff\xff\xff\xff", 4);
	reader_open(&r, &kv_format_text, 0);
	assert_int_equal(read_at(&r, 0, 4096), 0);
	assert_bytes(r.got, r.n, BYTES("N NAME\n0 name-0\n1 name-1-\n"));
	assert_true(read_at(&r, r.n, 4096) < 0);
	assert_says(&r.err, "malformed record");
	reader_close(&r);
}

static void a_failure_is_never_an_end(void **state)
{
	struct reader r;
	size_t end;

	(void)state;
	fake_records(2, "\x20\0\0\0", 4);
	reader_open(&r, &kv_format_text, 0);
	assert_int_equal(read_at(&r, 0, 4096), 0);
	end = r.n;
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_at(&r, end, 10), -EIO);
	assert_int_equal(read_at(&r, end + 5000, 10), -EIO);
	assert_int_equal(read_at(&r, 3, 4), 0); /* what was good stays */
	reader_close(&r);
}

static void offset_0_tries_again_after_a_failure(void **state)
{
	struct reader r;

	(void)state;
	fake.fail = -EMFILE;
	reader_open(&r, &kv_format_text, 0);
	assert_int_equal(read_at(&r, 0, 100), -EMFILE);
	assert_int_equal(read_at(&r, 10, 100), -EMFILE);
	fake.fail = 0;
	fake_records(1, NULL, 0);
	assert_int_equal(read_at(&r, 10, 100), -EMFILE);
	assert_int_equal(read_at(&r, 0, 100), 0);
	assert_bytes(r.got, r.n, BYTES("N NAME\n0 name-0\n"));
	reader_close(&r);
}

static void an_interrupted_read_can_be_repeated(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	expect_at(&r, 0, 1000);
	r.cancel_in = 1;
	assert_int_equal(read_at(&r, 700000, 1000), -EINTR);
	r.cancel_in = -1;
	expect_at(&r, 700000, 1000);
	reader_close(&r);
}

static void a_file_of_a_process_that_is_gone_says_so(void **state)
{
	struct reader r;

	(void)state;
	fake_records(1, NULL, 0);
	reader_open(&r, &kv_format_text, (4 << 20) + 1);
	assert_int_equal(read_at(&r, 0, 100), -ENOENT);
	assert_says(&r.err, "no process 4194305");
	reader_close(&r);
}

static void a_file_of_a_process_asks_for_that_process(void **state)
{
	struct reader r;

	(void)state;
	fake_records(1, NULL, 0);
	reader_open(&r, &kv_format_text, getpid());
	assert_int_equal(read_at(&r, 0, 100), 0);
	assert_int_equal(fake.pid, getpid());
	reader_close(&r);
}

static void a_file_keeps_no_descriptor(void **state)
{
	int before;
	struct reader r;

	(void)state;
	fake_records(ROWS, NULL, 0);
	before = open_fds();
	reader_open(&r, &kv_format_text, 0);
	assert_int_equal(open_fds(), before + KV_HOLDS); /* the reader's, all along */
	for (int i = 0; i < 5; i++)
		expect_at(&r, 0, 100);
	assert_int_equal(open_fds(), before + KV_HOLDS + 1);
	expect_at(&r, whole_len, 1);
	assert_int_equal(open_fds(), before + KV_HOLDS); /* none behind the end */
	expect_at(&r, 0, 100);
	reader_close(&r);
	assert_int_equal(open_fds(), before);
}

/* --- whose rows they are --- */

static void every_read_is_on_behalf_of_who_opened(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	for (int i = 0; i < 3; i++) {
		expect_at(&r, 0, 100);
		assert_int_equal(fake.scope.pid_ns, 0xabcd);
		assert_int_equal(fake.scope.fsuid, 1000);
		assert_int_equal(fake.scope.target_start, 0);
	}
	reader_close(&r);
	reader_open(&r, &kv_format_text, getpid());
	assert_int_equal(read_at(&r, 0, 100), 0);
	assert_int_equal(fake.scope.pid_ns, 0xabcd);
	assert_int_equal(fake.scope.target_start, 77);
	reader_close(&r);
}

/* A header above no rows would say: this process has none. */
static void withheld_rows_are_an_error_and_no_header(void **state)
{
	struct reader r;

	(void)state;
	fake_records(0, NULL, 0);
	fake_saw(KV_SAW_OBJECT | KV_SAW_END | KV_SAW_DENIED);
	for (const struct kv_format *const *f = kv_formats; *f; f++) {
		reader_open(&r, *f, getpid());
		assert_int_equal(read_at(&r, 0, 4096), -EACCES);
		assert_says(&r.err, "not yours to look into");
		assert_int_equal(read_at(&r, 3, 4096), -EACCES);
		assert_int_equal(read_at(&r, 4096, 4096), -EACCES);
		assert_int_equal(read_at(&r, 0, 4096), -EACCES);
		reader_close(&r);
	}
}

static void withheld_rows_are_an_error_to_small_reads_as_well(void **state)
{
	struct reader r;

	(void)state;
	fake_records(0, NULL, 0);
	fake_saw(KV_SAW_OBJECT | KV_SAW_END | KV_SAW_DENIED);
	reader_open(&r, &kv_format_text, getpid());
	assert_int_equal(read_at(&r, 0, 8), -EACCES);
	reader_close(&r);
}

static void a_view_of_all_leaves_out_what_is_withheld(void **state)
{
	struct reader r;

	(void)state;
	fake_records(1, NULL, 0);
	fake_saw(KV_SAW_OBJECT | KV_SAW_END | KV_SAW_DENIED);
	reader_open(&r, &kv_format_text, 0);
	assert_int_equal(read_at(&r, 0, 4096), 0);
	assert_bytes(r.got, r.n, BYTES("N NAME\n0 name-0\n"));
	assert_int_equal(read_at(&r, r.n, 4096), 0);
	assert_int_equal(r.n, 0);
	reader_close(&r);
}

static void a_later_process_of_that_number_is_an_error(void **state)
{
	struct reader r;

	(void)state;
	fake_records(0, NULL, 0);
	fake_saw(KV_SAW_OBJECT | KV_SAW_END | KV_SAW_OTHER);
	reader_open(&r, &kv_format_json, getpid());
	assert_int_equal(read_at(&r, 0, 4096), -ENOENT);
	assert_says(&r.err, "no process");
	reader_close(&r);
	reader_open(&r, &kv_format_text, getpid());
	while (read_at(&r, r.n, 4096) == 0)
		assert_true(r.n > 0); /* no end */
	assert_says(&r.err, "no process");
	reader_close(&r);
}

static void the_readers_descriptors_go_with_the_file(void **state)
{
	int before;
	struct reader r;

	(void)state;
	fake_records(0, NULL, 0);
	fake_saw(KV_SAW_DENIED);
	before = open_fds();
	for (int read = 0; read < 2; read++) {
		reader_open(&r, &kv_format_text, getpid());
		assert_int_equal(open_fds(), before + KV_HOLDS);
		if (read)
			assert_int_equal(read_at(&r, 0, 100), -EACCES);
		reader_close(&r);
		assert_int_equal(open_fds(), before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(rows_before_a_failure_come_first),
		WITH_FAKE(a_failure_is_never_an_end),
		WITH_FAKE(offset_0_tries_again_after_a_failure),
		WITH_FAKE(an_interrupted_read_can_be_repeated),
		WITH_FAKE(a_file_of_a_process_that_is_gone_says_so),
		WITH_FAKE(a_file_of_a_process_asks_for_that_process),
		WITH_FAKE(a_file_keeps_no_descriptor),
		WITH_FAKE(every_read_is_on_behalf_of_who_opened),
		WITH_FAKE(withheld_rows_are_an_error_and_no_header),
		WITH_FAKE(withheld_rows_are_an_error_to_small_reads_as_well),
		WITH_FAKE(a_view_of_all_leaves_out_what_is_withheld),
		WITH_FAKE(a_later_process_of_that_number_is_an_error),
		WITH_FAKE(the_readers_descriptors_go_with_the_file),
	};

	return cmocka_run_group_tests_name("file errors", tests, make_whole, free_whole);
}
