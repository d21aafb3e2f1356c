/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks whose records are spooled, without a kernel: the map of chunks is made here. These
 * definitions stand before libbpf's in the program that includes them, once.
 */
#ifndef KVIEW_UNIT_SPOOL_MAP_H
#define KVIEW_UNIT_SPOOL_MAP_H

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access/chunks.h"
#include "access/identity.h"
#include "stream/run.h"
#include "stream/spool.h"
#include "row_schema.h"
#include "unit.h"

#define CHUNK sizeof(((struct kv_chunk *)NULL)->bytes)
#define DEAD 4194305u /* above the highest number that Linux gives to a thread */
#define SELF_PROG 7
#define VIEW_PROG 8
#define READERS 9
#define SPOOL 10

/* One walk: the program puts @chunks into the map, of @len bytes each but the last. */
static struct {
	struct kv_chunk_key keys[KV_SPOOL_CHUNKS];
	size_t nkeys;
	uint64_t chunks;
	uint32_t len, last_len;
	uint8_t saws[8]; /* of each walk, the last one for all others */
	unsigned int walks, begins;
	int call_fail, take_fail;
	uint64_t take_fail_at;
	char *stream; /* what chunks have; NULL: their numbers */
	uint32_t cut; /* bytes that the last one lacks */
	struct kv_reading reading;
} map;

static struct kv_view view = {
	.name = "called",
	.kind = KV_KIND_CALL,
	.schema = &row_schema,
	.is_loaded = true,
	.loaded = {VIEW_PROG, -1, READERS, SPOOL},
};

static inline uint64_t self_id(void)
{
	return (uint64_t)getpid() << 32 | (uint32_t)gettid();
}

static inline void put(uint64_t thread, uint64_t n)
{
	assert_true(map.nkeys < ARRAY_SIZE(map.keys));
	map.keys[map.nkeys++] = (struct kv_chunk_key){.thread = thread, .n = n};
}

static inline size_t find(const struct kv_chunk_key *key)
{
	size_t i = 0;

	while (i < map.nkeys && memcmp(&map.keys[i], key, sizeof(*key)) != 0)
		i++;
	return i;
}

static inline bool has(uint64_t thread, uint64_t n)
{
	return find(&(struct kv_chunk_key){.thread = thread, .n = n}) < map.nkeys;
}

/* The one that is removed last makes room: so the order of the others stays. */
static inline int drop(const struct kv_chunk_key *key)
{
	size_t i = find(key);

	if (i == map.nkeys)
		return -ENOENT;
	memmove(&map.keys[i], &map.keys[i + 1], (map.nkeys - i - 1) * sizeof(*map.keys));
	map.nkeys--;
	return 0;
}

/* Each chunk is told by its first bytes. */
static inline int take(const struct kv_chunk_key *key, struct kv_chunk *chunk)
{
	if (map.take_fail && key->n == map.take_fail_at)
		return map.take_fail;
	if (drop(key))
		return -ENOENT;
	chunk->len = key->n + 1 == map.chunks ? map.last_len : map.len;
	if (map.stream) {
		memcpy(chunk->bytes, map.stream + key->n * map.len, chunk->len);
		return 0;
	}
	memset(chunk->bytes, 'x', CHUNK);
	memcpy(chunk->bytes, &key->n, sizeof(key->n));
	return 0;
}

static inline void walk(void)
{
	const unsigned int last = ARRAY_SIZE(map.saws) - 1;

	for (uint64_t i = 0; i < map.chunks; i++)
		put(self_id(), i);
	map.reading.progress.chunks = map.chunks;
	map.reading.scope.saw = map.saws[map.walks < last ? map.walks : last];
	map.walks++;
}

/* --- libbpf --- */

int bpf_prog_test_run_opts(int prog_fd, struct bpf_test_run_opts *opts)
{
	if (prog_fd == SELF_PROG)
		return -ENOTSUP;
	assert_int_equal(prog_fd, VIEW_PROG);
	if (map.call_fail)
		return map.call_fail;
	walk();
	opts->retval = 0;
	return 0;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	(void)key;
	(void)flags;
	assert_int_equal(fd, READERS);
	memcpy(&map.reading, value, sizeof(map.reading));
	return 0;
}

int bpf_map_lookup_and_delete_elem(int fd, const void *key, void *value)
{
	if (fd == SPOOL)
		return take(key, value);
	if (view.loaded.link_fd >= 0) /* it has been read */
		walk();
	memcpy(value, &map.reading, sizeof(map.reading));
	return 0;
}

int bpf_map_delete_elem(int fd, const void *key)
{
	return fd == SPOOL ? drop(key) : 0;
}

int bpf_map_get_next_key(int fd, const void *key, void *next)
{
	size_t i = key ? find(key) + 1 : 0;

	assert_int_equal(fd, SPOOL);
	if (i > map.nkeys) /* as the kernel: it begins anew where the key is gone */
		i = 0;
	if (i == map.nkeys)
		return -ENOENT;
	memcpy(next, &map.keys[i], sizeof(map.keys[i]));
	return 0;
}

/* --- who this thread is --- */

int bpf_link_create(int prog_fd, int target_fd, enum bpf_attach_type type,
		    const struct bpf_link_create_opts *opts)
{
	const struct kv_identity id = {.id = self_id(), .thread_start = 1};
	int fd = memfd_create("self", MFD_CLOEXEC);

	(void)target_fd;
	(void)type;
	(void)opts;
	assert_int_equal(prog_fd, SELF_PROG);
	assert_int_equal(write(fd, &id, sizeof(id)), sizeof(id));
	return fd;
}

int bpf_iter_create(int link_fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", link_fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

__attribute__((constructor)) static void know_self(void)
{
	static const struct kv_loaded query = {SELF_PROG, -1, -1, -1};

	kv_self_by(&query);
}

/* --- spools --- */

static inline int setup(void **state)
{
	(void)state;
	memset(&map, 0, sizeof(map));
	memset(map.saws, KV_SAW_END, sizeof(map.saws));
	map.len = map.last_len = CHUNK;
	view.loaded.link_fd = -1;
	return 0;
}

/* An iterator without output: the program has put all into the map. */
static inline int begin(void *arg)
{
	(void)arg;
	map.begins++;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static inline int begin_fails(void *arg)
{
	(void)arg;
	return -EMFILE;
}

static inline int make(struct kv_spool **spool, struct kv_err *err)
{
	static const struct kv_scope scope;
	uint8_t saw;

	*spool = NULL;
	return kv_spool_new(&view, &scope, begin, NULL, spool, &saw, err);
}

static inline struct kv_spool *make_one(uint64_t chunks)
{
	struct kv_err err = {0};
	struct kv_spool *spool;

	map.chunks = chunks;
	assert_int_equal(make(&spool, &err), 0);
	return spool;
}

#define OF(f) cmocka_unit_test_setup(f, setup)

#endif
