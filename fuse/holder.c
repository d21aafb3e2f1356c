// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "mounted.h"
#include "privilege.h"

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

/* What the holder waits for. */
struct events {
	sigset_t before; /* the signals that were blocked */
	int signals;	 /* signalfd of a worker's end and of those that end us */
	int ready;	 /* where the first worker says that the mount answers; -1: it did */
};

static int open_events(struct events *e)
{
	sigset_t awaited;

	sigemptyset(&awaited);
	sigaddset(&awaited, SIGCHLD);
	sigaddset(&awaited, SIGTERM);
	sigaddset(&awaited, SIGINT);
	sigaddset(&awaited, SIGHUP);
	sigprocmask(SIG_BLOCK, &awaited, &e->before);
	e->signals = signalfd(-1, &awaited, SFD_CLOEXEC);
	return e->signals < 0 ? -errno : 0;
}

static void close_events(struct events *e)
{
	kv_closep(&e->signals);
	kv_closep(&e->ready);
	sigprocmask(SIG_SETMASK, &e->before, NULL);
}

/* The first worker has a pipe to say that it serves; later ones do so at once. */
static pid_t start_worker(struct kv_mounted *m, struct events *e)
{
	int pipefd[2] = {-1, -1};
	pid_t pid;

	if (!m->server.shared->is_ready && pipe2(pipefd, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		m->server.ready_fd = pipefd[1];
		sigprocmask(SIG_SETMASK, &e->before, NULL);
		exit(kv_work(m)); /* not _exit(): a sanitizer looks for leaks */
	}
	kv_closep(&pipefd[1]);
	e->ready = pipefd[0];
	return pid < 0 ? -errno : pid;
}

static void describe(int status, char *what, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(what, size, "was ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(what, size, "ended with status %d", WEXITSTATUS(status));
}

static void take_ready(struct kv_mounted *m, struct events *e)
{
	char byte;

	if (read(e->ready, &byte, 1) == 1)
		m->on_ready(m);
	kv_closep(&e->ready);
	e->ready = -1;
}

/* True: we are to end. */
static bool take_signal(const struct events *e)
{
	struct signalfd_siginfo info;

	return read(e->signals, &info, sizeof(info)) == sizeof(info) && info.ssi_signo != SIGCHLD;
}

/* Until the worker ends; it is told to when we are. Its status as of waitpid(). */
static int wait_worker(struct kv_mounted *m, struct events *e, pid_t worker, bool *is_told)
{
	int status = 0;

	while (waitpid(worker, &status, WNOHANG) == 0) {
		struct pollfd p[] = {{.fd = e->signals, .events = POLLIN},
				     {.fd = e->ready, .events = POLLIN}};

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			take_ready(m, e);
		if (p[0].revents && take_signal(e)) {
			*is_told = true;
			kill(worker, SIGTERM);
		}
	}
	if (e->ready >= 0) /* it served, and ended before we looked; or never did */
		take_ready(m, e);
	return status;
}

static int keep_serving(struct kv_mounted *m, struct events *e, struct kv_err *err)
{
	struct crashes crashes = {.n = 0};
	bool is_told = false;
	char what[128];

	for (;;) {
		pid_t worker = start_worker(m, e);
		int status;

		if (worker < 0)
			return kv_err_errno(err, worker, "can't start a worker");
		status = wait_worker(m, e, worker, &is_told);
		if (is_told || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
			return 0;
		describe(status, what, sizeof(what));
		if (!m->server.shared->is_ready)
			return kv_err_set(err, -EIO, "the worker %s before the mount answered",
					  what);
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
	struct events events = {.signals = -1, .ready = -1};
	int rc = open_events(&events);

	m->server.holder = getpid();
	/* Who started us, or reads our log, may be gone: the mount is not. */
	signal(SIGPIPE, SIG_IGN);
	if (!rc)
		rc = kv_privilege_hold();
	if (rc)
		kv_err_errno(err, rc, "can't hold the mount on '%s'", m->mountpoint);
	else
		rc = keep_serving(m, &events, err);
	/* Lazily, and closing the connection behind it: readers get errors and do not hang. */
	fuse_session_unmount(m->session);
	close_events(&events);
	return rc;
}
