// SPDX-License-Identifier: GPL-2.0-only
#include "stream/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "access/reader.h"
#include "access/scope.h"
#include "base/cleanup.h"
#include "stream/walk.h"

#define CHUNK 32768

/* Threads in one read: 5 ms, if they give no record, before somebody is asked whether to go on. */
#define MAX_THREADS 512

/* Less room than this is not worth a call. */
#define LEAST_ROOM 2048

#define NO_GROUP UINT32_MAX

struct listed {
	struct kv_thread thread;
	uint32_t group; /* those that have the same: the place in the walk of the first of them */
};

/* What is kept of one, by each file that is read so, of up to all threads of the machine. */
struct turn {
	int32_t nr;
	uint32_t group;
};

struct kv_threads {
	struct kv_kernel_walk *walk;
	struct turn *list; /* groups in the order of the walk */
	size_t n, at;
	int iter;	/* of the thread before @at; or -1 */
	uint8_t seen;	/* KV_SAW_ bits of its reads */
	uint32_t shown; /* this group is; NO_GROUP: none */
	int failed;	/* -errno, for good */
};

/* --- which threads --- */

struct found {
	struct kv_thread *list;
	size_t n;
};

/* All that the program tells, in the order of the walk. */
static int find_with(const struct kv_loaded *program, struct kv_kernel_walk *w, struct found *found)
{
	const struct kv_link link = kv_link_process(w->pid);
	_cleanup_close_ int iter = kv_loaded_iter(program, &link);
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
		n = kv_scope_read_on(program->readers_fd, &w->scope, &w->progress, iter,
				     (char *)found->list + bytes, cap - bytes);
		if (n < 0)
			return (int)n;
		bytes += (size_t)n;
	} while (n > 0);
	found->n = bytes / sizeof(*found->list);
	return 0;
}

/* By the host's program, or where there is none by one that is loaded for the moment. */
static int find(struct kv_kernel_walk *w, struct found *found)
{
	struct kv_loaded own = KV_LOADED_INIT;
	int rc;

	if (w->host && w->host->threads_query.link_fd >= 0)
		return find_with(&w->host->threads_query, w, found);
	rc = kv_query_load("identity/threads", NULL, &own, NULL);
	if (!rc)
		rc = find_with(&own, w, found);
	kv_loaded_close(&own);
	return rc;
}

bool kv_threads_shares(const struct kv_kernel_walk *walk, pid_t nr)
{
	struct kv_kernel_walk look = *walk;
	struct found found = {0};
	size_t i = 0;
	bool shares;

	look.progress = (struct kv_progress){
		.common = walk->is_mm ? KV_COMMON_MM : KV_COMMON_FILES,
	};
	shares = find(&look, &found) == 0;
	while (i < found.n && found.list[i].nr != nr)
		i++;
	shares = shares && i < found.n;
	free(found.list);
	return shares;
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

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Of those that have the same the leader shows it, or else the thread of the lowest number. */
static int by_rank(const struct kv_thread *a, const struct kv_thread *b)
{
	int order = compare(a->tid != a->tgid, b->tid != b->tgid);

	return order ? order : compare(a->tid, b->tid);
}

static int by_common(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	int order = compare(x->thread.tgid, y->thread.tgid);

	if (!order)
		order = compare(x->thread.common, y->thread.common);
	return order ? order : by_rank(&x->thread, &y->thread);
}

static int by_group(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	int order = compare(x->group, y->group);

	return order ? order : by_rank(&x->thread, &y->thread);
}

/* The walk has shown all groups whose first thread it had passed. */
static int list_from(const struct found *found, size_t place, struct kv_threads *t)
{
	_cleanup_free_ struct listed *l = calloc(found->n + 1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	for (size_t i = 0; i < found->n; i++)
		l[i] = (struct listed){found->list[i], (uint32_t)i};
	qsort(l, found->n, sizeof(*l), by_common);
	for (size_t i = 1; i < found->n; i++)
		if (l[i].thread.tgid == l[i - 1].thread.tgid &&
		    l[i].thread.common == l[i - 1].thread.common)
			l[i].group = l[i - 1].group;
	for (size_t i = 0; i < found->n; i++)
		if (l[i].thread.common && l[i].group >= place)
			l[t->n++] = l[i];
	qsort(l, t->n, sizeof(*l), by_group);
	t->list = calloc(t->n + 1, sizeof(*t->list));
	if (!t->list)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++)
		t->list[i] = (struct turn){l[i].thread.nr, l[i].group};
	return 0;
}

int kv_threads_new(struct kv_kernel_walk *walk, struct kv_threads **threads)
{
	struct kv_threads *t = calloc(1, sizeof(*t));
	struct found found = {0};
	size_t place;
	int rc;

	if (!t)
		return -ENOMEM;
	*t = (struct kv_threads){.walk = walk, .iter = -1, .shown = NO_GROUP};
	rc = find(walk, &found);
	place = find_place(&found, walk->pid, walk->progress.stopped_at);
	if (!rc && walk->pid && place == found.n)
		rc = -ESTALE;
	if (!rc)
		rc = list_from(&found, place, t);
	free(found.list);
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
	free(t->list);
	free(t);
}

/* --- one by one --- */

/* The next thread, or one that has ended meanwhile. 1: it is open; 0: none is left; -errno. */
static int open_next(struct kv_threads *t)
{
	struct kv_link link;

	if (t->iter >= 0)
		return 1;
	while (t->at < t->n && t->list[t->at].group == t->shown)
		t->at++;
	if (t->at == t->n)
		return 0;
	link = kv_link_thread(t->list[t->at++].nr);
	t->iter = kv_loaded_iter(&t->walk->view->loaded, &link);
	t->seen = 0;
	return t->iter < 0 ? t->iter : 1;
}

/* One read of one thread. 1: there may be more; 0: all are done. */
static int read_one(struct kv_threads *t, char *to, size_t size, size_t *n, uint8_t *saw,
		    struct kv_err *err)
{
	struct kv_kernel_walk *w = t->walk;
	int rc = open_next(t);
	uint8_t seen = 0, before = t->seen;
	ssize_t got;

	if (rc <= 0)
		return rc;
	got = kv_scope_read(w->view->loaded.readers_fd, &w->scope, &w->progress, t->iter, to, size,
			    &seen, err);
	*saw |= seen;
	if (got < 0)
		return (int)got;
	*n += (size_t)got;
	t->seen |= seen;
	/* If it has nothing to show any more, the next one of its group may have. */
	if ((t->seen & KV_SAW_OBJECT) || !(t->seen & KV_SAW_END))
		t->shown = t->list[t->at - 1].group;
	if (w->pid && kv_saw_may_be_lost(seen, before) &&
	    !kv_threads_shares(w, t->list[t->at - 1].nr))
		return -ESTALE;
	if (kv_saw_is_end(seen, got, size))
		close(TAKE_FD(t->iter));
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
