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

/*
 * What a worker had begun when it crashed is for the next. If two in a row
 * crash as soon as they have started, that may come of just that: then it
 * fails; also before the last one but one, if that one was short-lived.
 */
#define EARLY_MS 20
#define MAX_EARLY 2
#define SHORT_LIVED_MS 1000

/* A worker that was told to end, and is stuck in the kernel's iterator, is killed. */
#define END_TIMEOUT_MS 2000

/* So is one that is stopped for longer: all who use the mount would wait as long. */
#define STOPPED_TIMEOUT_MS 1000
#define KILL_AGAIN_MS 1000

/* No process or memory for the next worker may be had soon; who uses the mount waits. */
#define START_AGAIN_MS 100
#define START_TRIES 50

struct crashes {
	long times[MAX_CRASHES]; /* as now_ms() */
	unsigned int n;
	unsigned int early; /* the last ones, in a row */
};

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Note one more. How many there were so shortly, MAX_CRASHES at most. */
static unsigned int count_crashes(struct crashes *c)
{
	long now = now_ms();
	unsigned int n = 0;

	c->times[c->n++ % MAX_CRASHES] = now;
	for (unsigned int i = 0; i < MAX_CRASHES && i < c->n; i++)
		n += now - c->times[i] < CRASHES_WITHIN * 1000;
	return n;
}

/* What happened, or a signal asks of the holder. */
enum order {
	SERVE,
	END,	   /* take the mount away */
	HAND_OVER, /* leave it to another daemon */
	LATE,	   /* nothing came in time */
};

/* What the holder waits for. */
struct events {
	sigset_t before; /* the signals that were blocked */
	int signals;	 /* signalfd of a worker's end and of those that end us */
	int ready;	 /* where a worker says that the mount answers; -1: none is to */
	bool is_told;	 /* that it does */
};

static int open_events(struct events *e)
{
	sigset_t awaited;

	sigemptyset(&awaited);
	sigaddset(&awaited, SIGCHLD);
	sigaddset(&awaited, SIGTERM);
	sigaddset(&awaited, SIGINT);
	sigaddset(&awaited, SIGHUP);
	sigaddset(&awaited, KV_SIG_HAND_OVER);
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

/* Until one has said that the mount answers each has a pipe to do so. */
static pid_t start_worker(struct kv_mounted *m, struct events *e)
{
	int pipefd[2] = {-1, -1};
	pid_t pid;

	if (!e->is_told && pipe2(pipefd, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		m->server.ready_fd = pipefd[1];
		sigprocmask(SIG_SETMASK, &e->before, NULL);
		exit(kv_work(m)); /* not _exit(): a sanitizer looks for leaks */
	}
	if (pid < 0) {
		pid = -errno;
		kv_closep(&pipefd[0]);
		pipefd[0] = -1;
	}
	kv_closep(&pipefd[1]);
	e->ready = pipefd[0];
	return pid;
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

	if (read(e->ready, &byte, 1) == 1) {
		e->is_told = true;
		m->on_ready(m);
	}
	kv_closep(&e->ready);
	e->ready = -1;
}

static enum order take_signal(const struct events *e)
{
	struct signalfd_siginfo info;

	if (read(e->signals, &info, sizeof(info)) != sizeof(info) || info.ssi_signo == SIGCHLD)
		return SERVE;
	return info.ssi_signo == KV_SIG_HAND_OVER ? HAND_OVER : END;
}

/* Until something happens to the worker, or to us; at most @ms, unless negative. */
static enum order wait_event(struct kv_mounted *m, struct events *e, int ms)
{
	struct pollfd p[] = {{.fd = e->signals, .events = POLLIN},
			     {.fd = e->ready, .events = POLLIN}};

	int n = poll(p, 2, ms);

	if (n <= 0)
		return n ? SERVE : LATE;
	if (p[1].revents)
		take_ready(m, e);
	return p[0].revents ? take_signal(e) : SERVE;
}

/* @patience: ms until we lose it, for one that is stopped; NULL: that is so already */
static bool has_worker_ended(pid_t worker, int *status, int *patience)
{
	pid_t pid;

	while ((pid = waitpid(worker, status, WNOHANG | WUNTRACED | WCONTINUED)) == worker) {
		if (!WIFSTOPPED(*status) && !WIFCONTINUED(*status))
			return true;
		if (patience)
			*patience = WIFSTOPPED(*status) ? STOPPED_TIMEOUT_MS : -1;
	}
	if (pid < 0)
		*status = SIGKILL; /* as waitpid() would say; somebody else has waited for it */
	return pid < 0;
}

/*
 * Until the worker ends; it is told to when we are, and killed when it does
 * not. Its status as of waitpid().
 */
static int wait_worker(struct kv_mounted *m, struct events *e, pid_t worker, enum order *order)
{
	long deadline = 0;
	int status = 0, ms = -1;

	while (!has_worker_ended(worker, &status, *order == SERVE ? &ms : NULL)) {
		enum order new = wait_event(m, e, ms);

		/* The first order stands: a mount that is handed over is not ours to end. */
		if (*order == SERVE && (new == END || new == HAND_OVER)) {
			*order = new;
			deadline = now_ms() + (new == END ? END_TIMEOUT_MS : KV_HAND_OVER_MS);
			kill(worker, SIGTERM);
		} else if (new == LATE) {
			kill(worker, SIGKILL);
		}
		if (*order != SERVE)
			ms = deadline > now_ms() ? (int)(deadline - now_ms()) : KILL_AGAIN_MS;
		else if (new == LATE)
			ms = -1;
	}
	if (e->ready >= 0) /* it served, and ended before we looked; or never did */
		take_ready(m, e);
	return status;
}

/* May it crash the next one too, what the last had begun? */
static bool is_doubtful(const struct crashes *c, unsigned int n, long lived_ms)
{
	return c->early >= MAX_EARLY || (n == MAX_CRASHES - 1 && lived_ms < SHORT_LIVED_MS);
}

/* After a crash: 0: another worker is to be started. */
static int consider_crash(struct kv_mounted *m, struct crashes *crashes, int status, long lived_ms,
			  struct kv_err *err)
{
	unsigned int n = count_crashes(crashes);
	char what[128];
	int rc;

	describe(status, what, sizeof(what));
	if (!m->server.shared->is_ready && *m->server.shared->why)
		return kv_err_set(err, -EIO, "can't serve '%s': %s", m->mountpoint,
				  m->server.shared->why);
	if (!m->server.shared->is_ready)
		return kv_err_set(err, -EIO, "the worker %s before the mount answered", what);
	if (n == MAX_CRASHES)
		return kv_err_set(err, -EIO,
				  "the mount on '%s' is given up: its worker %s, %d times "
				  "within %d seconds%s%s",
				  m->mountpoint, what, MAX_CRASHES, CRASHES_WITHIN,
				  *m->server.shared->why ? "; " : "", m->server.shared->why);
	crashes->early = lived_ms < EARLY_MS ? crashes->early + 1 : 0;
	rc = kv_connection_pass_on(&m->connection, !is_doubtful(crashes, n, lived_ms));
	if (rc)
		return kv_err_errno(err, rc, "can't go on after the worker %s", what);
	m->server.log("the worker %s; the mount goes on with another", what);
	m->server.shared->restarts++;
	return 0;
}

/* The first one's starter is told at once, later ones' readers wait. */
static pid_t insist_on_worker(struct kv_mounted *m, struct events *e, bool is_first,
			      enum order *order)
{
	pid_t worker = start_worker(m, e);

	if (worker < 0 && !is_first)
		m->server.log("can't start a worker: %s; trying on", strerror(-worker));
	for (int i = 1; worker < 0 && !is_first && i < START_TRIES; i++) {
		enum order new = wait_event(m, e, START_AGAIN_MS);

		if (new == END || new == HAND_OVER) {
			*order = new;
			break;
		}
		worker = start_worker(m, e);
	}
	return worker;
}

static int keep_serving(struct kv_mounted *m, struct events *e, enum order *order,
			struct kv_err *err)
{
	struct crashes crashes = {.n = 0};
	int rc = 0;

	for (bool is_first = true; !rc; is_first = false) {
		long began = now_ms();
		pid_t worker = insist_on_worker(m, e, is_first, order);
		int status;

		if (*order != SERVE)
			return 0;
		if (worker < 0)
			return kv_err_errno(err, worker, "can't start a worker");
		status = wait_worker(m, e, worker, order);
		if (*order != SERVE || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
			return 0;
		rc = consider_crash(m, &crashes, status, now_ms() - began, err);
	}
	return rc;
}

int kv_hold(struct kv_mounted *m, struct kv_err *err)
{
	struct events events = {.signals = -1, .ready = -1};
	enum order order = SERVE;
	int rc = open_events(&events);

	m->server.holder = getpid();
	/* Who started us, or reads our log, may be gone: the mount is not. */
	signal(SIGPIPE, SIG_IGN);
	if (!rc)
		rc = kv_privilege_hold();
	if (rc)
		kv_err_errno(err, rc, "can't hold the mount on '%s'", m->mountpoint);
	else
		rc = keep_serving(m, &events, &order, err);
	if (order != HAND_OVER)
		kv_connection_unmount(&m->connection);
	close_events(&events);
	return rc;
}
