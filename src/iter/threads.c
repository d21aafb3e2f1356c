// SPDX-License-Identifier: GPL-2.0-only
#include "iter/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "iter/tool.h"

#define CHUNK 32768

/* Threads in one read: 5 ms, if they give no record, before somebody is asked whether to go on. */
#define MAX_THREADS 512

/* Less room than this is not worth a call. */
#define LEAST_ROOM 2048

struct listed {
	uint64_t common;  /* address of what it shows */
	pid_t nr, leader; /* in our own pid namespace */
};

struct kv_threads {
	struct kv_threads_opts opts;
	struct kv_loaded own; /* the tool, where none is given */
	struct listed *list;  /* in the order of the walk */
	size_t n, at;
	int iter;	    /* for the one before @at, or -1 */
	unsigned int reads; /* of it */
	bool is_lost;	    /* with rows that were still to come */
};

/* --- which --- */

struct found {
	struct kv_thread *list;
	size_t n;
};

/* All that the tool tells, of one process or of all, in the order of the walk. */
static int find_all(const struct kv_threads *t, pid_t pid, struct found *found)
{
	const struct kv_threads_opts *o = &t->opts;
	const struct kv_loaded *tool = o->tool ? o->tool : &t->own;
	_cleanup_close_ int iter = kv_loaded_iter(tool, pid, 0);
	size_t bytes = 0, cap = 0;
	ssize_t n;

	if (iter < 0)
		return iter;
	do {
		if (cap - bytes < CHUNK) {
			struct kv_thread *more = realloc(found->list, 2 * cap + CHUNK);

			if (!more)
				return -ENOMEM;
			found->list = more;
			cap = 2 * cap + CHUNK;
		}
		n = kv_scope_read_on(tool->readers_fd, o->scope, o->progress, iter,
				     (char *)found->list + bytes, cap - bytes);
		if (n < 0)
			return (int)n;
		bytes += (size_t)n;
	} while (n > 0);
	found->n = bytes / sizeof(*found->list);
	return 0;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

struct sharer {
	struct kv_thread *thread;
};

/* By what they have in common with others, then by number. */
static int by_common(const void *a, const void *b)
{
	const struct kv_thread *x = ((const struct sharer *)a)->thread;
	const struct kv_thread *y = ((const struct sharer *)b)->thread;
	int order = compare(x->tgid, y->tgid);

	if (!order)
		order = compare(x->common, y->common);
	return order ? order : compare(x->tid, y->tid);
}

static bool have_same(const struct kv_thread *a, const struct kv_thread *b)
{
	return a->tgid == b->tgid && a->common == b->common;
}

/* Of those that have the same the lowest is shown. */
static int choose(struct found *found)
{
	_cleanup_free_ struct sharer *sharers = calloc(found->n + 1, sizeof(*sharers));
	size_t n = 0;

	if (!sharers)
		return -ENOMEM;
	for (size_t i = 0; i < found->n; i++)
		if (!found->list[i].is_sure)
			sharers[n++].thread = &found->list[i];
	qsort(sharers, n, sizeof(*sharers), by_common);
	for (size_t i = 1; i < n; i++)
		if (have_same(sharers[i].thread, sharers[i - 1].thread))
			sharers[i].thread->is_shown = false;
	return 0;
}

/*
 * Where the walk was. Through all it goes by number; through one process by the list of its
 * threads, in which a number says nothing once its thread is gone.
 */
static size_t find_place(const struct found *found, pid_t pid, pid_t stopped_at)
{
	size_t i = 0;

	while (i < found->n &&
	       (pid ? found->list[i].nr != stopped_at : found->list[i].nr < stopped_at))
		i++;
	return i;
}

static int keep(const struct found *found, struct kv_threads *t)
{
	size_t place = find_place(found, t->opts.pid, t->opts.progress->stopped_at), n = 0;

	if (t->opts.pid && place == found->n)
		return -ESTALE;
	for (size_t i = place; i < found->n; i++)
		n += found->list[i].is_shown;
	t->list = calloc(n + 1, sizeof(*t->list));
	if (!t->list)
		return -ENOMEM;
	for (size_t i = place; i < found->n; i++) {
		const struct kv_thread *thread = &found->list[i];

		if (thread->is_shown)
			t->list[t->n++] =
				(struct listed){thread->common, thread->nr, thread->leader};
	}
	return 0;
}

static int list_all(struct kv_threads *t)
{
	struct found found = {0};
	int rc = find_all(t, t->opts.pid, &found);

	if (!rc)
		rc = choose(&found);
	if (!rc)
		rc = keep(&found, t);
	free(found.list);
	return rc == -ESRCH ? -ESTALE : rc;
}

int kv_threads_new(const struct kv_threads_opts *opts, struct kv_threads **threads)
{
	struct kv_threads *t = calloc(1, sizeof(*t));
	int rc = 0;

	if (!t)
		return -ENOMEM;
	t->opts = *opts;
	t->own = KV_LOADED_INIT;
	t->iter = -1;
	if (!opts->tool)
		rc = kv_tool_open("tools/threads", NULL, &t->own, NULL);
	if (!rc)
		rc = list_all(t);
	if (rc)
		kv_threads_free(t);
	else
		*threads = t;
	return rc;
}

void kv_threads_free(struct kv_threads *t)
{
	if (!t)
		return;
	kv_closep(&t->iter);
	kv_loaded_close(&t->own);
	free(t->list);
	free(t);
}

/* --- one by one --- */

static void close_iter(struct kv_threads *t)
{
	kv_closep(&t->iter);
	t->iter = -1;
}

/* A thread that had nothing to show any more: another one may have the same. 1: it has. */
static int replace(const struct kv_threads *t, struct listed *gone)
{
	const struct kv_thread *lowest = NULL;
	struct found found = {0};
	bool had_any = gone->common && gone->leader;
	int rc = had_any ? find_all(t, gone->leader, &found) : -ESRCH;

	for (size_t i = 0; !rc && i < found.n; i++) {
		const struct kv_thread *thread = &found.list[i];

		if (thread->common == gone->common && thread->nr != gone->nr &&
		    (!lowest || thread->tid < lowest->tid))
			lowest = thread;
	}
	if (lowest)
		gone->nr = lowest->nr;
	else if (!rc)
		rc = -ESRCH;
	free(found.list);
	return rc == -ESRCH ? 0 : rc ? rc : 1;
}

/* The next thread that is still there. 1: it is; 0: none is left; -errno. */
static int open_next(struct kv_threads *t)
{
	int rc = 1;

	while (rc >= 0 && t->iter < 0 && t->at < t->n) {
		t->iter = kv_loaded_iter(t->opts.view, 0, t->list[t->at].nr);
		rc = t->iter == -ESRCH ? replace(t, &t->list[t->at]) : t->iter < 0 ? t->iter : 0;
		t->at += rc == 0;
		t->reads = 0;
	}
	return rc < 0 ? rc : t->iter >= 0;
}

/* After a read of a thread that was just there and has nothing (any more). */
static int look_for_another(struct kv_threads *t)
{
	int rc = replace(t, &t->list[t->at - 1]);

	close_iter(t);
	t->at -= rc > 0;
	return rc < 0 ? rc : 1;
}

/* One read of one thread. 1: there may be more; 0: all are done. */
static int read_one(struct kv_threads *t, char *to, size_t size, size_t *n, uint8_t *saw,
		    struct kv_err *err)
{
	const struct kv_threads_opts *o = &t->opts;
	int rc = t->is_lost ? -ESTALE : open_next(t);
	uint8_t seen = 0;
	ssize_t got;

	if (rc <= 0)
		return rc;
	got = kv_scope_read(o->view->readers_fd, o->scope, o->progress, t->iter, to, size, &seen,
			    err);
	*saw |= seen;
	if (got < 0)
		return (int)got;
	*n += (size_t)got;
	t->reads++;
	if (t->reads == 1 && got == 0 && (seen & KV_SAW_END) && !(seen & KV_SAW_OBJECT))
		return look_for_another(t);
	t->is_lost = o->pid && kv_saw_is_lost(seen, t->reads);
	if (kv_saw_is_end(seen, got, size))
		close_iter(t);
	return t->is_lost ? -ESTALE : 1;
}

ssize_t kv_threads_read(struct kv_threads *t, char *to, size_t size, uint8_t *saw,
			struct kv_err *err)
{
	size_t n = 0;
	int rc = 1;

	*saw = 0;
	for (int i = 0; rc > 0 && i < MAX_THREADS && (!n || size - n >= LEAST_ROOM); i++)
		rc = read_one(t, to + n, size - n, &n, saw, err);
	/* What came before a failure is taken first; that comes again with the next read. */
	if (n)
		return (ssize_t)n;
	return rc > 0 ? -EAGAIN : rc;
}
