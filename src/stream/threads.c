// SPDX-License-Identifier: GPL-2.0-only
#include "stream/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "access/identity.h"

#define CHUNK 32768

/* Threads in one read: 5 ms, if they give no record, before somebody is asked whether to go on. */
#define MAX_THREADS 512

/* Less room than this is not worth a call. */
#define LEAST_ROOM 2048

struct listed {
	uint64_t common;  /* address of what it shows */
	uint32_t group;	  /* of those that have the same: the first that is there shows it */
	uint32_t tid;	  /* in the initial pid namespace, */
	pid_t nr, leader; /* and in our own */
};

struct queue {
	struct listed *list;
	size_t n, at;
};

struct kv_threads {
	struct kv_threads_opts opts;
	struct kv_loaded own; /* the query, where none is given */
	struct queue all;     /* in the order of the walk, but groups together */
	struct queue others;  /* that have what a leader has lost meanwhile: they come first */
	struct listed now;    /* whom @iter is for */
	int iter;	      /* or -1 */
	uint8_t seen;	      /* KV_SAW_ bits of its reads */
	uint32_t shown;	      /* this group is; NO_GROUP: none */
	int failed;	      /* -errno, for good */
};

#define NO_GROUP UINT32_MAX

/* --- which --- */

struct found {
	struct kv_thread *list;
	size_t n;
};

/* All that the query tells, of one process or of all, in the order of the walk. */
static int find_all(const struct kv_threads *t, pid_t pid, struct found *found)
{
	const struct kv_threads_opts *o = &t->opts;
	const struct kv_loaded *query = o->query ? o->query : &t->own;
	const struct kv_link link = kv_link_process(pid);
	_cleanup_close_ int iter = kv_loaded_iter(query, &link);
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
		n = kv_scope_read_on(query->readers_fd, o->scope, o->progress, iter,
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

/* By what they have in common with others, then by number. */
static int by_common(const void *a, const void *b)
{
	const struct kv_thread *x = *(const struct kv_thread *const *)a;
	const struct kv_thread *y = *(const struct kv_thread *const *)b;
	int order = compare(x->tgid, y->tgid);

	if (!order)
		order = compare(x->common, y->common);
	return order ? order : compare(x->tid, y->tid);
}

static bool have_same(const struct kv_thread *a, const struct kv_thread *b)
{
	return a->tgid == b->tgid && a->common == b->common;
}

/* For each thread the place of the one of the lowest number that has the same; to be freed. */
static uint32_t *find_groups(const struct found *found)
{
	_cleanup_free_ const struct kv_thread **sharers = calloc(found->n + 1, sizeof(void *));
	uint32_t *groups = calloc(found->n + 1, sizeof(*groups));
	size_t n = 0;

	if (!sharers || !groups) {
		free(groups);
		return NULL;
	}
	for (size_t i = 0; i < found->n; i++) {
		groups[i] = (uint32_t)i;
		if (found->list[i].is_shown && !found->list[i].is_sure)
			sharers[n++] = &found->list[i];
	}
	qsort(sharers, n, sizeof(void *), by_common);
	for (size_t i = 1; i < n; i++)
		if (have_same(sharers[i], sharers[i - 1]))
			groups[sharers[i] - found->list] = groups[sharers[i - 1] - found->list];
	return groups;
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

static int by_group(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	int order = compare(x->group, y->group);

	return order ? order : compare(x->tid, y->tid);
}

static void append(struct queue *queue, const struct kv_thread *thread, uint32_t group)
{
	queue->list[queue->n++] =
		(struct listed){thread->common, group, thread->tid, thread->nr, thread->leader};
}

/* What the walk has shown is done with; who has the same as others comes right behind them. */
static int keep(const struct found *found, const uint32_t *groups, struct kv_threads *t)
{
	size_t place = find_place(found, t->opts.pid, t->opts.progress->stopped_at), n = 0;

	if (t->opts.pid && place == found->n)
		return -ESTALE;
	for (size_t i = 0; i < found->n; i++)
		n += found->list[i].is_shown && groups[i] >= place;
	t->all.list = calloc(n + 1, sizeof(*t->all.list));
	if (!t->all.list)
		return -ENOMEM;
	for (size_t i = 0; i < found->n; i++)
		if (found->list[i].is_shown && groups[i] >= place)
			append(&t->all, &found->list[i], groups[i]);
	qsort(t->all.list, t->all.n, sizeof(*t->all.list), by_group);
	return 0;
}

static int list_all(struct kv_threads *t)
{
	_cleanup_free_ uint32_t *groups = NULL;
	struct found found = {0};
	int rc = find_all(t, t->opts.pid, &found);

	if (!rc) {
		groups = find_groups(&found);
		rc = groups ? keep(&found, groups, t) : -ENOMEM;
	}
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
	t->shown = NO_GROUP;
	if (!opts->query)
		rc = kv_query_load("identity/threads", NULL, &t->own, NULL);
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
	free(t->all.list);
	free(t->others.list);
	free(t);
}

/* --- one by one --- */

static void close_iter(struct kv_threads *t)
{
	kv_closep(&t->iter);
	t->iter = -1;
}

/*
 * A leader has nothing (any more), and those that had the same were not listed with it. They
 * are once: whoever comes to have it later came by it later than that.
 */
static int look_behind_leader(struct kv_threads *t)
{
	struct found found = {0};
	int rc = find_all(t, t->now.leader, &found);

	free(t->others.list);
	t->others = (struct queue){.list = rc ? NULL : calloc(found.n + 1, sizeof(struct listed))};
	if (!rc && !t->others.list)
		rc = -ENOMEM;
	for (size_t i = 0; !rc && i < found.n; i++)
		if (found.list[i].common == t->now.common && found.list[i].nr != t->now.nr)
			append(&t->others, &found.list[i], t->now.group);
	if (!rc)
		qsort(t->others.list, t->others.n, sizeof(struct listed), by_group);
	free(found.list);
	return rc == -ESRCH ? 0 : rc;
}

/* Of @now nothing came: it may be that others have it. 0 or -errno. */
static int look_further(struct kv_threads *t)
{
	bool is_leader = t->now.nr == t->now.leader;

	close_iter(t);
	return is_leader && t->now.common ? look_behind_leader(t) : 0;
}

static bool take_next(struct kv_threads *t)
{
	struct queue *q = t->others.at < t->others.n ? &t->others : &t->all;

	while (q->at < q->n && q->list[q->at].group == t->shown)
		q->at++;
	if (q->at == q->n)
		return q != &t->all && take_next(t);
	t->now = q->list[q->at++];
	return true;
}

/* The next thread that is still there. 1: it is; 0: none is left; -errno. */
static int open_next(struct kv_threads *t)
{
	int rc = 0;

	while (!rc && t->iter < 0) {
		struct kv_link link;

		if (!take_next(t))
			return 0;
		link = kv_link_thread(t->now.nr);
		t->iter = kv_loaded_iter(t->opts.view, &link);
		t->seen = 0;
		if (t->iter < 0)
			rc = t->iter == -ESRCH ? look_further(t) : t->iter;
	}
	return rc ? rc : 1;
}

/* One read of one thread. 1: there may be more; 0: all are done. */
static int read_one(struct kv_threads *t, char *to, size_t size, size_t *n, uint8_t *saw,
		    struct kv_err *err)
{
	const struct kv_threads_opts *o = &t->opts;
	int rc = open_next(t);
	uint8_t seen = 0, before = t->seen;
	ssize_t got;

	if (rc <= 0)
		return rc;
	got = kv_scope_read(o->view->readers_fd, o->scope, o->progress, t->iter, to, size, &seen,
			    err);
	*saw |= seen;
	if (got < 0)
		return (int)got;
	*n += (size_t)got;
	t->seen |= seen;
	/* It has nothing to show any more; what came at the end is of the thread before it. */
	if ((seen & KV_SAW_END) && !(t->seen & KV_SAW_OBJECT)) {
		rc = look_further(t);
		return rc ? rc : 1;
	}
	t->shown = t->now.group;
	if (o->pid && kv_saw_is_lost(seen, before))
		return -ESTALE;
	if (kv_saw_is_end(seen, got, size))
		close_iter(t);
	return 1;
}

ssize_t kv_threads_read(struct kv_threads *t, char *to, size_t size, uint8_t *saw,
			struct kv_err *err)
{
	size_t n = 0;
	int rc = t->failed ? t->failed : 1;

	*saw = 0;
	for (int i = 0; rc > 0 && i < MAX_THREADS && (!n || size - n >= LEAST_ROOM); i++)
		rc = read_one(t, to + n, size - n, &n, saw, err);
	/* What came before a failure is taken first; that comes again with the next read. */
	if (rc < 0 && rc != -EAGAIN && rc != -EINTR && rc != KV_SAID)
		t->failed = rc;
	if (n)
		return (ssize_t)n;
	return rc > 0 ? -EAGAIN : rc;
}
