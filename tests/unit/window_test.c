// SPDX-License-Identifier: GPL-2.0-only
/* The window over a stream against a plain copy of the whole stream. */
#include "stream/window.h"
#include "unit.h"

#define STREAM_MAX (24u << 20)

struct model {
	struct kv_window w;
	char *stream; /* all bytes ever committed, by offset */
	uint64_t end;
	unsigned int spills; /* rows that were written beside the ring */
	size_t largest;	     /* reserve so far */
	uint64_t seed;
};

static void model_init(struct model *m, uint64_t seed)
{
	*m = (struct model){.seed = seed, .stream = malloc(STREAM_MAX)};
	assert_non_null(m->stream);
}

static void model_free(struct model *m)
{
	kv_window_free(&m->w);
	free(m->stream);
}

static void check_bounds(const struct model *m)
{
	size_t slack = m->largest > KV_WINDOW_SLACK ? m->largest : KV_WINDOW_SLACK;

	assert_true(m->w.end == m->end);
	assert_true(m->w.start <= m->w.end);
	/* The last KEEP bytes are always there ... */
	assert_true(m->w.start == 0 || m->w.end - m->w.start >= KV_WINDOW_KEEP);
	/* ... and memory is bounded. */
	assert_true(m->w.cap <= KV_WINDOW_KEEP + slack);
	assert_null(m->w.spill); /* no row is being written */
}

/* @n bytes reserved and scribbled over, @used of them committed. */
static void put(struct model *m, size_t n, size_t used)
{
	char *at = kv_window_reserve(&m->w, n);

	assert_non_null(at);
	m->spills += m->w.spill != NULL;
	assert_true(m->end + used <= STREAM_MAX);
	if (n > m->largest)
		m->largest = n;
	memset(at, 0xee, n);
	for (size_t i = 0; i < used; i++)
		at[i] = m->stream[m->end + i] = (char)noise(&m->seed);
	kv_window_commit(&m->w, at, used);
	m->end += used;
	check_bounds(m);
}

static void check_at(const struct model *m, uint64_t off, size_t size)
{
	size_t want = size < m->end - off ? size : (size_t)(m->end - off), got = 0;
	struct iovec iov[2];
	int n = kv_window_get(&m->w, off, size, iov);

	assert_in_range(n, 0, 2);
	for (int i = 0; i < n; i++) {
		assert_true(iov[i].iov_len > 0);
		assert_true(got + iov[i].iov_len <= want);
		assert_true(memcmp(iov[i].iov_base, m->stream + off + got, iov[i].iov_len) == 0);
		got += iov[i].iov_len;
	}
	assert_int_equal(got, want);
}

static void check_all(const struct model *m)
{
	check_at(m, m->w.start, STREAM_MAX);
}

static void check_random(struct model *m)
{
	uint64_t there = m->w.end - m->w.start;

	check_at(m, m->w.start + (there ? noise(&m->seed) % (there + 1) : 0),
		 noise(&m->seed) % (KV_WINDOW_KEEP * 2));
}

/* --- one thing at a time --- */

static void a_new_window_is_empty_and_takes_no_memory(void **state)
{
	struct kv_window w = {0};
	struct iovec iov[2];

	(void)state;
	assert_int_equal(kv_window_get(&w, 0, 100, iov), 0);
	assert_null(w.ring);
	kv_window_free(&w);
}

static void what_is_put_comes_back(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 1);
	put(&m, 100, 100);
	check_all(&m);
	check_at(&m, 10, 20);
	check_at(&m, 99, 1);
	check_at(&m, 100, 1);
	check_at(&m, 0, 0);
	model_free(&m);
}

static void only_what_is_committed_counts(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 2);
	put(&m, 5000, 3);
	put(&m, 5000, 0);
	put(&m, 5000, 7);
	assert_int_equal(m.w.end, 10);
	check_all(&m);
	model_free(&m);
}

static void a_reservation_of_nothing_is_harmless(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 3);
	put(&m, 0, 0);
	put(&m, 10, 10);
	put(&m, 0, 0);
	check_all(&m);
	model_free(&m);
}

static void a_small_stream_takes_little_memory(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 4);
	for (int i = 0; i < 10; i++)
		put(&m, 400, 400);
	assert_true(m.w.cap <= 8192);
	check_all(&m);
	model_free(&m);
}

static void bytes_survive_growth(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 5);
	while (m.end < KV_WINDOW_KEEP)
		put(&m, 777, 777);
	assert_int_equal(m.w.start, 0);
	check_all(&m);
	model_free(&m);
}

static void the_last_128_kib_are_always_there(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 6);
	while (m.end < 10 * KV_WINDOW_KEEP) {
		put(&m, 30000, 1 + noise(&m.seed) % 30000);
		if (m.end > KV_WINDOW_KEEP)
			check_at(&m, m.end - KV_WINDOW_KEEP, KV_WINDOW_KEEP);
	}
	check_all(&m);
	model_free(&m);
}

static void a_row_across_the_edge_is_whole(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 7);
	while (m.end < 6 * KV_WINDOW_KEEP)
		put(&m, 9973, 9973);
	assert_true(m.spills >= 5);
	check_all(&m);
	model_free(&m);
}

static void a_row_that_ends_at_the_edge_needs_no_spill(void **state)
{
	const size_t cap = KV_WINDOW_KEEP + KV_WINDOW_SLACK, n = cap / 32;
	struct model m;

	(void)state;
	assert_int_equal(cap % n, 0);
	model_init(&m, 8);
	while (m.end < 8 * cap)
		put(&m, n, n);
	assert_int_equal(m.w.cap, cap);
	assert_int_equal(m.spills, 0);
	check_all(&m);
	model_free(&m);
}

static void a_row_larger_than_the_window_is_whole(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 9);
	put(&m, 1000, 1000);
	put(&m, 1 << 20, 1 << 20);
	check_all(&m);
	put(&m, 1000, 1000);
	check_all(&m);
	model_free(&m);
}

static void a_huge_reservation_keeps_the_last_128_kib(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 10);
	while (m.end < 3 * KV_WINDOW_KEEP)
		put(&m, 1000, 1000);
	put(&m, 1 << 20, 0);
	check_at(&m, m.end - KV_WINDOW_KEEP, KV_WINDOW_KEEP);
	check_all(&m);
	model_free(&m);
}

static void a_reset_window_begins_at_0_with_its_memory(void **state)
{
	struct model m;
	const char *ring;

	(void)state;
	model_init(&m, 11);
	while (m.end < 3 * KV_WINDOW_KEEP)
		put(&m, 5000, 5000);
	ring = m.w.ring;
	kv_window_reset(&m.w);
	m.end = 0;
	check_bounds(&m);
	check_all(&m);
	put(&m, 5000, 5000);
	assert_ptr_equal(m.w.ring, ring);
	check_all(&m);
	model_free(&m);
}

static void a_freed_window_can_be_used_anew(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 12);
	put(&m, 5000, 5000);
	kv_window_free(&m.w);
	m.end = 0;
	put(&m, 10, 10);
	check_all(&m);
	model_free(&m);
}

/* --- anything in any order --- */

static size_t random_size(struct model *m)
{
	switch (noise(&m->seed) % 16) {
	case 0:
		return noise(&m->seed) % 300000; /* huge */
	case 1:
		return KV_WINDOW_SLACK + noise(&m->seed) % 3 - 1;
	case 2:
		return noise(&m->seed) % 4;
	case 3:
	case 4:
		return noise(&m->seed) % KV_WINDOW_SLACK;
	default:
		return noise(&m->seed) % 2000;
	}
}

static void run_random(uint64_t seed, bool resets)
{
	struct model m;

	model_init(&m, seed);
	for (int i = 0; i < 4000; i++) {
		size_t n = random_size(&m),
		       used = noise(&m.seed) % 3 ? n : noise(&m.seed) % (n + 1);

		if (m.end + n > STREAM_MAX || (resets && noise(&m.seed) % 512 == 0)) {
			kv_window_reset(&m.w);
			m.end = 0;
		}
		put(&m, n, used);
		check_random(&m);
		if (i % 64 == 0)
			check_all(&m);
	}
	check_all(&m);
	model_free(&m);
}

static void random_operations_match_a_plain_buffer(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++)
		run_random(seed * 0x9e3779b97f4a7c15, false);
}

static void random_operations_with_resets_match_a_plain_buffer(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++)
		run_random(seed * 0xc2b2ae3d27d4eb4f, true);
}

static void a_long_stream_gets_the_full_ring_at_once(void **state)
{
	struct kv_window w = {.is_long = true};

	(void)state;
	assert_non_null(kv_window_reserve(&w, 10));
	assert_int_equal(w.cap, KV_WINDOW_KEEP + KV_WINDOW_SLACK);
	kv_window_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_window_is_empty_and_takes_no_memory),
		cmocka_unit_test(what_is_put_comes_back),
		cmocka_unit_test(only_what_is_committed_counts),
		cmocka_unit_test(a_reservation_of_nothing_is_harmless),
		cmocka_unit_test(a_small_stream_takes_little_memory),
		cmocka_unit_test(a_long_stream_gets_the_full_ring_at_once),
		cmocka_unit_test(bytes_survive_growth),
		cmocka_unit_test(the_last_128_kib_are_always_there),
		cmocka_unit_test(a_row_across_the_edge_is_whole),
		cmocka_unit_test(a_row_that_ends_at_the_edge_needs_no_spill),
		cmocka_unit_test(a_row_larger_than_the_window_is_whole),
		cmocka_unit_test(a_huge_reservation_keeps_the_last_128_kib),
		cmocka_unit_test(a_reset_window_begins_at_0_with_its_memory),
		cmocka_unit_test(a_freed_window_can_be_used_anew),
		cmocka_unit_test(random_operations_match_a_plain_buffer),
		cmocka_unit_test(random_operations_with_resets_match_a_plain_buffer),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
