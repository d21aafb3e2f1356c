// SPDX-License-Identifier: GPL-2.0-only
#include "access/identity.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "load/image.h"
#include "load/kernel.h"

/* An iterator that says nothing but EAGAIN must not keep a thread for ever. */
#define MAX_TRIES 1000

static uint64_t fingerprint(void)
{
	const struct kv_embedded *e = kv_embedded_find("identity/reader");

	return kv_hash(e->data, (size_t)(e->end - e->data)) ^ KV_ABI_VERSION;
}

int kv_identity_open(const struct kv_pins *pins, struct kv_types *types, struct kv_loaded *program,
		     struct kv_err *err)
{
	int fd = pins ? kv_pin_use_program(pins, "reader", fingerprint()) : -ENOENT;

	if (fd < 0)
		return kv_embedded_load("identity/reader", types, program, err);
	*program = (struct kv_loaded){.prog_fd = fd, .link_fd = -1, .readers_fd = -1};
	return 0;
}

int kv_identity_pin(const struct kv_pins *pins, const struct kv_loaded *program, struct kv_err *err)
{
	return kv_pin_store_program(pins, "reader", fingerprint(), program->prog_fd, err);
}

/* The next identity of an iterator; -ESRCH: there is none. */
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

static int identify_alone(const struct kv_loaded *program, pid_t tid, struct kv_identity *id)
{
	const struct kv_link link = kv_link_thread(tid);
	_cleanup_close_ int iter = kv_loaded_iter(program, &link);

	return iter < 0 ? iter : read_identity(iter, id);
}

/* Among all threads of its process, by its number in the initial pid namespace. */
static int find_in_process(const struct kv_loaded *program, pid_t tid, struct kv_identity *id)
{
	pid_t pid = kv_kernel_process_of(tid);
	const struct kv_link link = kv_link_process(pid);
	_cleanup_close_ int iter = pid && pid != tid ? kv_loaded_iter(program, &link) : -ESRCH;
	int rc = iter < 0 ? iter : 0;

	do {
		rc = rc ? rc : read_identity(iter, id);
	} while (!rc && (pid_t)(uint32_t)id->id != tid);
	return rc;
}

int kv_identity_ask(const struct kv_loaded *program, pid_t tid, struct kv_identity *id)
{
	int rc = identify_alone(program, tid, id);

	return rc == -ESRCH ? find_in_process(program, tid, id) : rc;
}

static void *identify_this(void *program)
{
	struct kv_identity id;

	return identify_alone(program, gettid(), &id) == 0 ? program : NULL;
}

bool kv_identity_finds_threads(struct kv_loaded *program)
{
	void *found = NULL;
	pthread_t thread;

	if (pthread_create(&thread, NULL, identify_this, program) == 0)
		pthread_join(thread, &found);
	return found;
}
