// SPDX-License-Identifier: GPL-2.0-only
#include "access/identity.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "load/kernel.h"

/* An iterator that returns EAGAIN for ever must not keep a thread for ever. */
#define MAX_TRIES 1000

static uint64_t fingerprint(void)
{
	const struct kv_embedded *e = kv_embedded_find("identity/reader");

	return kv_object_fingerprint(e->data, e->size);
}

int kv_identity_open(const struct kv_pins *pins, struct kv_types *types, struct kv_loaded *query,
		     struct kv_err *err)
{
	int fd = pins ? kv_pin_use_query(pins, "reader", fingerprint()) : -ENOENT;

	if (fd < 0)
		return kv_query_load("identity/reader", types, query, err);
	*query = KV_LOADED_INIT;
	query->prog_fd = fd;
	return 0;
}

int kv_identity_pin(const struct kv_pins *pins, const struct kv_loaded *query, struct kv_err *err)
{
	return kv_pin_store_query(pins, "reader", fingerprint(), query->prog_fd, err);
}

/* The next identity from an iterator; -ESRCH: there is none. */
static int read_identity(int iter, struct kv_identity *id)
{
	ssize_t n = -1;

	errno = EAGAIN;
	for (int i = 0; i < MAX_TRIES && n < 0 && (errno == EAGAIN || errno == EINTR); i++)
		n = read(iter, id, sizeof(*id));
	if (n < 0)
		return -errno;
	return n == sizeof(*id) ? 0 : -ESRCH;
}

static int identify_alone(const struct kv_loaded *query, pid_t tid, struct kv_identity *id)
{
	const struct kv_link link = kv_link_thread(tid);
	_cleanup_close_ int iter = kv_loaded_iter(query, &link);

	return iter < 0 ? iter : read_identity(iter, id);
}

/* Among all threads of its process, by its number in the initial pid namespace. */
static int find_in_process(const struct kv_loaded *query, pid_t tid, struct kv_identity *id)
{
	pid_t pid = kv_kernel_process_of(tid);
	const struct kv_link link = kv_link_process(pid);
	_cleanup_close_ int iter = pid && pid != tid ? kv_loaded_iter(query, &link) : -ESRCH;
	int rc = iter < 0 ? iter : 0;

	do {
		rc = rc ? rc : read_identity(iter, id);
	} while (!rc && (pid_t)(uint32_t)id->id != tid);
	return rc;
}

int kv_identity_get(const struct kv_loaded *query, pid_t tid, struct kv_identity *id)
{
	int rc = identify_alone(query, tid, id);

	return rc == -ESRCH ? find_in_process(query, tid, id) : rc;
}

static void *identify_this(void *query)
{
	struct kv_identity id;

	return identify_alone(query, gettid(), &id) == 0 ? query : NULL;
}

bool kv_identity_finds_threads(struct kv_loaded *query)
{
	void *found = NULL;
	pthread_t thread;

	if (pthread_create(&thread, NULL, identify_this, query) == 0)
		pthread_join(thread, &found);
	return found;
}

/* --- the calling thread --- */

/* One for the process: each thread gets its own answer from it. */
static const struct kv_loaded *self_query;

void kv_self_by(const struct kv_loaded *query)
{
	self_query = query;
}

int kv_self_get(struct kv_self *self, struct kv_err *err)
{
	static _Thread_local struct {
		pid_t pid, tid; /* others after a fork */
		struct kv_self self;
	} known;
	pid_t pid = getpid(), tid = gettid();
	struct kv_identity id = {0};
	int rc;

	if (known.pid != pid || known.tid != tid) {
		rc = self_query ? kv_identity_get(self_query, tid, &id) : -ENXIO;
		if (rc)
			return kv_err_errno(err, rc, "can't learn this thread's number");
		known.self = (struct kv_self){id.id, id.thread_start};
		known.pid = pid;
		known.tid = tid;
	}
	*self = known.self;
	return 0;
}
