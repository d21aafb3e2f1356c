// SPDX-License-Identifier: GPL-2.0-only
/* Walks whose records are spooled: chunks in their order, walks that fail, records that are cut. */
#include "spool_map.h"

static void chunks_come_in_their_order_and_once(void **state)
{
	struct kv_spool *spool;
	char to[CHUNK];
	uint64_t n;

	(void)state;
	map.last_len = 100;
	spool = make_one(5);
	assert_int_equal(map.nkeys, 0);
	for (uint64_t i = 0; i < 5; i++) {
		assert_int_equal(kv_spool_read(spool, to, sizeof(to)), i < 4 ? CHUNK : 100);
		memcpy(&n, to, sizeof(n));
		assert_int_equal(n, i);
	}
	assert_int_equal(kv_spool_read(spool, to, sizeof(to)), 0);
	assert_int_equal(kv_spool_read(spool, to, sizeof(to)), 0);
	kv_spool_free(spool);
}

static void a_read_takes_whole_chunks(void **state)
{
	static char to[5 * CHUNK];
	struct kv_spool *spool;
	uint64_t n;

	(void)state;
	spool = make_one(5);
	assert_int_equal(kv_spool_read(spool, to, 3 * CHUNK - 1), 2 * CHUNK);
	memcpy(&n, to + CHUNK, sizeof(n));
	assert_int_equal(n, 1);
	assert_int_equal(kv_spool_read(spool, to, sizeof(to)), 3 * CHUNK);
	memcpy(&n, to, sizeof(n));
	assert_int_equal(n, 2);
	kv_spool_free(spool);
}

static void a_walk_without_rows_is_empty(void **state)
{
	struct kv_spool *spool;
	char to[CHUNK];

	(void)state;
	spool = make_one(0);
	assert_int_equal(kv_spool_read(spool, to, sizeof(to)), 0);
	kv_spool_free(spool);
}

/* --- walks that fail --- */

static void a_walk_that_found_no_room_is_run_anew(void **state)
{
	struct kv_spool *spool;

	(void)state;
	map.saws[0] = KV_SAW_FULL;
	map.saws[1] = KV_SAW_FULL | KV_SAW_END;
	map.saws[2] = 0; /* it has stopped on the way */
	spool = make_one(3);
	assert_int_equal(map.walks, 4);
	assert_int_equal(map.nkeys, 0);
	kv_spool_free(spool);
}

static void a_map_that_stays_full_is_lack_of_memory(void **state)
{
	struct kv_err err = {0};
	struct kv_spool *spool;

	(void)state;
	map.chunks = KV_SPOOL_CHUNKS / 2;
	memset(map.saws, KV_SAW_FULL, sizeof(map.saws));
	assert_int_equal(make(&spool, &err), KV_SAID_NO_MEMORY);
	assert_says(&err, "view 'called': its rows have no room in the kernel");
	assert_hints(&err, "more than 60 MiB");
	assert_int_equal(map.walks, 4);
	assert_int_equal(map.nkeys, 0); /* nothing of it is left for others to find no room */
}

static void a_program_that_fails_says_why(void **state)
{
	struct kv_err err = {0};
	struct kv_spool *spool;

	(void)state;
	map.call_fail = -EPERM;
	assert_int_equal(make(&spool, &err), -EPERM);
	assert_null(spool);
}

static void a_chunk_that_is_gone_fails_the_walk(void **state)
{
	struct kv_err err = {0};
	struct kv_spool *spool;

	(void)state;
	map.chunks = 6;
	map.take_fail_at = 3;
	map.take_fail = -ENOENT;
	assert_int_equal(make(&spool, &err), -ENOENT);
	assert_int_equal(map.nkeys, 0);
}

static void a_chunk_longer_than_it_can_be_is_refused(void **state)
{
	struct kv_err err = {0};
	struct kv_spool *spool;

	(void)state;
	map.chunks = 2;
	map.len = CHUNK + 1;
	assert_int_equal(make(&spool, &err), -EBADMSG);
	assert_int_equal(map.nkeys, 0);
}

static void an_iterator_is_made_for_each_walk_and_closed(void **state)
{
	const int before = open_fds();
	struct kv_spool *spool;

	(void)state;
	view.loaded.link_fd = 1;
	map.saws[0] = KV_SAW_FULL;
	spool = make_one(2);
	assert_int_equal(map.begins, 2);
	assert_int_equal(map.walks, 2);
	assert_int_equal(open_fds(), before);
	kv_spool_free(spool);
}

static void without_an_iterator_there_is_no_walk(void **state)
{
	static const struct kv_scope scope;
	struct kv_spool *spool = NULL;
	struct kv_err err = {0};
	uint8_t saw;

	(void)state;
	view.loaded.link_fd = 1;
	assert_int_equal(kv_spool_new(&view, &scope, begin_fails, NULL, &spool, &saw, &err),
			 -EMFILE);
	assert_int_equal(map.walks, 0);
}

/* --- records in chunks --- */

#define RECORD 97 /* does not divide a chunk */

static char *records(size_t n)
{
	const uint16_t name = RECORD - ROW_FIXED;
	char *bytes = malloc(n * RECORD);

	memset(bytes, 'n', n * RECORD);
	for (size_t i = 0; i < n; i++) {
		const struct kv_str str = {ROW_FIXED, name};

		memcpy(bytes + i * RECORD, &(uint32_t){RECORD}, 4);
		memcpy(bytes + i * RECORD + 4, &(uint32_t){(uint32_t)i}, 4);
		memcpy(bytes + i * RECORD + 8, &str, sizeof(str));
	}
	return bytes;
}

/* Records 0 to @n - 1 in so many bytes per chunk, cut wherever a chunk ends, to the end. */
static int run_records(size_t n, size_t len, struct kv_err *err)
{
	static const struct kv_reader reader = {.holds = {-1, -1, -1, -1, -1}};
	const struct kv_run_opts opts = {.reader = &reader};
	struct kv_run *run = NULL;
	const void *record;
	uint32_t got, number;
	size_t came = 0;
	int rc;

	map.stream = records(n);
	map.chunks = (n * RECORD + len - 1) / len;
	map.len = (uint32_t)len;
	map.last_len = (uint32_t)(n * RECORD - (map.chunks - 1) * len) - map.cut;
	assert_int_equal(kv_run_new(&view, &opts, &run, err), 0);
	while ((rc = kv_run_next(run, &record, &got, err)) > 0) {
		memcpy(&number, (const char *)record + 4, 4);
		assert_int_equal(got, RECORD);
		assert_int_equal(number, came++);
	}
	kv_run_free(run);
	free(map.stream);
	map.stream = NULL;
	assert_int_equal(came, map.cut ? n - 1 : n);
	return rc;
}

static void records_that_chunks_cut_are_whole(void **state)
{
	static const size_t lens[] = {1, 5, RECORD - 1, RECORD, RECORD + 1, 1000, CHUNK};
	struct kv_err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++)
		assert_int_equal(run_records(lens[i] < 5 ? 20 : 400, lens[i], &err), 0);
	assert_int_equal(run_records(20000, CHUNK, &err), 0);
}

static void a_last_record_that_is_cut_off_is_an_error(void **state)
{
	struct kv_err err = {0};

	(void)state;
	map.cut = 1;
	assert_int_equal(run_records(400, 1000, &err), -EIO);
	assert_says(&err, "view 'called'");
}

static void a_reader_is_told_of_lack_of_memory_by_enomem(void **state)
{
	static const struct kv_reader reader = {.holds = {-1, -1, -1, -1, -1}};
	const struct kv_run_opts opts = {.reader = &reader};
	struct kv_run *run = NULL;
	struct kv_err err = {0};
	const void *record;
	uint32_t len;

	(void)state;
	memset(map.saws, KV_SAW_FULL, sizeof(map.saws));
	assert_int_equal(kv_run_new(&view, &opts, &run, &err), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kv_run_next(run, &record, &len, &err), -ENOMEM);
		assert_says(&err, "its rows have no room in the kernel");
	}
	kv_run_free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF(chunks_come_in_their_order_and_once),
		OF(a_read_takes_whole_chunks),
		OF(a_walk_without_rows_is_empty),
		OF(a_walk_that_found_no_room_is_run_anew),
		OF(a_map_that_stays_full_is_lack_of_memory),
		OF(a_program_that_fails_says_why),
		OF(a_chunk_that_is_gone_fails_the_walk),
		OF(a_chunk_longer_than_it_can_be_is_refused),
		OF(an_iterator_is_made_for_each_walk_and_closed),
		OF(without_an_iterator_there_is_no_walk),
		OF(records_that_chunks_cut_are_whole),
		OF(a_last_record_that_is_cut_off_is_an_error),
		OF(a_reader_is_told_of_lack_of_memory_by_enomem),
	};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
