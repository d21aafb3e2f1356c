// SPDX-License-Identifier: GPL-2.0-only
#include "stream/run.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load/kernel.h"
#include "stream/prefetch.h"
#include "access/scope.h"
#include "stream/walk.h"
#include "schema/record.h"

/*
 * The kernel's seq buffer has 8 pages, 32 KiB where these have 4, and one read returns at
 * most that; a smaller buffer would break the cgroup iterator. A record may end in the
 * next read.
 */
#define CHUNK 32768

/*
 * Enough for a reader that takes little at a time: each file that waits then keeps 16 KiB less.
 * For walks through tasks alone: other iterators lose objects where they stop (unix, on 6.18),
 * or do not go on at all (dmabuf).
 */
#define SMALL_CHUNK 16384

/* Less unused memory than this is not freed. */
#define SPARE 4096

/*
 * A read that walks for some time without output ends with EAGAIN, and the next read goes on. A
 * program without memory ends the read likewise, and may do so endlessly.
 */
#define MAX_IDLE_READS 10000

struct kv_run {
	const struct kv_view *view;
	struct kv_run_opts opts;
	struct kv_kernel_walk walk;
	int failed;	   /* -errno of the walk: it is over */
	struct kv_err why; /* it failed */
	uint8_t saw;	   /* KV_SAW_ bits of all reads */
	bool got_on;	   /* the last one, though it may have had nothing to show */
	uint64_t records;
	char *chunk;	      /* records that are still to be taken, then room for one read */
	size_t pos, len, cap; /* of what is in it */
	size_t size;	      /* of the next read into it */
	struct kv_prefetch prefetch; /* what was read beyond it */
};

static int no_process(pid_t pid, struct kv_err *err)
{
	kv_err_set(err, -ENOENT, "no process %d", (int)pid);
	kv_err_hint(err, "it may have ended; threads are shown with their process");
	return -ENOENT;
}

static int fail_open(const struct kv_view *view, pid_t pid, int rc, struct kv_err *err)
{
	if (!pid)
		return kv_err_errno(err, rc, "can't run view '%s'", view->name);
	kv_err_errno(err, rc, "can't run view '%s' for process %d", view->name, (int)pid);
	kv_err_hint(err, "iterators for one process need Linux 6.1");
	return rc;
}

struct kv_subset kv_subset_process(pid_t pid, uint64_t start)
{
	return (struct kv_subset){.link = kv_link_process(pid), .pid = pid, .start = start};
}

int kv_run_new(const struct kv_view *view, const struct kv_run_opts *opts, struct kv_run **run,
	       struct kv_err *err)
{
	pid_t pid = opts->subset.pid;
	struct kv_scope scope = opts->reader->scope;
	struct kv_run *r;
	int rc;

	rc = kv_view_check_link(view, &opts->subset.link, err);
	if (rc)
		return rc;
	if (pid && !kv_kernel_has_process(pid))
		return no_process(pid, err);
	r = calloc(1, sizeof(*r));
	if (!r)
		return kv_err_errno(err, -ENOMEM, "can't run view '%s'", view->name);
	scope.target_start = opts->subset.start;
	rc = kv_walk_open(&r->walk, view, opts->host, &scope, &opts->subset.link,
			  view->is_of_net ? opts->reader->holds[KV_HOLD_NET_NS] : -1);
	if (rc) {
		free(r);
		return fail_open(view, pid, rc, err);
	}
	r->view = view;
	r->opts = *opts;
	r->size = CHUNK;
	kv_prefetch_init(&r->prefetch, CHUNK);
	*run = r;
	return 0;
}

void kv_run_free(struct kv_run *run)
{
	if (!run)
		return;
	kv_prefetch_free(&run->prefetch);
	kv_walk_end(&run->walk);
	free(run->chunk);
	free(run);
}

void kv_run_on_behalf(struct kv_run *run, void *arg)
{
	run->opts.arg = arg;
}

static int explain_read(const struct kv_run *run, int rc, struct kv_err *err)
{
	if (rc == KV_SAID)
		return -EIO;
	if (rc == KV_SAID_NO_MEMORY)
		return -ENOMEM;
	if (rc == -ESTALE) {
		kv_err_set(err, -EIO, "view '%s': process %d: the thread to read next has ended",
			   run->view->name, (int)run->opts.subset.pid);
		kv_err_hint(err, "read it again");
		return -EIO;
	}
	if (rc == -E2BIG)
		return kv_err_set(err, -EIO, "view '%s': a record exceeds the kernel's buffer",
				  run->view->name);
	if (rc == -EAGAIN) {
		kv_err_set(err, -EIO, "view '%s' makes no progress", run->view->name);
		kv_err_hint(err, "the kernel may be short of memory");
		return -EIO;
	}
	return kv_err_errno(err, rc, "can't read view '%s'", run->view->name);
}

/* Room for @size bytes behind what is there, or NULL. */
static char *make_room(struct kv_run *run, size_t size)
{
	size_t left = run->len - run->pos;

	if (run->pos)
		memmove(run->chunk, run->chunk + run->pos, left);
	run->len = left;
	run->pos = 0;
	if (run->cap < left + size) {
		char *more = realloc(run->chunk, left + size);

		if (!more)
			return NULL;
		run->chunk = more;
		run->cap = left + size;
	}
	return run->chunk + run->len;
}

/* Nothing more is read, whoever asks for more, and when. */
static bool has_walked(const struct kv_run *run)
{
	return run->walk.has_ended || run->failed;
}

/* One read. 1: @n bytes came; 0: the end; -EAGAIN, -EINTR: not now; another -errno: for good. */
static int fetch(struct kv_run *run, char *to, size_t size, size_t *n)
{
	uint8_t saw = 0;
	ssize_t rc = to ? kv_walk_read(&run->walk, to, size, &saw, &run->why) : -ENOMEM;

	run->saw |= saw;
	run->got_on = rc >= 0 || (saw & (KV_SAW_TIME | KV_SAW_REPEATS));
	if (rc == -EAGAIN || rc == -EINTR)
		return (int)rc;
	if (rc < 0) {
		run->failed = explain_read(run, (int)rc, &run->why);
		return run->failed;
	}
	*n = (size_t)rc;
	return rc > 0;
}

/* Behind what is there. */
static int fetch_more(struct kv_run *run)
{
	size_t n = 0;
	int rc = fetch(run, make_room(run, run->size), run->size, &n);

	run->len += n;
	return rc;
}

static int end(const struct kv_run *run, struct kv_err *err)
{
	if (run->failed && err)
		*err = run->why;
	return run->failed;
}

/* What was prefetched. 1: some came; 0: nothing is left of it. */
static int take_prefetched(struct kv_run *run, struct kv_err *err)
{
	char *room;
	size_t n;

	if (kv_prefetch_is_idle(&run->prefetch))
		return 0;
	room = make_room(run, CHUNK);
	if (!room)
		return kv_err_errno(err, -ENOMEM, "view '%s'", run->view->name);
	n = kv_prefetch_take(&run->prefetch, room);
	run->len += n;
	return n > 0;
}

/* While a thread prefetches, the state of the walk belongs to it. */
static bool is_over(struct kv_run *run)
{
	return kv_prefetch_is_idle(&run->prefetch) && has_walked(run);
}

/* More records. 1: some came; 0: the end. */
static int fill(struct kv_run *run, struct kv_err *err)
{
	int idle = 0;

	while (idle < MAX_IDLE_READS && !is_over(run)) {
		int rc;

		if (run->opts.cancelled && run->opts.cancelled(run->opts.arg))
			return kv_err_errno(err, -EINTR, "view '%s'", run->view->name);
		rc = take_prefetched(run, err);
		if (rc)
			return rc;
		if (!has_walked(run))
			rc = fetch_more(run);
		if (rc > 0)
			return rc;
		if (!run->got_on) {
			idle++;
			sched_yield(); /* for who holds what the program waits for */
		}
	}
	return has_walked(run) ? end(run, err) : explain_read(run, -EAGAIN, err);
}

bool kv_run_begin_prefetch(struct kv_run *run)
{
	if (kv_run_is_prefetching(run) || has_walked(run) || !kv_prefetch_begin(&run->prefetch))
		return false;
	run->size = CHUNK;
	return true;
}

/* Lack of memory is no failure: nobody has asked for the records yet. */
static bool prefetch_one(struct kv_run *run)
{
	char *room = has_walked(run) ? NULL : kv_prefetch_room(&run->prefetch);
	size_t n = 0;

	if (!room || fetch(run, room, CHUNK, &n) <= 0)
		return false;
	kv_prefetch_put(&run->prefetch, n);
	return true;
}

void kv_run_prefetch(struct kv_run *run, bool (*goes_on)(void *arg), void *arg)
{
	while (prefetch_one(run) && (!goes_on || goes_on(arg)))
		;
	kv_prefetch_end(&run->prefetch);
}

bool kv_run_is_prefetching(struct kv_run *run)
{
	return kv_prefetch_is_filling(&run->prefetch);
}

void kv_run_settle(struct kv_run *run)
{
	size_t left = run->len - run->pos;
	char *less;

	if (kv_run_is_prefetching(run))
		return;
	/* Each stop in one process's walk is a thread that may get lost. */
	if (run->view->param == KV_PARAM_TASK && !run->opts.subset.pid && run->walk.reads)
		run->size = SMALL_CHUNK;
	if (run->cap < left + SPARE)
		return;
	memmove(run->chunk, run->chunk + run->pos, left);
	less = realloc(run->chunk, left + 1);
	if (!less)
		return;
	run->chunk = less;
	run->cap = left + 1;
	run->len = left;
	run->pos = 0;
}

/* If a process has no row: had it none to show? */
static int check_end(const struct kv_run *run, struct kv_err *err)
{
	if (run->pos < run->len) {
		kv_err_set(err, -EIO, "view '%s' ended amid a record", run->view->name);
		return -EIO;
	}
	if (!run->opts.subset.pid || run->records)
		return 0;
	if (run->saw & KV_SAW_DENIED) {
		kv_err_set(err, -EACCES, "view '%s': process %d is not yours to look into",
			   run->view->name, (int)run->opts.subset.pid);
		kv_err_hint(err, "it takes the right to ptrace it, as for /proc/PID/fd and maps");
		return -EACCES;
	}
	/* Its iterator had nothing, as that of a process without open files or memory. */
	if ((run->saw & KV_SAW_OTHER) || !kv_kernel_has_process(run->opts.subset.pid))
		return no_process(run->opts.subset.pid, err);
	return 0;
}

int kv_run_next(struct kv_run *run, const void **record, uint32_t *len, struct kv_err *err)
{
	for (;;) {
		int rc = 0;

		if (run->pos < run->len)
			rc = kv_record_check(run->view->schema, run->chunk + run->pos,
					     run->len - run->pos, err);
		if (rc > 0) {
			*record = run->chunk + run->pos;
			*len = (uint32_t)rc;
			run->pos += (uint32_t)rc;
			run->records++;
			return 1;
		}
		if (!rc)
			rc = fill(run, err);
		if (rc <= 0)
			return rc ? rc : check_end(run, err);
	}
}

int kv_run_bytes(struct kv_run *run, const char **bytes, size_t *n, struct kv_err *err)
{
	int rc = run->pos < run->len ? 1 : fill(run, err);

	*bytes = run->chunk + run->pos;
	*n = run->len - run->pos;
	run->pos = run->len;
	return rc;
}

/* --- rows --- */

void kv_rows_free(struct kv_rows *r)
{
	kv_run_free(r->run);
	free(r->text);
	free(r->pass);
	free(r->kept);
	*r = (struct kv_rows){0};
}

static int reserve(char **data, size_t *cap, size_t size)
{
	char *more = *cap < size ? realloc(*data, size) : *data;

	if (!more)
		return -ENOMEM;
	*data = more;
	*cap = *cap < size ? size : *cap;
	return 0;
}

/*
 * A format by column goes through the records once per column. They are kept, not read again:
 * a second walk would meet other tasks and later values, and metrics of one scrape must fit
 * together. So memory grows with the rows, up to a limit.
 */
static int keep_all(struct kv_rows *r, struct kv_err *err)
{
	const void *record;
	uint32_t len;
	int rc;

	while (!r->has_all) {
		rc = kv_run_next(r->run, &record, &len, err);
		if (rc < 0)
			return rc;
		r->has_all = rc == 0;
		if (r->has_all)
			break;
		if (r->len + len > r->kept_cap &&
		    (r->len + len > KV_ROWS_KEPT_MAX ||
		     reserve(&r->kept, &r->kept_cap, 2 * (r->len + len)))) {
			kv_err_errno(err, -ENOMEM, "can't keep the rows");
			return -ENOMEM;
		}
		memcpy(r->kept + r->len, record, len);
		r->len += len;
	}
	return 0;
}

static int next_record(struct kv_rows *r, const void **record, uint32_t *len, struct kv_err *err)
{
	struct kv_head head;
	int rc;

	if (!r->format->by_column)
		return kv_run_next(r->run, record, len, err);
	rc = keep_all(r, err);
	if (rc || r->at == r->len)
		return rc;
	*record = r->kept + r->at;
	memcpy(&head, *record, sizeof(head));
	*len = head.len;
	r->at += head.len;
	return 1;
}

/* The plan of the next pass. 1; 0: there is none. */
static int begin_pass(struct kv_rows *r)
{
	if (!r->format->by_column)
		return r->npasses++ == 0;
	if (!r->pass)
		r->pass = malloc(sizeof(*r->pass));
	if (!r->pass)
		return -ENOMEM;
	if (!kv_plan_pass(r->plan, r->npasses++, r->pass))
		return 0;
	r->at = 0;
	return 1;
}

static int put_header(struct kv_rows *r, size_t *n, struct kv_err *err)
{
	int rc = begin_pass(r);

	if (rc < 0)
		return kv_err_errno(err, rc, "can't make a row");
	if (rc == 0)
		return 0;
	if (reserve(&r->text, &r->cap, kv_header_bound(r->plan)))
		return kv_err_errno(err, -ENOMEM, "can't make a row");
	*n = (size_t)(r->format->header(r->pass ? r->pass : r->plan, r->text) - r->text);
	r->is_headed = true;
	return 1;
}

/* A copy: the run may drop its own before all of it is taken (kv_run_settle()). */
static int next_bytes(struct kv_rows *r, size_t *n, struct kv_err *err)
{
	const char *bytes;
	int rc = kv_run_bytes(r->run, &bytes, n, err);

	if (rc <= 0)
		return rc;
	if (reserve(&r->text, &r->cap, *n))
		return kv_err_errno(err, -ENOMEM, "can't make a row");
	memcpy(r->text, bytes, *n);
	return rc;
}

int kv_rows_next(struct kv_rows *r, size_t *n, struct kv_err *err)
{
	const struct kv_plan *plan = r->pass ? r->pass : r->plan;
	const void *record;
	uint32_t len;
	int rc;

	if (!r->format)
		return next_bytes(r, n, err);
	if (!r->is_headed)
		return put_header(r, n, err);
	rc = next_record(r, &record, &len, err);
	if (rc == 0)
		return put_header(r, n, err);
	if (rc < 0)
		return rc;
	if (reserve(&r->text, &r->cap, kv_row_bound(plan, len)))
		return kv_err_errno(err, -ENOMEM, "can't make a row");
	*n = (size_t)(r->format->row(plan, record, r->text) - r->text);
	r->nrows += r->npasses == 1;
	return 1;
}
