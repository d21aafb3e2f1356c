// SPDX-License-Identifier: GPL-2.0-only
#include "stream/walk.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "access/scope.h"
#include "base/cleanup.h"

/*
 * After so many calls in vain a walk goes on by a list of threads. Listing them takes about as
 * long as these calls.
 */
#define MAX_REPEATS 2048

/* Does this kernel have iterators for single threads? Else the walk is not stopped. */
static bool can_list(const struct kv_host *host)
{
	return !host || host->finds_threads;
}

static int make_iter(const struct kv_view *view, const struct kv_host *host,
		     const struct kv_link *link, int net_ns)
{
	if (net_ns < 0 && !(view->is_by_rights && host && host->iter_in))
		return kv_loaded_iter(&view->loaded, link);
	return host && host->iter_in ? host->iter_in(host->broker, view, net_ns) : -EOPNOTSUPP;
}

static int open_elements(struct kv_kernel_walk *w, const struct kv_view *view)
{
	*w = (struct kv_kernel_walk){.view = view, .fd = -1, .net_ns = -1};
	w->elements = kv_elements_new(view->map);
	return w->elements ? 0 : -ENOMEM;
}

/* The mappings of a process are those of its leader, so an iterator for that one is enough. */
static int open_plain(struct kv_kernel_walk *w, const struct kv_view *view,
		      const struct kv_host *host, const struct kv_scope *scope,
		      const struct kv_link *link, int net_ns)
{
	bool is_mm = !view->program && strcmp(view->kind, "task_vma") == 0;
	pid_t pid = !view->program && link->param == KV_PARAM_TASK ? (pid_t)link->info.task.pid : 0;
	struct kv_link leader = kv_link_thread(pid);
	bool is_called = strcmp(view->kind, KV_KIND_CALL) == 0;
	int fd = -1;

	if (view->map)
		return open_elements(w, view);
	if (!is_called)
		fd = make_iter(view, host, pid && is_mm && can_list(host) ? &leader : link, net_ns);
	if (fd < 0 && !is_called)
		return fd;
	*w = (struct kv_kernel_walk){
		.view = view,
		.host = host,
		.pid = pid,
		.is_mm = is_mm,
		.scope = *scope,
		.progress.max_repeats = can_list(host) ? MAX_REPEATS : 0,
		.fd = fd,
		.net_ns = net_ns,
	};
	return 0;
}

int kv_walk_open(struct kv_kernel_walk *w, const struct kv_view *view, const struct kv_host *host,
		 const struct kv_scope *scope, const struct kv_link *link, int net_ns)
{
	struct kv_kernel_walk first, second;
	struct kv_args_walk *args;
	int rc;

	if (!host || !host->courier || !view->schema || !view->schema->whose)
		return open_plain(w, view, host, scope, link, net_ns);
	rc = open_plain(&first, view, host, scope, link, net_ns);
	if (rc)
		return rc;
	rc = open_plain(&second, view, host, scope, link, net_ns);
	args = rc ? NULL : kv_args_new(host->courier, &first, &second);
	if (args) {
		*w = (struct kv_kernel_walk){.view = view, .fd = -1, .net_ns = -1, .args = args};
		return 0;
	}
	kv_walk_end(&first);
	if (!rc)
		kv_walk_end(&second);
	return rc ? rc : -ENOMEM;
}

static ssize_t read_args(struct kv_kernel_walk *w, char *to, size_t size, uint8_t *saw,
			 struct kv_err *err)
{
	ssize_t n = kv_args_read(w->args, to, size, saw, err);

	w->has_ended = n == 0;
	return n;
}

void kv_walk_end(struct kv_kernel_walk *w)
{
	kv_args_free(w->args);
	kv_closep(&w->fd);
	kv_threads_free(w->threads);
	kv_spool_free(w->spool);
	kv_elements_free(w->elements);
}

static int list_threads(struct kv_kernel_walk *w)
{
	int rc = kv_threads_new(w, &w->threads);

	if (!rc)
		close(TAKE_FD(w->fd));
	return rc;
}

/* All threads of the process, from its leader on. */
static int list_all(struct kv_kernel_walk *w)
{
	w->progress.common = w->is_mm ? KV_COMMON_MM : KV_COMMON_FILES;
	w->progress.stopped_at = w->pid;
	return list_threads(w);
}

/* If this kernel leaves out threads of a process, the process is read by a list of threads. */
static int begin(struct kv_kernel_walk *w)
{
	if (!w->pid || !w->host || !w->host->self.walk_skips || !can_list(w->host) ||
	    strcmp(w->view->kind, "task_file") != 0)
		return 0;
	return list_all(w);
}

/* The leader has no memory any more; another thread may. */
static bool is_leader_gone(const struct kv_kernel_walk *w, uint8_t saw)
{
	return w->is_mm && w->pid && can_list(w->host) && w->reads == 1 && (saw & KV_SAW_END) &&
	       !(saw & KV_SAW_OBJECT);
}

static ssize_t look_behind_leader(struct kv_kernel_walk *w)
{
	int rc = list_all(w);

	w->has_ended = rc == -ESTALE; /* the process is no more */
	return w->has_ended ? 0 : rc ? rc : -EAGAIN;
}

/*
 * Has the program stopped the walk, and was all read that it had written before? After a read
 * that was filled there may be more.
 */
static bool is_stopped(uint8_t saw, ssize_t n, size_t size)
{
	return (saw & KV_SAW_REPEATS) && n < (ssize_t)size;
}

/* Has the thread ended that the walk was to go on with? */
static bool is_lost(const struct kv_kernel_walk *w, uint8_t saw)
{
	pid_t nr = w->progress.judged.nr;

	if (!w->pid || !kv_saw_may_be_lost(saw, w->seen))
		return false;
	if (nr == KV_NR_LEADER)
		nr = w->pid;
	return !nr || !kv_threads_shares(w, nr);
}

static ssize_t read_iter(struct kv_kernel_walk *w, char *to, size_t size, uint8_t *saw,
			 struct kv_err *err)
{
	ssize_t n = kv_scope_read(w->view->loaded.readers_fd, &w->scope, &w->progress, w->fd, to,
				  size, saw, err);
	bool lost = is_lost(w, *saw);
	int rc = 0;

	w->seen |= *saw;
	if (is_stopped(*saw, n, size))
		rc = list_threads(w);
	else if (is_leader_gone(w, *saw))
		return look_behind_leader(w);
	else if (lost)
		rc = -ESTALE;
	else
		w->has_ended = kv_saw_is_end(*saw, n, size);
	return rc ? rc : n;
}

/* It knows no readers: the kernel decides what it shows. */
static ssize_t read_raw(struct kv_kernel_walk *w, char *to, size_t size)
{
	ssize_t n = read(w->fd, to, size);

	w->has_ended = n == 0;
	return n < 0 ? -errno : n;
}

/* The iterator that is there, and if its walk was stopped another one like it. */
static int begin_whole(void *walk)
{
	const struct kv_link all = {0};
	struct kv_kernel_walk *w = walk;

	return w->fd >= 0 ? TAKE_FD(w->fd) : make_iter(w->view, w->host, &all, w->net_ns);
}

/* The whole walk is run by the first read. */
static ssize_t read_spool(struct kv_kernel_walk *w, char *to, size_t size, uint8_t *saw,
			  struct kv_err *err)
{
	int rc = 0;
	ssize_t n;

	if (!w->spool)
		rc = kv_spool_new(w->view, &w->scope, begin_whole, w, &w->spool, saw, err);
	if (rc)
		return rc;
	n = kv_spool_read(w->spool, to, size);
	w->has_ended = n == 0;
	return n;
}

static ssize_t read_elements(struct kv_kernel_walk *w, char *to, size_t size, struct kv_err *err)
{
	ssize_t n = kv_elements_read(w->elements, to, size, err);

	w->has_ended = n == 0;
	if (n >= 0)
		return n;
	return n == -ENOMEM ? KV_SAID_NO_MEMORY : KV_SAID;
}

ssize_t kv_walk_read(struct kv_kernel_walk *w, char *to, size_t size, uint8_t *saw,
		     struct kv_err *err)
{
	int rc = w->reads++ ? 0 : begin(w);
	ssize_t n;

	*saw = 0;
	if (rc)
		return rc;
	if (w->args)
		return read_args(w, to, size, saw, err);
	if (w->elements)
		return read_elements(w, to, size, err);
	if (w->view->program)
		return read_raw(w, to, size);
	if (w->view->loaded.spool_fd >= 0)
		return read_spool(w, to, size, saw, err);
	if (w->fd >= 0)
		return read_iter(w, to, size, saw, err);
	n = kv_threads_read(w->threads, to, size, saw, err);
	w->has_ended = n == 0;
	return n;
}
