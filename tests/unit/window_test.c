// SPDX-License-Identifier: GPL-2.0-only
/* The window over a stream against a plain copy of the whole stream. */
#include "stream/window.h"
#include "unit.h"

#define STREAM_MAX (24u << 20)

struct model {
	struct kv_window w;
	char *stream; /* all bytes ever put, by offset */
	uint64_t end;
	uint64_t seed;
};

static void model_init(struct model *m, uint64_t seed)
{
	*m = (struct model){.seed = seed, .stream = malloc(STREAM_MAX)};
	assert_non_null(m->stream);
	for (size_t i = 0; i < STREAM_MAX; i++)
		m->stream[i] = (char)noise(&m->seed);
}

static void model_free(struct model *m)
{
	kv_window_forget(&m->w);
	free(m->stream);
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

static void put(struct model *m, size_t n)
{
	assert_true(m->end + n <= STREAM_MAX);
	assert_int_equal(kv_window_put(&m->w, m->stream + m->end, n), 0);
	m->end += n;
	assert_true(m->w.end == m->end);
	/* The last bytes are always there, and memory is bounded. */
	assert_true(m->w.start == (m->end > KV_WINDOW_MAX ? m->end - KV_WINDOW_MAX : 0));
	assert_true(m->w.cap <= KV_WINDOW_MAX);
}

static void a_new_window_is_empty_and_takes_no_memory(void **state)
{
	struct kv_window w = {0};
	struct iovec iov[2];

	(void)state;
	assert_int_equal(kv_window_get(&w, 0, 100, iov), 0);
	assert_null(w.ring);
}

static void what_is_put_comes_back(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 1);
	put(&m, 0);
	put(&m, 100);
	check_all(&m);
	check_at(&m, 10, 20);
	check_at(&m, 99, 1);
	check_at(&m, 100, 1);
	check_at(&m, 0, 0);
	model_free(&m);
}

static void a_small_stream_takes_little_memory(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 4);
	for (int i = 0; i < 10; i++)
		put(&m, 400);
	assert_true(m.w.cap <= 8192);
	check_all(&m);
	model_free(&m);
}

static void a_forgotten_window_takes_none_and_can_be_used_anew(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 12);
	put(&m, 5000);
	kv_window_forget(&m.w);
	assert_null(m.w.ring);
	assert_int_equal(m.w.start, 5000);
	assert_int_equal(m.w.end, 5000);
	kv_window_reset(&m.w);
	m.end = 0;
	put(&m, 10);
	check_all(&m);
	model_free(&m);
}

static size_t random_size(struct model *m)
{
	switch (noise(&m->seed) % 16) {
	case 0:
		return noise(&m->seed) % (KV_WINDOW_KEEP + 1);
	case 1:
		return KV_WINDOW_KEEP;
	case 2:
		return noise(&m->seed) % 4;
	default:
		return noise(&m->seed) % 2000;
	}
}

/* By noise: puts of any size and gets from anywhere; now and then all is forgotten. */
static void random_operations_match_a_plain_buffer(void **state)
{
	struct model m;

	(void)state;
	model_init(&m, 0x9e3779b97f4a7c15);
	for (int i = 0; i < 20000; i++) {
		size_t n = random_size(&m);
		uint64_t there = m.w.end - m.w.start;

		check_at(&m, m.w.start + noise(&m.seed) % (there + 1),
			 noise(&m.seed) % (KV_WINDOW_MAX * 2));
		if (m.end + n > STREAM_MAX || noise(&m.seed) % 512 == 0) {
			kv_window_reset(&m.w);
			m.end = 0;
		}
		put(&m, n);
		if (i % 64 == 0)
			check_all(&m);
	}
	model_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_window_is_empty_and_takes_no_memory),
		cmocka_unit_test(what_is_put_comes_back),
		cmocka_unit_test(a_small_stream_takes_little_memory),
		cmocka_unit_test(a_forgotten_window_takes_none_and_can_be_used_anew),
		cmocka_unit_test(random_operations_match_a_plain_buffer),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
