// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/lifeline.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuse/daemon/connection.h"

struct start {
	struct kv_lifeline line;
	sem_t done;
	int rc;
};

static bool is_kept(const struct kv_lifeline *line, int fd)
{
	return fd == line->own || fd == line->parent || fd == line->abort;
}

/* A table of descriptors of its own: they go when the thread does, and not with the last one. */
static int keep_only(const struct kv_lifeline *line)
{
	int last = line->own > line->parent ? line->own : line->parent;

	if (unshare(CLONE_FILES) < 0)
		return -errno;
	last = last > line->abort ? last : line->abort;
	for (int fd = 0; fd < last; fd++)
		if (!is_kept(line, fd))
			close(fd);
	return close_range((unsigned int)last + 1, ~0U, 0) < 0 ? -errno : 0;
}

static _Noreturn void wait_for_parents_end(const struct kv_lifeline *line)
{
	struct pollfd p = {.fd = line->parent};

	while (poll(&p, 1, -1) < 1)
		; /* a signal */
	kv_connection_abort(line->abort);
	_exit(EXIT_FAILURE);
}

static void *hold(void *arg)
{
	struct start *start = arg;
	struct kv_lifeline line = start->line;
	int rc = keep_only(&line);

	start->rc = rc;
	sem_post(&start->done); /* from here on it is not ours */
	if (!rc)
		wait_for_parents_end(&line);
	return NULL;
}

static int start_thread(struct start *start)
{
	sigset_t all, old;
	pthread_t thread;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = -pthread_create(&thread, NULL, hold, start);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return rc;
	pthread_detach(thread);
	while (sem_wait(&start->done) < 0)
		; /* a signal */
	return start->rc;
}

int kv_lifeline_hold(const struct kv_lifeline *line)
{
	struct start start = {.line = *line};
	int rc;

	sem_init(&start.done, 0, 0);
	rc = start_thread(&start);
	sem_destroy(&start.done);
	if (rc)
		return rc;
	close(line->own);
	close(line->parent);
	if (line->abort >= 0)
		close(line->abort);
	return 0;
}
