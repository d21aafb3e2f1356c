/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Iterators without a kernel: these definitions stand before libbpf's in the
 * program that includes them, so that bytes made by a test come out of an
 * iterator's descriptor. Include it in one file of a program.
 */
#ifndef KVIEW_UNIT_FAKE_ITER_H
#define KVIEW_UNIT_FAKE_ITER_H

#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/identity.h"
#include "load/kernel.h"
#include "load/load.h"
#include "stream/run.h"
#include "row_schema.h"
#include "unit.h"

static struct {
	int bytes;     /* memfd: each iterator reads it from its start; -1: none */
	int one;       /* memfd of iterators that are made for one task; -1: @bytes is */
	int fd;	       /* or this very description, whatever it is; -1: none */
	int fail;      /* or this -errno */
	int link_fail; /* -errno of making a link */
	unsigned int opens, links;
	atomic_uint adds, removes; /* registrations, by whichever thread */
	uint32_t pid, tid;	   /* asked for by the last link */

	struct kv_scope scope; /* as the last read was registered with */
	uint8_t saws[8];       /* what the program answers to each read, ... */
	unsigned int reads;    /* ... of which so many have been; the last one stays */
	void (*on_read)(void); /* called after each, within the registration; NULL: nothing */
	int full;	       /* registrations that the map has no room for */
	uint64_t keys[4];      /* that it holds meanwhile; 0 for none */
} fake = {.bytes = -1, .one = -1, .fd = -1};

/* From its start, whoever else reads it. */
static inline int fake_reopen(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* --- who a thread is that reads --- */

#define FAKE_SELF (-77) /* the identity query's program */
#define FAKE_START UINT64_C(0x5e1f5ec5)

static _Thread_local int self_link = -1;

static inline int fake_self_link(void)
{
	struct kv_identity id = {
		.id = (uint64_t)getpid() << 32 | (uint32_t)gettid(),
		.thread_start = FAKE_START + (uint64_t)gettid(),
	};

	self_link = memfd_create("self", MFD_CLOEXEC);
	assert_int_equal(write(self_link, &id, sizeof(id)), sizeof(id));
	return self_link;
}

__attribute__((constructor)) static void fake_self(void)
{
	static const struct kv_loaded query = {FAKE_SELF, -1, -1, -1};

	kv_self_by(&query);
}

/* A link that is open was made for one task: views and queries here have none. */
int bpf_iter_create(int link_fd)
{
	if (link_fd >= 0 && link_fd == self_link) {
		self_link = -1;
		return fake_reopen(link_fd);
	}
	fake.opens++;
	if (fake.fail)
		return fake.fail;
	if (fake.fd >= 0)
		return fcntl(fake.fd, F_DUPFD_CLOEXEC, 3);
	return fake_reopen(link_fd >= 0 && fake.one >= 0 ? fake.one : fake.bytes);
}

int bpf_link_create(int prog_fd, int target_fd, enum bpf_attach_type type,
		    const struct bpf_link_create_opts *opts)
{
	(void)target_fd;
	(void)type;
	if (prog_fd == FAKE_SELF)
		return fake_self_link();
	fake.links++;
	fake.pid = opts->iter_info->task.pid;
	fake.tid = opts->iter_info->task.tid;
	return fake.link_fail ? fake.link_fail : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	(void)fd;
	(void)key;
	(void)flags;
	if (fake.full && fake.full--)
		return -E2BIG;
	memcpy(&fake.scope, value, sizeof(fake.scope));
	fake.adds++;
	return 0;
}

int bpf_map_lookup_and_delete_elem(int fd, const void *key, void *value)
{
	const unsigned int last = sizeof(fake.saws) - 1;
	struct kv_scope scope = fake.scope;

	(void)fd;
	(void)key;
	scope.saw = fake.saws[fake.reads < last ? fake.reads : last];
	fake.reads++;
	if (fake.on_read)
		fake.on_read();
	memcpy(value, &scope, sizeof(scope));
	fake.removes++;
	return 0;
}

int bpf_map_delete_elem(int fd, const void *key)
{
	uint64_t gone;

	(void)fd;
	memcpy(&gone, key, sizeof(gone));
	for (size_t i = 0; i < ARRAY_SIZE(fake.keys); i++)
		if (fake.keys[i] == gone) {
			fake.keys[i] = 0;
			return 0;
		}
	fake.removes++;
	return 0;
}

int bpf_map_get_next_key(int fd, const void *key, void *next)
{
	size_t i = 0;

	(void)fd;
	while (key && i < ARRAY_SIZE(fake.keys) && memcmp(&fake.keys[i++], key, 8) != 0)
		;
	for (; i < ARRAY_SIZE(fake.keys); i++)
		if (fake.keys[i]) {
			memcpy(next, &fake.keys[i], sizeof(fake.keys[i]));
			return 0;
		}
	return -ENOENT;
}

static inline void fake_reset(void)
{
	const int fds[] = {fake.bytes, fake.one, fake.fd};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	memset(&fake, 0, sizeof(fake));
	fake.bytes = fake.one = fake.fd = -1;
}

/* The program answers every read with @saw. */
static inline void fake_saw(uint8_t saw)
{
	memset(fake.saws, saw, sizeof(fake.saws));
}

static inline void fake_fill(int *fd, const void *bytes, size_t n)
{
	if (*fd >= 0)
		close(*fd);
	*fd = memfd_create("iterator", MFD_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(write(*fd, bytes, n), n);
}

static inline void fake_bytes(const void *bytes, size_t n)
{
	fake_fill(&fake.bytes, bytes, n);
}

/* What iterators for one task give, apart from those for all. */
static inline void fake_one(const void *bytes, size_t n)
{
	fake_fill(&fake.one, bytes, n);
}

/* Each message sent is what one read gets. Returns the end to send at. */
static inline int fake_messages(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	fake.fd = fds[0];
	return fds[1];
}

/* --- a view of a number and a name, and its records --- */

struct fake_record {
	uint32_t len;
	uint32_t n;
	struct kv_str name;
	char bytes[64];
};

_Static_assert(offsetof(struct fake_record, bytes) == ROW_FIXED, "as row_schema has it");

static struct kv_view fake_view __attribute__((unused)) = {
	.name = "fake",
	.schema = &row_schema,
	.kind = "task",
	.param = KV_PARAM_TASK,
	.is_loaded = true,
	.loaded = {-1, -1, -1, -1},
};

/* Record number @n; returns its bytes. */
static inline size_t fake_record(uint32_t n, void *to)
{
	struct fake_record r = {.n = n};
	int len = snprintf(r.bytes, sizeof(r.bytes), "name-%u%.*s", n, (int)(n % 13),
			   "-------------");

	r.len = (uint32_t)ROW_FIXED + (uint32_t)len;
	r.name = (struct kv_str){ROW_FIXED, (uint16_t)len};
	memcpy(to, &r, r.len);
	return r.len;
}

/* The text that record number @n must become. */
static inline size_t fake_text(uint32_t n, char *to)
{
	return (size_t)sprintf(to, "%u name-%u%.*s\n", n, n, (int)(n % 13), "-------------");
}

/* The iterator has records 0 to @n - 1, and then @tail. */
static inline void fake_records(uint32_t n, const void *tail, size_t tail_len)
{
	char *bytes = malloc(n * sizeof(struct fake_record) + tail_len + 1);
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++)
		len += fake_record(i, bytes + len);
	if (tail_len)
		memcpy(bytes + len, tail, tail_len);
	fake_bytes(bytes, len + tail_len);
	free(bytes);
}

static inline int fake_setup(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

/* --- a reader whose namespaces are held by descriptors --- */

static inline struct kv_reader fake_reader(void)
{
	struct kv_reader reader = KV_READER_INIT;

	reader.scope.pid_ns = 0xabcd;
	reader.scope.fsuid = 1000;
	for (int i = 0; i < KV_HOLDS; i++) {
		reader.holds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_true(reader.holds[i] >= 0);
	}
	return reader;
}

#define WITH_FAKE(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_setup)

#endif
