// SPDX-License-Identifier: GPL-2.0-only
#include "iter/run.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "iter/kernel.h"
#include "schema/record.h"

/*
 * The kernel's seq buffer is 32 KiB and one read returns at most that; a
 * smaller buffer would break the cgroup iterator.
 */
#define CHUNK 32768

/*
 * A read that walks 1,000,000 objects without output ends with EAGAIN and the
 * next one goes on; so does a program that has no memory for its scratch, and
 * that must not be waited for endlessly.
 */
#define MAX_IDLE_READS 10000

/* What read_registered() returns when @err says it already, unlike any -errno. */
#define SAID (-100000)

struct kv_run {
	const struct kv_view *view;
	struct kv_run_opts opts;
	struct kv_scope scope;
	int fd;
	bool at_end;
	uint64_t reads;
	size_t pos, len;		   /* of what is in @chunk */
	char chunk[KV_RECORD_MAX + CHUNK]; /* an incomplete record, then one read */
};

static int no_process(pid_t pid, struct kv_err *err)
{
	kv_err_set(err, -ENOENT, "no process %d", (int)pid);
	kv_err_hint(err, "it may have ended; threads are shown with their process");
	return -ENOENT;
}

/* A link of its own: the kernel looks the process up, others cost nothing. */
static int open_for_task(const struct kv_view *view, pid_t pid, struct kv_err *err)
{
	union bpf_iter_link_info info = {.task.pid = (uint32_t)pid};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	_cleanup_close_ int link = -1;
	int fd;

	link = bpf_link_create(view->loaded.prog_fd, 0, BPF_TRACE_ITER, &opts);
	if (link < 0) {
		if (link == -ESRCH)
			return no_process(pid, err);
		kv_err_errno(err, link, "can't run view '%s' for process %d", view->name, (int)pid);
		kv_err_hint(err, "iterators for one process need Linux 6.1");
		return link;
	}
	fd = bpf_iter_create(link);
	if (fd < 0)
		return kv_err_errno(err, fd, "can't run view '%s'", view->name);
	return fd;
}

static int open_for_all(const struct kv_view *view, struct kv_err *err)
{
	int fd = bpf_iter_create(view->loaded.link_fd);

	if (fd < 0)
		return kv_err_errno(err, fd, "can't run view '%s'", view->name);
	return fd;
}

int kv_run_new(const struct kv_view *view, const struct kv_run_opts *opts, struct kv_run **run,
	       struct kv_err *err)
{
	struct kv_run *r;
	int fd;

	if (opts->pid && !view->per_task) {
		kv_err_set(err, -EINVAL, "view '%s' has no rows of single processes", view->name);
		kv_err_hint(err, "--pid is for views of tasks; this one is kernel-wide");
		return -EINVAL;
	}
	if (opts->pid && !kv_kernel_has_process(opts->pid))
		return no_process(opts->pid, err);
	fd = opts->pid ? open_for_task(view, opts->pid, err) : open_for_all(view, err);
	if (fd < 0)
		return fd;
	r = malloc(sizeof(*r));
	if (!r) {
		close(fd);
		return kv_err_errno(err, -ENOMEM, "can't run view '%s'", view->name);
	}
	r->view = view;
	r->opts = *opts;
	r->scope = (struct kv_scope){.boot_time = kv_kernel_boot_time()};
	r->fd = fd;
	r->at_end = false;
	r->reads = 0;
	r->pos = r->len = 0;
	*run = r;
	return 0;
}

void kv_run_free(struct kv_run *run)
{
	if (!run)
		return;
	close(run->fd);
	free(run);
}

void kv_run_on_behalf(struct kv_run *run, void *arg)
{
	run->opts.arg = arg;
}

/* Entries of threads that are no more: they were killed within a read. */
static void sweep_readers(int map)
{
	uint64_t key, next, *from = NULL;

	while (bpf_map_get_next_key(map, from, &next) == 0) {
		key = next;
		from = &key;
		if (syscall(SYS_tkill, (pid_t)(uint32_t)key, 0) < 0 && errno == ESRCH) {
			bpf_map_delete_elem(map, &key);
			from = NULL; /* begin anew: the place to go on from is gone */
		}
	}
}

static int register_reader(struct kv_run *run, const struct kv_self *self)
{
	int map = run->view->loaded.readers_fd, rc;

	run->scope.pid_ns_level = self->pid_ns_level;
	run->scope.saw_object = run->scope.saw_end = 0;
	rc = bpf_map_update_elem(map, &self->id, &run->scope, BPF_ANY);
	if (rc != -E2BIG)
		return rc;
	sweep_readers(map);
	return bpf_map_update_elem(map, &self->id, &run->scope, BPF_ANY);
}

/*
 * The walk through one process goes on from the thread whose record did not
 * fit any more; if that thread has ended meanwhile the kernel takes it for the
 * end of all. An honest end comes in the same read as a last object.
 */
static bool is_cut_short(const struct kv_run *run, const struct kv_scope *seen)
{
	return run->opts.pid && run->reads > 1 && seen->saw_end && !seen->saw_object;
}

/*
 * One read as a registered reader. The entry is gone again right after: a
 * later thread of the same number must not be taken for this one. Signals wait
 * meanwhile, since the kernel walks on regardless of them.
 */
static ssize_t read_registered(struct kv_run *run, struct kv_err *err)
{
	struct kv_scope seen = {0};
	struct kv_self self;
	sigset_t all, old;
	ssize_t n;
	int rc;

	if (kv_kernel_self(&self, err))
		return SAID;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = register_reader(run, &self);
	if (!rc) {
		n = read(run->fd, run->chunk + run->len, CHUNK);
		if (n < 0)
			n = -errno;
		run->reads++;
		bpf_map_lookup_elem(run->view->loaded.readers_fd, &self.id, &seen);
		bpf_map_delete_elem(run->view->loaded.readers_fd, &self.id);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc) {
		kv_err_errno(err, rc, "can't register as a reader of view '%s'", run->view->name);
		return SAID;
	}
	if (!is_cut_short(run, &seen))
		return n;
	kv_err_set(err, -EIO, "view '%s': process %d lost the thread that was next",
		   run->view->name, (int)run->opts.pid);
	kv_err_hint(err, "read it again");
	return SAID;
}

static int explain_read(const struct kv_run *run, int rc, struct kv_err *err)
{
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

/* More bytes behind those that are there. 1: some came; 0: the end. */
static int fill(struct kv_run *run, struct kv_err *err)
{
	memmove(run->chunk, run->chunk + run->pos, run->len - run->pos);
	run->len -= run->pos;
	run->pos = 0;
	for (int idle = 0; idle < MAX_IDLE_READS; idle++) {
		ssize_t n;

		if (run->opts.cancelled && run->opts.cancelled(run->opts.arg))
			return kv_err_errno(err, -EINTR, "view '%s'", run->view->name);
		n = read_registered(run, err);
		if (n > 0) {
			run->len += (size_t)n;
			return 1;
		}
		if (n == 0)
			return 0;
		if (n == SAID)
			return -EIO;
		if (n != -EAGAIN && n != -EINTR)
			return explain_read(run, (int)n, err);
		sched_yield(); /* for who holds what the program waits for */
	}
	return explain_read(run, -EAGAIN, err);
}

int kv_run_next(struct kv_run *run, const void **record, uint32_t *len, struct kv_err *err)
{
	while (!run->at_end) {
		int rc = kv_record_check(run->view->schema, run->chunk + run->pos,
					 run->len - run->pos, err);

		if (rc > 0) {
			*record = run->chunk + run->pos;
			*len = (uint32_t)rc;
			run->pos += (uint32_t)rc;
			return 1;
		}
		if (!rc)
			rc = fill(run, err);
		if (rc < 0)
			return rc;
		run->at_end = rc == 0;
	}
	if (run->pos < run->len)
		return kv_err_set(err, -EIO, "view '%s' ended amid a record", run->view->name);
	return 0;
}
