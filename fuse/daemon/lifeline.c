// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/lifeline.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "base/cleanup.h"
#include "fuse/daemon/connection.h"

static void *hold(void *arg)
{
	struct kv_lifeline *line = arg;
	struct pollfd p = {.fd = line->fd};

	while (poll(&p, 1, -1) < 1) /* no event but the end of the other end */
		;
	if (line->is_owner)
		kv_connection_abort(line->abort);
	_exit(EXIT_FAILURE);
}

int kv_lifeline_hold(struct kv_lifeline *line, bool shares_fd)
{
	sigset_t all, old;
	pthread_t thread;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = -pthread_create(&thread, NULL, hold, line);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return rc;
	pthread_detach(thread);
	/* The table as it is stays that thread's. */
	if (unshare(CLONE_FILES) < 0)
		return -errno;
	kv_closep(&line->abort);
	if (!shares_fd)
		close(line->fd);
	return 0;
}
