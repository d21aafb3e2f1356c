// SPDX-License-Identifier: GPL-2.0-only
/* Open files: what a read at any offset gets, without a kernel. */
#include <pthread.h>

#include "file_reader.h"
#include "stream/prefetch.h"

/* --- reading on --- */

static void check_sequential(size_t size, size_t most)
{
	struct reader r;
	uint64_t off = 0;

	open_rows(&r);
	do {
		assert_int_equal(read_at(&r, off, size), 0);
		assert_true(r.n <= most);
		assert_true(off + r.n <= whole_len);
		assert_true(memcmp(r.got, whole + off, r.n) == 0);
		off += r.n;
	} while (r.n);
	assert_int_equal(off, whole_len);
	assert_int_equal(fake.opens, 1);
	reader_close(&r);
}

static void small_reads_give_the_whole(void **state)
{
	(void)state;
	check_sequential(7, 7);
}

static void reads_of_a_page_give_the_whole(void **state)
{
	(void)state;
	check_sequential(4096, 4096);
}

static void reads_of_128_kib_give_the_whole(void **state)
{
	(void)state;
	check_sequential(128 << 10, 128 << 10);
}

static void larger_reads_are_cut_to_128_kib(void **state)
{
	(void)state;
	check_sequential(1 << 20, 128 << 10);
}

/* --- prefetch --- */

/* How many times the kernel was asked once a read of @size has got all it wants. */
static unsigned int asked_after(size_t size, bool may_prefetch)
{
	unsigned int during;
	struct reader r;

	open_rows(&r);
	fake.adds = 0;
	expect_at(&r, 0, size);
	during = fake.adds;
	fake.adds = 0;
	r.may_prefetch = may_prefetch;
	expect_at(&r, 0, size);
	during = fake.adds - during;
	reader_close(&r);
	return during;
}

static void a_large_read_is_followed_by_a_prefetch(void **state)
{
	(void)state;
	assert_int_equal(asked_after(128 << 10, true), KV_PREFETCH_MAX);
	assert_int_equal(asked_after(128 << 10, false), 0);
	assert_int_equal(asked_after(4096, true), 0);
}

static void the_whole_comes_by_reads_of_all_sizes(void **state)
{
	uint64_t seed = 11, off = 0;
	struct reader r;

	(void)state;
	open_rows(&r);
	while (off < whole_len) {
		size_t size = noise(&seed) % 3 ? noise(&seed) % 5000 : noise(&seed) % 200000;

		r.may_prefetch = noise(&seed) % 2;
		size = size < 131072 ? size + 1 : 131072;
		expect_at(&r, off, size);
		off += r.n;
	}
	expect_at(&r, off, 131072);
	reader_close(&r);
}

static bool yes(void *arg)
{
	(void)arg;
	return true;
}

static void *prefetch(void *arg)
{
	struct reader *r = arg;

	kv_file_prefetch(r->file, yes, NULL);
	return NULL;
}

static void the_whole_comes_while_other_threads_prefetch(void **state)
{
	pthread_t threads[1000];
	unsigned int n = 0;
	struct reader r;

	(void)state;
	open_rows(&r);
	for (int times = 0; times < 3; times++)
		for (uint64_t off = 0; off < whole_len - 131072 * (times < 2); off += r.n) {
			expect_at(&r, off, 131072);
			pthread_create(&threads[n++], NULL, prefetch, &r);
			assert_true(n < ARRAY_SIZE(threads));
		}
	while (n)
		pthread_join(threads[--n], NULL);
	reader_close(&r);
}

static void a_file_that_rests_starts_over(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	expect_at(&r, 0, 131072);
	kv_file_rest(r.file, INT32_MAX);
	assert_int_equal(read_at(&r, 131072, 131072), -ESTALE);
	expect_at(&r, 0, 131072);
	reader_close(&r);
}

static void reads_are_filled_while_there_is_more(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	for (uint64_t off = 0; off + 5000 < whole_len; off += 5000)
		expect_at(&r, off, 5000);
	reader_close(&r);
}

static void nothing_is_iterated_before_the_first_read(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	assert_int_equal(fake.opens, 0);
	reader_close(&r);
	assert_int_equal(fake.opens, 0);
}

static void behind_the_end_there_is_nothing(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	expect_at(&r, whole_len, 100);
	expect_at(&r, whole_len + 1000000, 100);
	expect_at(&r, whole_len - 1, 100);
	reader_close(&r);
}

static void the_largest_offset_is_behind_the_end(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	expect_at(&r, whole_len, 1);
	assert_int_equal(read_at(&r, INT64_MAX, 4096), 0);
	assert_int_equal(r.n, 0);
	assert_int_equal(read_at(&r, UINT64_MAX, 4096), 0);
	assert_int_equal(r.n, 0);
	reader_close(&r);
}

static void a_view_without_rows_is_its_header(void **state)
{
	struct reader r;

	(void)state;
	fake_records(0, NULL, 0);
	reader_open(&r, &kv_format_text, 0);
	assert_int_equal(read_at(&r, 0, 100), 0);
	assert_bytes(r.got, r.n, BYTES("N NAME\n"));
	assert_int_equal(read_at(&r, 7, 100), 0);
	assert_int_equal(r.n, 0);
	reader_close(&r);
}

static void json_without_rows_is_empty(void **state)
{
	struct reader r;

	(void)state;
	fake_records(0, NULL, 0);
	reader_open(&r, &kv_format_json, 0);
	assert_int_equal(read_at(&r, 0, 100), 0);
	assert_int_equal(r.n, 0);
	reader_close(&r);
}

static void other_formats_come_as_they_are_asked_for(void **state)
{
	struct reader r;

	(void)state;
	fake_records(2, NULL, 0);
	reader_open(&r, &kv_format_json, 0);
	assert_int_equal(read_at(&r, 0, 1000), 0);
	assert_bytes(r.got, r.n,
		     BYTES("{\"n\":0,\"name\":\"name-0\"}\n{\"n\":1,\"name\":\"name-1-\"}\n"));
	reader_close(&r);
	reader_open(&r, &kv_format_csv, 0);
	assert_int_equal(read_at(&r, 0, 1000), 0);
	assert_bytes(r.got, r.n, BYTES("n,name\n0,name-0\n1,name-1-\n"));
	reader_close(&r);
}

/* --- stepping back and ahead --- */

static void the_last_128_kib_served_are_answered_again(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	expect_at(&r, 500000, 4096);
	expect_at(&r, 500000, 4096);
	expect_at(&r, 500000 + 4096 - KV_WINDOW_KEEP, 4096);
	expect_at(&r, 500100, 10);
	expect_at(&r, 504096, 4096);
	assert_int_equal(fake.opens, 1);
	reader_close(&r);
}

static void after_the_largest_read_all_of_it_is_answered_again(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	expect_at(&r, 0, KV_WINDOW_KEEP);
	expect_at(&r, KV_WINDOW_KEEP, KV_WINDOW_KEEP);
	expect_at(&r, KV_WINDOW_KEEP, KV_WINDOW_KEEP);
	expect_at(&r, 3 * KV_WINDOW_KEEP, KV_WINDOW_KEEP);
	expect_at(&r, 3 * KV_WINDOW_KEEP, KV_WINDOW_KEEP);
	reader_close(&r);
}

static void an_offset_that_is_gone_is_refused(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	expect_at(&r, 600000, 4096);
	assert_int_equal(read_at(&r, 1, 10), -ESPIPE);
	assert_int_equal(read_at(&r, 600000 - 2 * KV_WINDOW_KEEP, 10), -ESPIPE);
	/* and reading goes on undisturbed */
	expect_at(&r, 604096, 4096);
	reader_close(&r);
}

static void a_gap_ahead_is_read_and_discarded(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	expect_at(&r, 12345, 10);
	expect_at(&r, 300000, 10);
	expect_at(&r, 700001, 100000);
	assert_int_equal(fake.opens, 1);
	reader_close(&r);
}

static void offset_0_starts_over_with_fresh_data(void **state)
{
	struct reader r;

	(void)state;
	open_rows(&r);
	expect_at(&r, 0, 100);
	fake_records(1, NULL, 0);
	assert_int_equal(read_at(&r, 100, 10), 0); /* still the old */
	assert_true(memcmp(r.got, whole + 100, 10) == 0);
	assert_int_equal(read_at(&r, 0, 100), 0);
	assert_bytes(r.got, r.n, BYTES("N NAME\n0 name-0\n"));
	assert_int_equal(fake.opens, 2);
	reader_close(&r);
}

/* As bash does: a block, then back to behind the first line. */
static void lines_are_read_by_stepping_back(void **state)
{
	struct reader r;
	uint64_t off = 0;

	(void)state;
	open_rows(&r);
	for (int line = 0; line < 3000; line++) {
		expect_at(&r, off, 4096);
		off += (size_t)((char *)memchr(r.got, '\n', r.n) - r.got) + 1;
	}
	assert_int_equal(fake.opens, 1);
	reader_close(&r);
}

static void random_offsets_give_the_right_bytes_or_none(void **state)
{
	uint64_t seed = 5, end = 0;
	bool passed = false; /* the end of the stream */
	struct reader r;

	(void)state;
	open_rows(&r);
	for (int i = 0; i < 2000; i++) {
		uint64_t off = 1 + noise(&seed) % (end + 30000);
		size_t size = noise(&seed) % 20000;

		if (read_at(&r, off, size) == 0) {
			assert_true(!r.n || off + r.n <= whole_len);
			assert_true(!r.n || memcmp(r.got, whole + off, r.n) == 0);
			end = r.n && off + r.n > end ? off + r.n : end;
			passed = passed || off >= whole_len;
		} else {
			/* only what lies too far back, or was passed on the way to the end */
			assert_true(off + KV_WINDOW_KEEP < (passed ? whole_len : end));
		}
	}
	reader_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(small_reads_give_the_whole),
		WITH_FAKE(reads_of_a_page_give_the_whole),
		WITH_FAKE(reads_of_128_kib_give_the_whole),
		WITH_FAKE(larger_reads_are_cut_to_128_kib),
		WITH_FAKE(reads_are_filled_while_there_is_more),
		WITH_FAKE(a_large_read_is_followed_by_a_prefetch),
		WITH_FAKE(the_whole_comes_by_reads_of_all_sizes),
		WITH_FAKE(the_whole_comes_while_other_threads_prefetch),
		WITH_FAKE(a_file_that_rests_starts_over),
		WITH_FAKE(nothing_is_iterated_before_the_first_read),
		WITH_FAKE(behind_the_end_there_is_nothing),
		WITH_FAKE(the_largest_offset_is_behind_the_end),
		WITH_FAKE(a_view_without_rows_is_its_header),
		WITH_FAKE(json_without_rows_is_empty),
		WITH_FAKE(other_formats_come_as_they_are_asked_for),
		WITH_FAKE(the_last_128_kib_served_are_answered_again),
		WITH_FAKE(after_the_largest_read_all_of_it_is_answered_again),
		WITH_FAKE(an_offset_that_is_gone_is_refused),
		WITH_FAKE(a_gap_ahead_is_read_and_discarded),
		WITH_FAKE(offset_0_starts_over_with_fresh_data),
		WITH_FAKE(lines_are_read_by_stepping_back),
		WITH_FAKE(random_offsets_give_the_right_bytes_or_none),
	};

	return cmocka_run_group_tests_name("file", tests, make_whole, free_whole);
}
