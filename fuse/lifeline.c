// SPDX-License-Identifier: GPL-2.0-only
#include "lifeline.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

struct start {
	sem_t done;
	int fd, rc;
};

/* A table of descriptors of its own: they go when the thread does, and not with the last one. */
static int keep_only(int fd)
{
	if (unshare(CLONE_FILES) < 0)
		return -errno;
	if ((fd > 0 && close_range(0, (unsigned int)fd - 1, 0) < 0) ||
	    close_range((unsigned int)fd + 1, ~0U, 0) < 0)
		return -errno;
	return 0;
}

static void *hold(void *arg)
{
	struct start *start = arg;
	int rc = keep_only(start->fd);

	start->rc = rc;
	sem_post(&start->done); /* from here on it is not ours */
	if (rc)
		return NULL;
	for (;;)
		poll(NULL, 0, -1);
}

int kv_lifeline_hold(int fd)
{
	struct start start = {.fd = fd};
	sigset_t all, old;
	pthread_t thread;
	int rc;

	sem_init(&start.done, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = -pthread_create(&thread, NULL, hold, &start);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!rc) {
		pthread_detach(thread);
		while (sem_wait(&start.done) < 0)
			; /* a signal */
		rc = start.rc;
	}
	if (!rc)
		close(fd);
	sem_destroy(&start.done);
	return rc;
}
