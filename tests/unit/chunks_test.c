// SPDX-License-Identifier: GPL-2.0-only
/* What others have left in the map of chunks, and how much all spools of a process may keep. */
#include "spool_map.h"

/* --- what others have left in the map --- */

static void chunks_of_dead_threads_and_older_ones_are_swept(void **state)
{
	const uint64_t init = UINT64_C(1) << 32 | 1, dead = (uint64_t)DEAD << 32 | DEAD;
	struct kv_spool *spool;

	(void)state;
	put(dead, 0);
	put(self_id(), 7); /* by an earlier walk, or a thread that had this number */
	put(init, 0);
	put(dead, 1);
	put(dead + 1, 0);
	put(init, 1);
	spool = make_one(1);
	assert_true(has(init, 0) && has(init, 1));
	assert_int_equal(map.nkeys, 2);
	kv_spool_free(spool);
}

static void a_sweep_of_a_full_map_leaves_those_who_live(void **state)
{
	const uint64_t init = UINT64_C(1) << 32 | 1, dead = (uint64_t)DEAD << 32 | DEAD;

	(void)state;
	for (uint64_t i = 0; i < KV_SPOOL_CHUNKS; i++)
		put(i % 3 ? init : dead, i);
	kv_chunks_sweep(SPOOL, self_id());
	assert_int_equal(map.nkeys, KV_SPOOL_CHUNKS - (KV_SPOOL_CHUNKS + 2) / 3);
	for (uint64_t i = 0; i < KV_SPOOL_CHUNKS; i++)
		assert_int_equal(has(init, i), i % 3 != 0);
	kv_chunks_sweep(SPOOL, self_id());
	assert_int_equal(map.nkeys, KV_SPOOL_CHUNKS - (KV_SPOOL_CHUNKS + 2) / 3);
}

/* In a nested pid namespace numbers are others': a thread is not taken for a dead one there. */
static void whoever_has_other_numbers_sweeps_own_chunks_alone(void **state)
{
	const uint64_t self = (uint64_t)DEAD << 32 | (DEAD + 1), dead = (uint64_t)DEAD << 32 | DEAD;

	(void)state;
	put(dead, 0);
	put(self, 0);
	kv_chunks_sweep(SPOOL, self);
	assert_true(has(dead, 0));
	assert_false(has(self, 0));
}

static void a_chunk_is_taken_once(void **state)
{
	struct kv_chunk chunk;

	(void)state;
	map.chunks = 2;
	put(5, 1);
	assert_int_equal(kv_chunk_take(SPOOL, 5, 0, &chunk), -ENOENT);
	assert_int_equal(kv_chunk_take(SPOOL, 5, 1, &chunk), 0);
	assert_int_equal(kv_chunk_take(SPOOL, 5, 1, &chunk), -ENOENT);
}

/* --- what all spools may keep --- */

/* As many as there is room for, at @most, of @chunks each. */
static size_t fill(struct kv_spool **spools, size_t most, uint64_t chunks)
{
	struct kv_err err = {0};
	size_t n = 0;
	int rc;

	map.chunks = chunks;
	while (n < most && !(rc = make(&spools[n], &err)))
		n++;
	assert_true(n < most);
	assert_int_equal(rc, KV_SAID_NO_MEMORY);
	assert_says(&err, "view 'called': no memory to keep its rows until they are read");
	assert_hints(&err, "256 MiB");
	assert_int_equal(map.nkeys, 0);
	return n;
}

static void empty(struct kv_spool **spools, size_t n)
{
	for (size_t i = 0; i < n; i++)
		kv_spool_free(spools[i]);
}

static void beyond_the_bound_a_reader_fails_and_the_others_go_on(void **state)
{
	static char to[8 * CHUNK];
	struct kv_spool *spools[8], *more;
	struct kv_err err = {0};
	ssize_t n, total = 0;
	size_t made;

	(void)state;
	made = fill(spools, ARRAY_SIZE(spools), KV_SPOOL_CHUNKS);
	assert_int_equal(made, KV_SPOOL_KEPT_MAX / (KV_SPOOL_CHUNKS * CHUNK));
	assert_int_equal(make(&more, &err), KV_SAID_NO_MEMORY);
	while ((n = kv_spool_read(spools[1], to, sizeof(to))) > 0)
		total += n;
	assert_int_equal(total, KV_SPOOL_CHUNKS * CHUNK);
	kv_spool_free(make_one(KV_SPOOL_CHUNKS)); /* in the room of what was read */
	kv_spool_free(spools[0]);
	spools[0] = make_one(KV_SPOOL_CHUNKS); /* and of one that was closed */
	spools[made] = make_one(KV_SPOOL_CHUNKS);
	assert_int_equal(make(&more, &err), KV_SAID_NO_MEMORY);
	empty(spools, made + 1);
}

/* No failure keeps a part of the room: it is the same each time. */
static void the_bound_stays_where_it_is(void **state)
{
	static struct kv_spool *spools[200];
	size_t first;

	(void)state;
	first = fill(spools, ARRAY_SIZE(spools), 300);
	assert_in_range(first, KV_SPOOL_KEPT_MAX / (300 * (CHUNK + 64)),
			KV_SPOOL_KEPT_MAX / (300 * CHUNK));
	for (int i = 0; i < 3; i++) {
		empty(spools, first);
		map.take_fail = 0;
		assert_int_equal(fill(spools, ARRAY_SIZE(spools), 300), first);
		empty(&spools[first - 1], 1);
		map.take_fail = -ENOENT;
		map.take_fail_at = 299;
		for (int j = 0; j < 5; j++)
			assert_int_equal(make(&spools[first - 1], &(struct kv_err){0}), -ENOENT);
		map.take_fail = 0;
		spools[first - 1] = make_one(300);
	}
	empty(spools, first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF(chunks_of_dead_threads_and_older_ones_are_swept),
		OF(a_sweep_of_a_full_map_leaves_those_who_live),
		OF(whoever_has_other_numbers_sweeps_own_chunks_alone),
		OF(a_chunk_is_taken_once),
		OF(beyond_the_bound_a_reader_fails_and_the_others_go_on),
		OF(the_bound_stays_where_it_is),
	};

	return cmocka_run_group_tests_name("chunks", tests, NULL, NULL);
}
