// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "mounted.h"

/* A worker that can't live long enough is not tried for ever. */
#define MAX_CRASHES 5
#define CRASHES_WITHIN 10 /* seconds */

struct crashes {
	time_t times[MAX_CRASHES]; /* CLOCK_MONOTONIC */
	unsigned int n;
};

/* Note one more; true: that many within so short a time that no more are tried. */
static bool are_too_many(struct crashes *c)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	c->times[c->n++ % MAX_CRASHES] = now.tv_sec;
	return c->n >= MAX_CRASHES && now.tv_sec - c->times[c->n % MAX_CRASHES] < CRASHES_WITHIN;
}

/* What the holder waits for, one at a time. */
static void block_signals(sigset_t *awaited, sigset_t *before)
{
	sigemptyset(awaited);
	sigaddset(awaited, SIGCHLD);
	sigaddset(awaited, SIGTERM);
	sigaddset(awaited, SIGINT);
	sigaddset(awaited, SIGHUP);
	sigprocmask(SIG_BLOCK, awaited, before);
}

static pid_t start_worker(struct kv_mounted *m, const sigset_t *mask)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : pid;
	sigprocmask(SIG_SETMASK, mask, NULL);
	_exit(kv_work(m));
}

/* The first worker tells who started us; a later one has nobody to tell. */
static void forget_starter(struct kv_mounted *m)
{
	if (m->server.ready_fd >= 0)
		close(m->server.ready_fd);
	m->server.ready_fd = -1;
}

static void describe(int status, char *what, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(what, size, "was ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(what, size, "ended with status %d", WEXITSTATUS(status));
}

/* Until the worker ends, or we are told to end it. */
static int wait_worker(pid_t worker, const sigset_t *awaited, bool *is_told)
{
	int status = 0;

	while (waitpid(worker, &status, WNOHANG) == 0) {
		int sig = sigwaitinfo(awaited, NULL);

		if (sig < 0 || sig == SIGCHLD)
			continue;
		*is_told = true;
		kill(worker, SIGTERM);
	}
	return status;
}

static int keep_serving(struct kv_mounted *m, const sigset_t *awaited, const sigset_t *mask,
			struct kv_err *err)
{
	struct crashes crashes = {.n = 0};
	bool is_told = false;
	char what[128];

	for (;;) {
		pid_t worker = start_worker(m, mask);
		int status;

		if (worker < 0)
			return kv_err_errno(err, worker, "can't start a worker");
		status = wait_worker(worker, awaited, &is_told);
		if (is_told || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
			return 0;
		describe(status, what, sizeof(what));
		if (!m->server.shared->is_ready)
			return kv_err_set(err, -EIO, "the worker %s before the mount answered",
					  what);
		forget_starter(m);
		if (are_too_many(&crashes))
			return kv_err_set(err, -EIO,
					  "the mount on '%s' is given up: its worker %s, %d times "
					  "within %d seconds",
					  m->mountpoint, what, MAX_CRASHES, CRASHES_WITHIN);
		m->server.log("the worker %s; the mount goes on with another", what);
		m->server.shared->restarts++;
	}
}

int kv_hold(struct kv_mounted *m, struct kv_err *err)
{
	sigset_t awaited, before;
	int rc;

	m->server.holder = getpid();
	block_signals(&awaited, &before);
	rc = keep_serving(m, &awaited, &before, err);
	/* Lazily, and closing the connection behind it: readers get errors and do not hang. */
	fuse_session_unmount(m->session);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}
