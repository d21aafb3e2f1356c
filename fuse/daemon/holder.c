// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "fuse/daemon/worker.h"
#include "fuse/daemon/notify.h"
#include "fuse/daemon/privilege.h"

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

/* A successor's worker has got ready by then, or never does. */
#define PREPARE_TIMEOUT_MS 5000

/* Threads of a worker that was killed end in a millisecond, but for those that hang in the kernel. */
#define RECEIVERS_END_MS 1000
#define REAP_MS 30

/* Of workers that have not ended so. A process each, and the memory of one. */
#define MAX_DYING 8

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

/* Note one more, at a time. How many there were so shortly, MAX_CRASHES at most. */
static unsigned int count_crashes(struct crashes *c, long now)
{
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
	int life;	 /* ends with the worker, see lifeline.h */
	int own_life;	 /* ends with us */
	bool is_told;	 /* that it does */
	bool is_dead;	 /* the worker: it serves no more, whether it is to be waited for or not */
	pid_t dying[MAX_DYING];
	unsigned int n_dying;
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

static void shut(int *fd)
{
	kv_closep(fd);
	*fd = -1;
}

static void close_events(struct events *e)
{
	shut(&e->signals);
	shut(&e->ready);
	shut(&e->life);
	shut(&e->own_life);
	sigprocmask(SIG_SETMASK, &e->before, NULL);
}

/* --- a worker begins --- */

struct pipes {
	int ready[2], life[2], parent[2], go[2];
};

static void close_pipe(int fds[2])
{
	shut(&fds[0]);
	shut(&fds[1]);
}

static void close_pipes(struct pipes *p)
{
	close_pipe(p->ready);
	close_pipe(p->life);
	close_pipe(p->parent);
	close_pipe(p->go);
}

/* Until one has said that the mount answers each has a pipe to do so; a successor's first is told to go. */
static int open_pipes(const struct kv_mounted *m, const struct events *e, struct pipes *p)
{
	*p = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
	if (pipe2(p->life, O_CLOEXEC) < 0 || pipe2(p->parent, O_CLOEXEC) < 0 ||
	    (!e->is_told && pipe2(p->ready, O_CLOEXEC) < 0) ||
	    (m->before.pid && pipe2(p->go, O_CLOEXEC) < 0))
		return -errno;
	return 0;
}

static _Noreturn void be_worker(struct kv_mounted *m, const struct events *e, struct pipes *p)
{
	shut(&p->ready[0]);
	shut(&p->life[0]);
	shut(&p->parent[1]);
	shut(&p->go[1]);
	m->server.ready_fd = p->ready[1];
	/* Before it is told to go the connection is another one's. */
	m->lifeline = (struct kv_lifeline){p->life[1], p->parent[0],
					   m->before.pid ? -1 : m->connection.abort};
	m->go_fd = p->go[0];
	sigprocmask(SIG_SETMASK, &e->before, NULL);
	exit(kv_work(m)); /* not _exit(): a sanitizer looks for leaks */
}

static pid_t start_worker(struct kv_mounted *m, struct events *e)
{
	struct pipes p;
	int rc = open_pipes(m, e, &p);
	pid_t pid;

	if (rc) {
		close_pipes(&p);
		return rc;
	}
	fflush(NULL);
	pid = fork();
	if (!pid)
		be_worker(m, e, &p);
	if (pid < 0) {
		pid = -errno;
		close_pipes(&p);
		return pid;
	}
	e->ready = p.ready[0];
	e->life = p.life[0];
	e->own_life = p.parent[1];
	e->is_dead = false;
	m->go_fd = p.go[1];
	shut(&p.ready[1]);
	shut(&p.life[1]);
	shut(&p.parent[0]);
	shut(&p.go[0]);
	return pid;
}

/* --- what happens to it --- */

static void describe(int status, char *what, size_t size)
{
	if (status < 0)
		snprintf(what, size, "was ended, and hangs in the kernel");
	else if (WIFSIGNALED(status))
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
	shut(&e->ready);
}

/* Those that have hung in the kernel, and do no more. */
static void reap_dying(struct kv_mounted *m, struct events *e)
{
	for (unsigned int i = 0; i < e->n_dying;)
		if (waitpid(e->dying[i], NULL, WNOHANG) != 0)
			e->dying[i] = e->dying[--e->n_dying];
		else
			i++;
	m->shared->facts.dying = e->n_dying;
}

static enum order take_signal(struct kv_mounted *m, struct events *e)
{
	struct signalfd_siginfo info;

	if (read(e->signals, &info, sizeof(info)) != sizeof(info))
		return SERVE;
	if (info.ssi_signo == SIGCHLD) {
		reap_dying(m, e);
		return SERVE;
	}
	return info.ssi_signo == KV_SIG_HAND_OVER ? HAND_OVER : END;
}

/* Until something happens to the worker, or to us; at most @ms, unless negative. */
static enum order wait_event(struct kv_mounted *m, struct events *e, int ms)
{
	struct pollfd p[] = {{.fd = e->signals, .events = POLLIN},
			     {.fd = e->ready, .events = POLLIN},
			     {.fd = e->life, .events = POLLIN}};
	int n = poll(p, 3, ms);

	if (n <= 0)
		return n ? SERVE : LATE;
	if (p[1].revents)
		take_ready(m, e);
	if (p[2].revents) {
		e->is_dead = true;
		shut(&e->life);
	}
	return p[0].revents ? take_signal(m, e) : SERVE;
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

/* In the place of a status as of waitpid(). */
enum {
	HANGS = -1,    /* in the kernel, after its death */
	TOO_MANY = -2, /* likewise */
};

/* It was killed. Its status, or the above. */
static int see_off(struct kv_mounted *m, struct events *e, pid_t worker)
{
	int status;

	kv_flight_await(m->server.flight, worker, RECEIVERS_END_MS);
	for (int i = 0; i < REAP_MS; i++) {
		if (has_worker_ended(worker, &status, NULL))
			return status;
		poll(NULL, 0, 1);
	}
	if (e->n_dying == MAX_DYING)
		return TOO_MANY;
	e->dying[e->n_dying++] = worker;
	m->shared->facts.dying = e->n_dying;
	return HANGS;
}

/*
 * Until the worker ends; it is told to when we are, and killed when it does
 * not. Its status, as of see_off().
 */
static int wait_worker(struct kv_mounted *m, struct events *e, pid_t worker, enum order *order)
{
	long deadline = 0;
	int status = 0, ms = -1;
	bool has_ended;

	while (!(has_ended = has_worker_ended(worker, &status, *order == SERVE ? &ms : NULL)) &&
	       !e->is_dead) {
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
	shut(&e->life);
	shut(&e->own_life);
	return has_ended ? status : see_off(m, e, worker);
}

/* May it crash the next one too, what the last had begun? */
static bool is_doubtful(const struct crashes *c, unsigned int n, long lived_ms)
{
	return c->early >= MAX_EARLY || (n == MAX_CRASHES - 1 && lived_ms < SHORT_LIVED_MS);
}

/* After a crash: 0: another worker is to be started. */
static int consider_crash(struct kv_mounted *m, struct crashes *crashes, int status, long began,
			  struct kv_err *err)
{
	long now = now_ms(), lived_ms = now - began;
	unsigned int n = count_crashes(crashes, now);
	char what[128];
	int rc;

	describe(status, what, sizeof(what));
	if (!m->shared->facts.is_ready && *m->shared->why)
		return kv_err_set(err, -EIO, "can't serve '%s': %s", m->mountpoint, m->shared->why);
	if (!m->shared->facts.is_ready)
		return kv_err_set(err, -EIO, "the worker %s before the mount answered", what);
	if (n == MAX_CRASHES)
		return kv_err_set(err, -EIO,
				  "the mount on '%s' is given up: its worker %s, %d times "
				  "within %d seconds%s%s",
				  m->mountpoint, what, MAX_CRASHES, CRASHES_WITHIN,
				  *m->shared->why ? "; " : "", m->shared->why);
	crashes->early = lived_ms < EARLY_MS ? crashes->early + 1 : 0;
	rc = kv_connection_pass_on(&m->connection, m->server.flight,
				   !is_doubtful(crashes, n, lived_ms));
	if (rc)
		return kv_err_errno(err, rc, "can't go on after the worker %s", what);
	kv_log_say(&m->server.log, "the worker %s; the mount goes on with another", what);
	m->shared->facts.restarts++;
	return 0;
}

/* The first one's starter is told at once, later ones' readers wait. */
static pid_t insist_on_worker(struct kv_mounted *m, struct events *e, bool is_first,
			      enum order *order)
{
	pid_t worker = start_worker(m, e);

	if (worker < 0 && !is_first)
		kv_log_say(&m->server.log, "can't start a worker: %s; trying on",
			   strerror(-worker));
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

/*
 * A successor's first worker has done all that may fail, and waits. Now the one before is to
 * end, not earlier: if we can't serve it goes on.
 */
static int succeed(struct kv_mounted *m, struct events *e, pid_t worker, struct kv_err *err)
{
	struct pollfd p = {.fd = e->ready, .events = POLLIN};
	char byte, state[32];

	if (poll(&p, 1, PREPARE_TIMEOUT_MS) != 1 || read(e->ready, &byte, 1) != 1) {
		kill(worker, SIGKILL);
		waitpid(worker, NULL, 0);
		return kv_err_set(err, -EIO, "can't take over '%s': %s", m->mountpoint,
				  *m->shared->why ? m->shared->why : "the worker does not start");
	}
	/* The end of its main process is not the end of the service. */
	snprintf(state, sizeof(state), "MAINPID=%d", (int)getpid());
	kv_notify(state);
	m->shared->facts.resends = kv_predecessor_end(&m->before, &m->connection);
	(void)!write(m->go_fd, "\1", 1);
	shut(&m->go_fd);
	return 0;
}

static int serve_once(struct kv_mounted *m, struct events *e, struct crashes *crashes,
		      bool is_first, enum order *order, struct kv_err *err)
{
	pid_t worker = insist_on_worker(m, e, is_first, order);
	long began = now_ms();
	int status, rc;

	if (*order != SERVE && worker < 0)
		return 0;
	if (worker < 0)
		return kv_err_errno(err, worker, "can't start a worker");
	rc = m->before.pid ? succeed(m, e, worker, err) : 0;
	if (rc)
		return rc;
	status = wait_worker(m, e, worker, order);
	if (*order != SERVE || m->shared->is_over)
		return 0;
	if (status == TOO_MANY)
		return kv_err_set(err, -EIO,
				  "the mount on '%s' is given up: %d workers that were killed "
				  "hang in the kernel",
				  m->mountpoint, MAX_DYING + 1);
	return consider_crash(m, crashes, status, began, err);
}

static int keep_serving(struct kv_mounted *m, struct events *e, enum order *order,
			struct kv_err *err)
{
	struct crashes crashes = {.n = 0};
	bool is_first = true;
	int rc = 0;

	while (!rc && *order == SERVE && !m->shared->is_over) {
		rc = serve_once(m, e, &crashes, is_first, order, err);
		is_first = false;
	}
	return rc;
}

/* Unless another daemon serves it: the next one, or since we never came so far the one before. */
static void give_back(struct kv_mounted *m, enum order order)
{
	if (order == HAND_OVER && !m->shared->facts.resends)
		kv_flight_fail(m->server.flight, m->connection.fd, -ECONNABORTED);
	if (order != HAND_OVER && !m->before.pid)
		kv_connection_unmount(&m->connection);
}

int kv_hold(struct kv_mounted *m, struct kv_err *err)
{
	struct events events = {.signals = -1, .ready = -1, .life = -1, .own_life = -1};
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
	give_back(m, order);
	close_events(&events);
	return rc;
}
