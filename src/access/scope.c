// SPDX-License-Identifier: GPL-2.0-only
#include "access/scope.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access/identity.h"

/* read(2) fails with EAGAIN after many tasks without a byte of output. */
#define MAX_IDLE_READS 10000

/* Removes entries of threads that were killed during a read. */
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

static int register_reader(int map, uint64_t id, const struct kv_reading *reading)
{
	int rc = bpf_map_update_elem(map, &id, reading, BPF_ANY);

	/* In a nested pid namespace we can't tell which of these threads are gone. */
	if (rc != -E2BIG || (pid_t)(uint32_t)id != gettid())
		return rc;
	sweep_readers(map);
	return bpf_map_update_elem(map, &id, reading, BPF_ANY);
}

/* What is done while the thread is registered: a read of an iterator, or a call of a program. */
struct act {
	int iter, prog; /* one of them is -1 */
	void *to;
	size_t size;
};

static ssize_t perform(const struct act *act)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	ssize_t n;

	if (act->prog < 0) {
		n = read(act->iter, act->to, act->size);
		return n < 0 ? -errno : n;
	}
	n = bpf_prog_test_run_opts(act->prog, &opts);
	return n || !opts.retval ? n : -EAGAIN;
}

static ssize_t perform_for(int map, const struct kv_scope *scope, struct kv_progress *progress,
			   const struct act *act, uint8_t *saw, struct kv_err *err)
{
	struct kv_reading reading = {.scope = *scope};
	struct kv_self self;
	sigset_t all, old;
	ssize_t n = 0;
	int rc;

	if (kv_self_get(&self, err))
		return KV_SAID;
	reading.scope.thread_start = self.start;
	if (progress)
		reading.progress = *progress;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = register_reader(map, self.id, &reading);
	if (!rc) {
		n = perform(act);
		bpf_map_lookup_and_delete_elem(map, &self.id, &reading); /* of hashes since 5.14 */
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc) {
		kv_err_errno(err, rc, "can't register as a reader");
		return KV_SAID;
	}
	if (progress)
		*progress = reading.progress;
	*saw = reading.scope.saw;
	return n;
}

ssize_t kv_scope_read(int map, const struct kv_scope *scope, struct kv_progress *progress, int iter,
		      void *to, size_t size, uint8_t *saw, struct kv_err *err)
{
	const struct act act = {.iter = iter, .prog = -1, .to = to, .size = size};

	return perform_for(map, scope, progress, &act, saw, err);
}

int kv_scope_call(int map, const struct kv_scope *scope, struct kv_progress *progress, int prog,
		  uint8_t *saw, struct kv_err *err)
{
	const struct act act = {.iter = -1, .prog = prog};

	return (int)perform_for(map, scope, progress, &act, saw, err);
}

ssize_t kv_scope_read_on(int map, const struct kv_scope *scope, struct kv_progress *progress,
			 int iter, void *to, size_t size)
{
	uint8_t saw;

	for (int idle = 0; idle < MAX_IDLE_READS; idle++) {
		ssize_t n = kv_scope_read(map, scope, progress, iter, to, size, &saw, NULL);

		if (n != -EAGAIN && n != -EINTR)
			return n == KV_SAID ? -EIO : n;
	}
	return -EIO;
}
