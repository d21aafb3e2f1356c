// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/worker.h"

#include <errno.h>
#include <linux/fuse.h>
#include <malloc.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stream/file.h"
#include "fuse/daemon/confine.h"
#include "fuse/daemon/privilege.h"
#include "fuse/daemon/seccomp.h"
#include "fuse/fs/dir.h"
#include "fuse/fs/request.h"

/*
 * Threads of one user's, and of all but the one's who mounted: a walk may get stuck in the
 * kernel with its thread. So many users can do that before it costs others anything.
 */
#define LANE_JOBS 4
#define USER_JOBS 8
#define HOST_JOBS 64
#define OTHERS_JOBS 640
#define MIN_SLOTS 2

/* What is stuck in the kernel does not keep a worker from ending. */
#define END_MS 500

/* Of libfuse's threads: those that wait for a request and are more than so many end. */
#define IDLE_THREADS 6

/* Long enough for a reader that reads a page and thinks; 300 KiB at most are kept for it. */
#define IDLE_SECONDS 600

/*
 * The memory of files goes back to the system when they are closed. If they were few, what lies
 * amid the heap goes back later: see tidy().
 */
static void limit_heap(void)
{
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 12288);
	malloc_trim(0);
}

/* Tell the supervisor, and the log. */
static int fail(struct kv_mounted *m, int rc, const char *what)
{
	char *why = m->shared->why;

	snprintf(why, sizeof(m->shared->why), "%s: %s", what, strerror(-rc));
	kv_log_say(&m->server.log, "%s", why);
	return rc;
}

/* --- what the scheduler asks --- */

static bool is_over(void *mounted)
{
	const struct kv_mounted *m = mounted;

	return fuse_session_exited(m->session);
}

/* libfuse would wait without end for a thread that hangs in the kernel. */
static void abandon(void *mounted)
{
	struct kv_mounted *m = mounted;
	int error = m->shared->flight.error;

	if (error)
		fail(m, -error, "the worker can't serve");
	m->shared->is_over = !error;
	_exit(error ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void let_rest(void *file, void *before)
{
	kv_file_rest(file, *(const time_t *)before);
}

/* The idle reaper. */
static void tidy(void *mounted)
{
	struct kv_mounted *m = mounted;
	struct timespec now;
	time_t before;

	clock_gettime(CLOCK_MONOTONIC, &now);
	before = now.tv_sec - IDLE_SECONDS;
	kv_handles_each(&m->server.files, let_rest, &before);
	/* Of the whole heap: free() gives back its end alone. */
	malloc_trim(0);
}

/* A quota of CPU time does not count: it throttles all threads together. */
static unsigned int count_cpus(void)
{
	cpu_set_t cpus;

	/* It fails where there are more than a set has room for. */
	return sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ? CPU_SETSIZE
							     : (unsigned int)CPU_COUNT(&cpus);
}

static int start_sched(struct kv_mounted *m)
{
	struct kv_server *s = &m->server;
	unsigned int slots = s->ncpus < MIN_SLOTS ? MIN_SLOTS : s->ncpus;
	const struct kv_share_limits limits = {
		.slots = slots,
		.shorts = slots,
		.lane = LANE_JOBS,
		.each = USER_JOBS,
		.host_each = HOST_JOBS,
		.all = OTHERS_JOBS,
		.cpu_percent = s->cpu_percent,
		.host = s->uid,
	};
	const struct kv_sched_owner owner = {
		.is_over = is_over,
		.abandon = abandon,
		.tidy = tidy,
		.arg = m,
		.end_ms = END_MS,
	};

	return kv_sched_start(&s->sched, &limits, &kv_request_ops, &owner);
}

/* --- serving --- */

/*
 * The kernel sends FUSE_INIT once per connection, so each later worker replays it into libfuse.
 * The reply has the number of no request: the kernel refuses it with ENOENT, which libfuse
 * takes for an interrupted request.
 */
static void replay_init(struct fuse_session *session)
{
	struct {
		struct fuse_in_header head;
		struct fuse_init_in init;
	} request = {
		.head = {.len = sizeof(request), .opcode = FUSE_INIT, .unique = UINT64_MAX - 1},
		/* FUSE_MAX_PAGES as the kernel did: it decides how long a read must be. */
		.init = {.major = FUSE_KERNEL_VERSION,
			 .minor = FUSE_KERNEL_MINOR_VERSION,
			 .max_readahead = 131072,
			 .flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_MAX_PAGES},
	};
	struct fuse_buf buf = {.mem = &request, .size = sizeof(request)};

	fuse_session_process_buf(session, &buf);
}

/* The same names may have another owner or mode than the predecessor told. */
static void forget_attributes(const struct kv_mounted *m)
{
	const struct kv_server *s = &m->server;

	for (uint64_t ino = KV_ROOT; s->is_successor && ino < s->tree.n; ino++)
		if (kv_tree_node(&s->tree, ino))
			fuse_lowlevel_notify_inval_inode(m->session, kv_seal_ino(&s->seal, ino), -1,
							 0);
}

/* 0: the mount has gone, or a signal came. */
static int run_loop(struct fuse_session *session)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int rc;

	if (!config)
		return -ENOMEM;
	fuse_loop_cfg_set_max_threads(config, KV_MAX_THREADS);
	fuse_loop_cfg_set_idle_threads(config, IDLE_THREADS);
	rc = fuse_session_loop_mt(session, config);
	fuse_loop_cfg_destroy(config);
	return rc < 0 ? rc : 0;
}

static int serve(struct kv_mounted *m)
{
	struct kv_server *s = &m->server;
	int rc;

	s->ncpus = count_cpus();
	/* No handle of an earlier worker's is taken for one of ours. */
	m->shared->generation++;
	kv_handles_init(&s->files, m->shared->generation, &s->limits);
	kv_handles_init(&s->dirs, m->shared->generation, &s->limits);
	if (m->shared->facts.is_ready) {
		replay_init(m->session);
		forget_attributes(m);
	}
	if (fuse_set_signal_handlers(m->session) < 0)
		return -EIO;
	rc = start_sched(m);
	if (rc)
		return rc;
	rc = run_loop(m->session);
	m->shared->is_over = !rc;
	kv_sched_stop(&s->sched); /* or abandon() ends us */
	fuse_remove_signal_handlers(m->session);
	return rc;
}

static void free_file(void *file)
{
	kv_file_free(file);
}

/* Is there anything to fetch? */
static bool wants_courier(const struct kv_views *views)
{
	for (size_t i = 0; i < views->n; i++)
		if (views->list[i].is_loaded && views->list[i].schema &&
		    views->list[i].schema->whose)
			return true;
	return false;
}

/* It cannot start another one. The supervisor starts another worker. */
static void end_without_keeper(void)
{
	_exit(EXIT_FAILURE);
}

/* While it may still fork. The keeper ends with us. */
static int start_courier(struct kv_mounted *m)
{
	int rc = wants_courier(&m->views) ? kv_courier_start(&m->courier, kv_confine_courier) : 0;

	if (rc)
		return fail(m, rc, "can't start what fetches arguments");
	if (m->courier.fd < 0)
		return 0;
	m->server.host.courier = &m->courier;
	m->courier.lost = end_without_keeper;
	return 0;
}

static int confine(struct kv_mounted *m)
{
	int rc = kv_privilege_work(!m->server.host.policy.host_view);

	if (rc)
		return fail(m, rc, "can't give up the worker's privileges");
	rc = kv_lifeline_hold(&m->lifeline, m->server.ready_fd >= 0);
	if (rc)
		return fail(m, rc, "can't start a thread");
	rc = kv_seccomp_worker(&m->server.is_filtered);
	return rc ? fail(m, rc, "can't filter the worker's system calls") : 0;
}

/* Ready to take a mount over, as soon as the supervisor says that its predecessor has ended. */
static bool await_predecessors_end(struct kv_mounted *m)
{
	char byte = 0;

	(void)!write(m->lifeline.fd, &byte, 1);
	m->lifeline.is_owner = read(m->lifeline.fd, &byte, 1) == 1;
	return m->lifeline.is_owner;
}

int kv_work(struct kv_mounted *m)
{
	int rc;

	limit_heap();
	m->lifeline.is_owner = !m->before.pid;
	rc = start_courier(m);
	if (!rc)
		rc = confine(m);
	if (rc || (m->before.pid && !await_predecessors_end(m)))
		return EXIT_FAILURE;
	rc = serve(m);
	if (rc)
		fail(m, rc, "the worker can't serve");
	kv_handles_free(&m->server.files, free_file);
	kv_handles_free(&m->server.dirs, kv_listing_free);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
