// SPDX-License-Identifier: GPL-2.0-only
/* What reads of an open file count. */
#include <pthread.h>

#include "file_reader.h"

static void expect_counters(struct kv_counters *c, unsigned long long reads,
			    unsigned long long rows, unsigned long long bytes,
			    unsigned long long errors)
{
	assert_int_equal(atomic_load(&c->reads), reads);
	assert_int_equal(atomic_load(&c->rows), rows);
	assert_int_equal(atomic_load(&c->bytes), bytes);
	assert_int_equal(atomic_load(&c->errors), errors);
}

/* Of the file's reader alone. */
#define counted(r, ...) expect_counters(&(r)->counters, __VA_ARGS__)

#define TWO_ROWS "N NAME\n0 name-0\n1 name-1-\n"

static void open_two_rows(struct reader *r)
{
	fake_records(2, NULL, 0);
	reader_open(r, &kv_format_text, 0);
}

static void an_open_file_counts_nothing(void **state)
{
	struct reader r;

	(void)state;
	open_two_rows(&r);
	counted(&r, 0, 0, 0, 0);
	reader_close(&r);
}

static void a_read_counts_its_rows_and_bytes(void **state)
{
	struct reader r;

	(void)state;
	open_two_rows(&r);
	assert_int_equal(read_at(&r, 0, 4096), 0);
	counted(&r, 1, 2, strlen(TWO_ROWS), 0);
	reader_close(&r);
}

static void a_header_is_no_row(void **state)
{
	struct reader r;

	(void)state;
	fake_records(0, NULL, 0);
	reader_open(&r, &kv_format_text, 0);
	assert_int_equal(read_at(&r, 0, 4096), 0);
	counted(&r, 1, 0, strlen("N NAME\n"), 0);
	reader_close(&r);
}

static void the_read_that_finds_the_end_counts(void **state)
{
	struct reader r;

	(void)state;
	open_two_rows(&r);
	assert_int_equal(read_at(&r, 0, 4096), 0);
	assert_int_equal(read_at(&r, r.n, 4096), 0);
	assert_int_equal(r.n, 0);
	counted(&r, 2, 2, strlen(TWO_ROWS), 0);
	reader_close(&r);
}

static void all_of_a_long_file_is_counted(void **state)
{
	unsigned long long reads = 0;
	struct reader r;

	(void)state;
	open_rows(&r);
	for (uint64_t off = 0; off < whole_len; off += r.n, reads++)
		expect_at(&r, off, 5000);
	counted(&r, reads, ROWS, whole_len, 0);
	reader_close(&r);
}

/* A row is made once however often it is served. */
static void bytes_from_memory_are_no_new_rows(void **state)
{
	struct reader r;

	(void)state;
	open_two_rows(&r);
	assert_int_equal(read_at(&r, 0, 4096), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_at(&r, 7, 5), 0);
	counted(&r, 4, 2, strlen(TWO_ROWS) + 3 * 5, 0);
	reader_close(&r);
}

/* Rows in a gap are walked, and nobody gets them. */
static void a_gap_counts_rows_and_no_bytes(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	expect_at(&r, whole_len - 10, 4096);
	counted(&r, 1, ROWS, 10, 0);
	reader_close(&r);
}

static void starting_over_counts_rows_anew(void **state)
{
	struct reader r;

	(void)state;
	open_two_rows(&r);
	for (unsigned int i = 1; i <= 3; i++) {
		assert_int_equal(read_at(&r, 0, 4096), 0);
		counted(&r, i, 2 * i, strlen(TWO_ROWS) * i, 0);
	}
	reader_close(&r);
}

static void the_rows_of_a_process_are_counted(void **state)
{
	struct reader r;

	(void)state;
	fake_records(2, NULL, 0);
	reader_open(&r, &kv_format_text, getpid());
	assert_int_equal(read_at(&r, 0, 4096), 0);
	assert_bytes(r.got, r.n, BYTES(TWO_ROWS));
	counted(&r, 1, 2, strlen(TWO_ROWS), 0);
	reader_close(&r);
}

static void each_format_counts_its_bytes(void **state)
{
	struct reader r;

	(void)state;
	for (const struct kv_format *const *f = kv_formats; *f; f++) {
		fake_records(2, NULL, 0);
		reader_open(&r, *f, 0);
		assert_int_equal(read_at(&r, 0, 4096), 0);
		assert_true(r.n > 0);
		counted(&r, 1, 2, r.n, 0);
		reader_close(&r);
	}
}

/* --- reads that fail --- */

static void each_read_that_fails_is_an_error(void **state)
{
	struct reader r;

	(void)state;
	fake.fail = -EMFILE;
	reader_open(&r, &kv_format_text, 0);
	assert_int_equal(read_at(&r, 0, 100), -EMFILE);
	counted(&r, 1, 0, 0, 1);
	assert_int_equal(read_at(&r, 10, 100), -EMFILE);
	counted(&r, 2, 0, 0, 2);
	fake.fail = 0;
	fake_records(2, NULL, 0);
	assert_int_equal(read_at(&r, 0, 100), 0);
	counted(&r, 3, 2, strlen(TWO_ROWS), 2);
	reader_close(&r);
}

/* What came before it is served, and the failure told next time: one error. */
static void rows_before_a_failure_count(void **state)
{
	struct reader r;

	(void)state;
	fake_records(2, "\x20\0\0\0", 4);
	reader_open(&r, &kv_format_text, 0);
	assert_int_equal(read_at(&r, 0, 4096), 0);
	assert_bytes(r.got, r.n, BYTES(TWO_ROWS));
	assert_int_equal(read_at(&r, r.n, 4096), -EIO);
	counted(&r, 2, 2, strlen(TWO_ROWS), 1);
	reader_close(&r);
}

static void an_interrupted_read_is_no_error(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	r.cancel_in = 0;
	for (unsigned int i = 1; i <= 3; i++, r.cancel_in = 0) {
		assert_int_equal(read_at(&r, 700000, 1000), -EINTR);
		assert_int_equal(atomic_load(&r.counters.reads), i);
		assert_int_equal(atomic_load(&r.counters.bytes), 0);
		assert_int_equal(atomic_load(&r.counters.errors), 0);
	}
	r.cancel_in = -1;
	expect_at(&r, whole_len - 7, 4096);
	counted(&r, 4, ROWS, 7, 0); /* no row is lost, and none counts twice */
	reader_close(&r);
}

static void an_offset_that_is_gone_is_no_error(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	expect_at(&r, whole_len - 1, 1);
	assert_int_equal(read_at(&r, 1, 10), -ESPIPE);
	counted(&r, 2, ROWS, 1, 0);
	reader_close(&r);
}

/* --- who counts together --- */

static void files_of_one_view_count_together(void **state)
{
	struct kv_counters view = {0};
	const struct kv_source source = {.view = &fake_view,
					 .format = &kv_format_text,
					 .plan = fake_plan(),
					 .counters = &view};
	struct reader r[3];

	(void)state;
	fake_records(2, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(r); i++) {
		r[i] = (struct reader){.cancel_in = -1};
		open_source(&r[i], &source);
	}
	for (size_t i = 0; i < ARRAY_SIZE(r); i++)
		assert_int_equal(read_at(&r[i], 0, 4096), 0);
	for (size_t i = 0; i < ARRAY_SIZE(r); i++)
		reader_close(&r[i]);
	expect_counters(&view, 3, 6, 3 * strlen(TWO_ROWS), 0); /* also when they are closed */
}

static void rows_may_go_uncounted(void **state)
{
	const struct kv_source source = {
		.view = &fake_view, .format = &kv_format_text, .plan = fake_plan()};
	struct reader r = {.cancel_in = -1};

	(void)state;
	fake_records(2, NULL, 0);
	open_source(&r, &source);
	assert_int_equal(read_at(&r, 0, 4096), 0);
	assert_bytes(r.got, r.n, BYTES(TWO_ROWS));
	reader_close(&r);
}

#define THREADS 4
#define READS 200

static void drop_bytes(void *arg, const struct iovec *iov, int n)
{
	size_t *bytes = arg;

	for (int i = 0; i < n; i++)
		*bytes += iov[i].iov_len;
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

/* Each read of the whole, at once with others of the same file. */
static void *read_often(void *arg)
{
	struct kv_file *file = arg;
	size_t bytes = 0;

	for (int i = 0; i < READS; i++) {
		const struct kv_read read = {
			.size = 4096, .cancelled = never, .reply = drop_bytes, .arg = &bytes};
		struct kv_err err;

		if (kv_file_read(file, &read, &err) != 0)
			return NULL;
	}
	return bytes == READS * strlen(TWO_ROWS) ? arg : NULL;
}

static void reads_of_many_threads_all_count(void **state)
{
	pthread_t threads[THREADS];
	struct reader r;
	void *rc;

	(void)state;
	open_two_rows(&r);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_often, r.file), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &rc);
		assert_ptr_equal(rc, r.file);
	}
	counted(&r, THREADS * READS, 2 * THREADS * READS, THREADS * READS * strlen(TWO_ROWS), 0);
	reader_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(an_open_file_counts_nothing),
		WITH_FAKE(a_read_counts_its_rows_and_bytes),
		WITH_FAKE(a_header_is_no_row),
		WITH_FAKE(the_read_that_finds_the_end_counts),
		WITH_FAKE(all_of_a_long_file_is_counted),
		WITH_FAKE(bytes_from_memory_are_no_new_rows),
		WITH_FAKE(a_gap_counts_rows_and_no_bytes),
		WITH_FAKE(starting_over_counts_rows_anew),
		WITH_FAKE(the_rows_of_a_process_are_counted),
		WITH_FAKE(each_format_counts_its_bytes),
		WITH_FAKE(each_read_that_fails_is_an_error),
		WITH_FAKE(rows_before_a_failure_count),
		WITH_FAKE(an_interrupted_read_is_no_error),
		WITH_FAKE(an_offset_that_is_gone_is_no_error),
		WITH_FAKE(files_of_one_view_count_together),
		WITH_FAKE(rows_may_go_uncounted),
		WITH_FAKE(reads_of_many_threads_all_count),
	};

	return cmocka_run_group_tests_name("file counters", tests, make_whole, free_whole);
}
