/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that share tables, and iterators over them which stop and go on as the kernel's
 * do, with a program that judges and stops as iters/include/kview/kview.h has it. These definitions stand
 * before those of libbpf and libc in the program that includes them, once.
 */
#ifndef KVIEW_UNIT_THREADS_WORLD_H
#define KVIEW_UNIT_THREADS_WORLD_H

#include <bpf/bpf.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access/identity.h"
#include "load/kernel.h"
#include "stream/run.h"
#include "row_schema.h"
#include "unit.h"

#define SEQ_BUFFER 32768
#define MAX_FDS 64
#define VIEW 100000 /* descriptors of programs and links */
#define TOOL 100001
#define SELF 100002

struct being {
	int nr;
	uint32_t tid, tgid; /* equal: a leader */
	uint32_t table;	    /* 0: none (any more) */
	uint32_t rows;	    /* of the table */
	uint64_t start;
};

struct walk {
	int what; /* 0: none; VIEW, TOOL, SELF */
	uint32_t pid, tid;
	uint64_t session;
	size_t at; /* in world.list */
	uint32_t row;
	char left[SEQ_BUFFER]; /* that a read had no room for */
	size_t nleft, from;
	bool has_ended;
};

static struct {
	struct being list[4096]; /* in the order of walks */
	size_t n;
	enum kv_common common;
	struct walk fds[MAX_FDS];
	struct kv_reading reading;
	uint64_t sessions, now;
	unsigned int calls, looks, opens;
	void (*on_stop)(void); /* called when the program has stopped a read, ... */
	void (*on_list)(void); /* ... and when threads have been listed; NULL: nothing */
	int fail;	       /* -errno of making iterators for one thread */
	bool skips;	       /* the kernel leaves out who is behind one with its leader's table */
} world;

static inline struct being *leader_of(const struct being *b)
{
	for (size_t i = 0; i < world.n; i++)
		if (world.list[i].tid == b->tgid)
			return &world.list[i];
	return NULL;
}

static inline unsigned int count_sharers(const struct being *b)
{
	unsigned int n = 0;

	for (size_t i = 0; i < world.n; i++)
		n += world.list[i].tgid == b->tgid && world.list[i].table == b->table;
	return n;
}

/* -1: the others tell. */
static inline int stands(const struct being *b)
{
	if (b->tid == b->tgid)
		return 1;
	if (!b->table || (leader_of(b) && leader_of(b)->table == b->table))
		return 0;
	return world.common == KV_COMMON_FILES && count_sharers(b) == 1 ? 1 : -1;
}

static inline int stands_among(const struct being *b, uint64_t max, struct kv_progress *p)
{
	for (size_t i = 0; i < world.n; i++) {
		const struct being *other = &world.list[i];

		if (other->tgid != b->tgid)
			continue;
		if (!max--)
			return -1;
		p->repeats++;
		world.looks++;
		if (other->table == b->table && other->tid < b->tid)
			return 0;
	}
	return 1;
}

static inline uint64_t looks_left(const struct kv_progress *p)
{
	if (!p->max_repeats)
		return UINT64_MAX;
	return p->repeats < p->max_repeats ? p->max_repeats - p->repeats : 0;
}

static inline int stop_at(const struct being *b)
{
	world.reading.scope.saw |= KV_SAW_REPEATS;
	world.reading.progress.common = world.common;
	world.reading.progress.stopped_at = b->nr;
	return 1;
}

/* What the program returns: 0: no row; 1: again; 2: a row. */
static inline int judge(const struct walk *w, const struct being *b)
{
	struct kv_progress *p = &world.reading.progress;
	int verdict = 1;

	world.calls++;
	world.reading.scope.saw |= KV_SAW_OBJECT;
	if (p->listed)
		return b->start > p->listed ? 0 : 2;
	if (b->tid != b->tgid) {
		if (p->judged.session != w->session || p->judged.task != (uintptr_t)b) {
			verdict = stands(b);
			if (verdict < 0)
				verdict = stands_among(b, looks_left(p), p);
			if (verdict < 0)
				return stop_at(b);
			p->judged.session = w->session;
			p->judged.task = (uintptr_t)b;
			p->judged.shows = (uint64_t)verdict;
		}
		if (!p->judged.shows) {
			p->repeats++;
			return looks_left(p) ? 0 : stop_at(b);
		}
	}
	return 2;
}

/* --- the kernel's walk --- */

/* Is the program called for what @b has? */
static inline bool is_called(const struct walk *w, const struct being *b)
{
	const struct being *leader;

	if (w->tid)
		return (uint32_t)b->nr == w->tid && b->table;
	if (!b->table || (w->pid && b->tgid != w->pid))
		return false;
	leader = leader_of(b);
	if (w->pid && world.skips && leader && b != leader)
		return (b - 1)->table != leader->table;
	/* Of mappings: each thread here has files of its own. */
	return b->tid == b->tgid || world.common == KV_COMMON_MM || !leader ||
	       leader->table != b->table;
}

static inline size_t make_record(const struct being *b, uint32_t row, char *to)
{
	const uint32_t n = b->table * 10000 + row;
	const struct kv_str name = {ROW_FIXED, 60};
	const uint32_t len = ROW_FIXED + 60;

	memset(to, 'x', len);
	memcpy(to, &len, 4);
	memcpy(to + 4, &n, 4);
	memcpy(to + 8, &name, 4);
	return len;
}

/* The output so far, or -EAGAIN. */
static inline ssize_t walk_on(struct walk *w, char *buf, size_t size)
{
	size_t n = 0;

	for (; w->at < world.n; w->at++, w->row = 0) {
		const struct being *b = &world.list[w->at];

		for (; is_called(w, b) && w->row < b->rows; w->row++) {
			int verdict;

			if (n >= size)
				return (ssize_t)n;
			verdict = judge(w, b);
			if (verdict == 1 || (verdict == 2 && SEQ_BUFFER - n < 100))
				return n ? (ssize_t)n : -EAGAIN;
			if (verdict == 2)
				n += make_record(b, w->row, buf + n);
		}
	}
	if (!w->has_ended)
		world.reading.scope.saw |= KV_SAW_END;
	w->has_ended = true;
	return (ssize_t)n;
}

static inline size_t list_some(struct walk *w, char *buf)
{
	struct kv_progress *p = &world.reading.progress;
	size_t n = 0;

	if (!p->listed)
		p->listed = world.now;
	for (; w->at < world.n && n + sizeof(struct kv_thread) <= SEQ_BUFFER; w->at++) {
		const struct being *b = &world.list[w->at];
		const struct kv_thread t = {
			.common = b->table,
			.nr = b->nr,
			.tgid = b->tgid,
			.tid = b->tid,
		};

		if ((w->pid && b->tgid != w->pid) || (!b->table && b->nr != p->stopped_at))
			continue;
		memcpy(buf + n, &t, sizeof(t));
		n += sizeof(t);
	}
	if (!n && world.on_list)
		world.on_list();
	return n;
}

static inline ssize_t read_walk(struct walk *w, char *to, size_t size)
{
	if (!w->nleft) {
		ssize_t n = w->what == VIEW ? walk_on(w, w->left, size)
					    : (ssize_t)list_some(w, w->left);

		if (n < 0) {
			errno = (int)-n;
			return -1;
		}
		w->nleft = (size_t)n;
		w->from = 0;
	}
	size = size < w->nleft ? size : w->nleft;
	memcpy(to, w->left + w->from, size);
	w->from += size;
	w->nleft -= size;
	return (ssize_t)size;
}

static inline ssize_t read_self(void *to)
{
	const struct kv_identity id = {.id = 1, .thread_start = 1};

	memcpy(to, &id, sizeof(id));
	return sizeof(id);
}

ssize_t read(int fd, void *to, size_t size)
{
	if (fd >= 0 && fd < MAX_FDS && world.fds[fd].what == SELF)
		return read_self(to);
	if (fd >= 0 && fd < MAX_FDS && world.fds[fd].what)
		return read_walk(&world.fds[fd], to, size);
	return syscall(SYS_read, fd, to, size);
}

int close(int fd)
{
	if (fd >= 0 && fd < MAX_FDS)
		world.fds[fd].what = 0;
	return (int)syscall(SYS_close, fd);
}

/* --- libbpf --- */

static inline int new_fd(int what, uint32_t pid, uint32_t tid)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_in_range(fd, 0, MAX_FDS - 1);
	world.opens += what != SELF;
	memset(&world.fds[fd], 0, sizeof(world.fds[fd]));
	world.fds[fd].what = what;
	world.fds[fd].pid = pid;
	world.fds[fd].tid = tid;
	world.fds[fd].session = ++world.sessions;
	return fd;
}

int bpf_link_create(int prog_fd, int target_fd, enum bpf_attach_type type,
		    const struct bpf_link_create_opts *opts)
{
	uint32_t pid = opts->iter_info->task.pid, tid = opts->iter_info->task.tid;

	(void)target_fd;
	(void)type;
	if (prog_fd == SELF)
		return new_fd(SELF, 0, 0);
	if (tid && world.fail)
		return world.fail;
	return new_fd(prog_fd, pid, tid); /* whether it is there or not */
}

int bpf_iter_create(int link_fd)
{
	if (link_fd >= VIEW)
		return new_fd(link_fd, 0, 0);
	return new_fd(world.fds[link_fd].what, world.fds[link_fd].pid, world.fds[link_fd].tid);
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	(void)fd;
	(void)key;
	(void)flags;
	memcpy(&world.reading, value, sizeof(world.reading));
	return 0;
}

int bpf_map_lookup_and_delete_elem(int fd, const void *key, void *value)
{
	(void)fd;
	(void)key;
	memcpy(value, &world.reading, sizeof(world.reading));
	if ((world.reading.scope.saw & KV_SAW_REPEATS) && world.on_stop)
		world.on_stop();
	return 0;
}

/* --- walks through it --- */

#define MAX_TABLES 4096
#define MAX_ROWS 256

static struct kv_view view = {
	.name = "fake",
	.schema = &row_schema,
	.kind = "task",
	.param = KV_PARAM_TASK,
	.is_loaded = true,
	.loaded = {VIEW, VIEW, -1, -1},
};

__attribute__((constructor)) static void know_self(void)
{
	static const struct kv_loaded query = {SELF, -1, -1, -1};

	kv_self_by(&query);
}

static struct kv_host host = {.threads_query = {TOOL, TOOL, -1, -1}, .finds_threads = true};
static const struct kv_reader reader = {.holds = {-1, -1, -1, -1, -1}};
static uint8_t seen[MAX_TABLES][MAX_ROWS]; /* each row: so many times */
static unsigned int nseen;
static unsigned int asked; /* whether to go on */
static uint64_t seed;

static inline int reset(void **state)
{
	(void)state;
	for (int fd = 0; fd < MAX_FDS; fd++)
		if (world.fds[fd].what)
			close(fd);
	memset(&world, 0, sizeof(world));
	memset(seen, 0, sizeof(seen));
	nseen = asked = 0;
	world.now = 1000;
	host.self.walk_skips = 0;
	seed = 11;
	return 0;
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, reset, reset)

/* A thread of process @tgid; the first one is the leader. */
static inline struct being *add(uint32_t tgid, uint32_t table, uint32_t rows)
{
	struct being *b = &world.list[world.n];

	assert_true(world.n < ARRAY_SIZE(world.list) && table < MAX_TABLES && rows <= MAX_ROWS);
	*b = (struct being){.tid = tgid, .tgid = tgid, .table = table, .rows = rows, .start = 1};
	if (leader_of(b))
		b->tid = tgid + (uint32_t)world.n + 1;
	b->nr = (int)b->tid;
	world.n++;
	return b;
}

static inline bool go_on(void *arg)
{
	(void)arg;
	asked++;
	return false;
}

static inline struct kv_run *start(uint32_t pid)
{
	const struct kv_run_opts opts = {.reader = &reader,
					 .subset = kv_subset_process((pid_t)pid, 0),
					 .host = &host,
					 .cancelled = go_on};
	struct kv_run *run = NULL;
	struct kv_err err = {0};

	assert_int_equal(kv_run_new(&view, &opts, &run, &err), 0);
	return run;
}

/* To the end, settling now and then; 0 or -errno. */
static inline int drain(uint32_t pid, struct kv_err *err)
{
	struct kv_run *run = start(pid);
	const void *record;
	uint32_t len, n;
	int rc;

	*err = (struct kv_err){0};
	while ((rc = kv_run_next(run, &record, &len, err)) > 0) {
		memcpy(&n, (const char *)record + 4, 4);
		assert_true(n / 10000 < MAX_TABLES && n % 10000 < MAX_ROWS);
		seen[n / 10000][n % 10000]++;
		nseen++;
		if (noise(&seed) % 97 == 0)
			kv_run_settle(run);
	}
	kv_run_free(run);
	return rc;
}

/* All rows of all tables came, none twice; of @pid alone where it is not 0. */
static inline void all_came_once(uint32_t pid)
{
	static uint8_t want[MAX_TABLES][MAX_ROWS];

	memset(want, 0, sizeof(want));
	for (size_t i = 0; i < world.n; i++)
		if (world.list[i].table && (!pid || world.list[i].tgid == pid))
			memset(want[world.list[i].table], 1, world.list[i].rows);
	for (uint32_t i = 0; i < MAX_TABLES; i++)
		for (uint32_t j = 0; j < MAX_ROWS; j++)
			if (seen[i][j] != want[i][j])
				fail_msg("table %u, row %u: %u instead of %u", i, j, seen[i][j],
					 want[i][j]);
}

static inline void walk_all(uint32_t pid)
{
	struct kv_err err;

	assert_int_equal(drain(pid, &err), 0);
	all_came_once(pid);
}

/* Threads 1 to @n have tables, thread n + i that of thread i. */
static inline void add_pairs(uint32_t tgid, uint32_t n, uint32_t first, uint32_t rows)
{
	for (uint32_t i = 0; i < 2 * n; i++)
		add(tgid, first + i % n, rows);
}

/* So many threads behind a dead leader that each iterator is for one of them. */
static inline void add_crowd(uint32_t tgid, uint32_t table, uint32_t rows)
{
	world.common = KV_COMMON_MM;
	add(tgid, 0, 0);
	for (int i = 0; i < 1000; i++)
		add(tgid, table, rows);
}

#endif
