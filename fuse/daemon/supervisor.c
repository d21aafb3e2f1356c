// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "fuse/daemon/broker.h"
#include "fuse/daemon/worker.h"
#include "fuse/daemon/notify.h"
#include "fuse/daemon/privilege.h"

/* Workers that crash so often are not replaced any more. */
#define MAX_CRASHES 5
#define CRASHES_WITHIN_MS (10 * 1000)

/*
 * The requests that a crashed worker had begun are for the next one. If two workers in a row
 * crash as soon as they have started, one of these requests may be the cause: then they fail.
 * So they do before the last worker but one, if it was short-lived.
 */
#define EARLY_MS 20
#define MAX_EARLY 2
#define SHORT_LIVED_MS 1000

/* A worker that was told to end, and is stuck in the kernel's iterator, is killed. */
#define END_TIMEOUT_MS 2000

/* So is one that is stopped for longer: all who use the mount would wait as long. */
#define STOPPED_TIMEOUT_MS 1000

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

/* What a signal asks for. The first one counts: a mount that is handed over is not ours to end. */
enum order {
	SERVE,
	END,	   /* take the mount away */
	HAND_OVER, /* leave it to another daemon */
};

struct supervisor {
	struct kv_mounted *m;
	enum order order;
	sigset_t before; /* the signals that were blocked */
	int signals;	 /* signalfd */
	bool is_ready;	 /* the mount has answered, and who waits for that was told */
	pid_t worker;
	int line;		 /* to the worker, see lifeline.h; -1: it serves no more */
	struct kv_broker broker; /* of the worker */
	pid_t dying[MAX_DYING];	 /* workers that were killed, and hang in the kernel */
	unsigned int n_dying;
	long crashes[MAX_CRASHES]; /* when, as of now_ms(); the last ones */
	unsigned int n_crashes;
	unsigned int n_early; /* of the last crashes in a row */
};

#define NEVER LONG_MAX

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void shut(int *fd)
{
	kv_closep(fd);
	*fd = -1;
}

static void close_pair(int (*pair)[2])
{
	kv_closep(&(*pair)[0]);
	kv_closep(&(*pair)[1]);
}

#define _cleanup_pair_ _cleanup_(close_pair)

static int open_signals(struct supervisor *s)
{
	static const int awaited[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, KV_SIG_HAND_OVER};
	sigset_t set;

	/* Our starter may ignore it, and then nobody can be waited for. */
	signal(SIGCHLD, SIG_DFL);
	/* Who started us, or reads our log, may be gone: the mount is not. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(awaited) / sizeof(awaited[0]); i++)
		sigaddset(&set, awaited[i]);
	sigprocmask(SIG_BLOCK, &set, &s->before);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return s->signals < 0 ? -errno : 0;
}

/* --- a worker begins --- */

static _Noreturn void be_worker(struct supervisor *s, int line, int broker)
{
	struct kv_mounted *m = s->m;

	kv_broker_client_init(&m->broker, broker, &m->views);
	m->server.host.iter_in = kv_broker_iter;
	m->server.host.map_open = kv_broker_map;
	m->server.host.broker = &m->broker;
	m->lifeline = (struct kv_lifeline){.fd = line, .abort = m->connection.abort};
	m->server.ready_fd = s->is_ready ? -1 : line;
	sigprocmask(SIG_SETMASK, &s->before, NULL);
	exit(kv_work(m)); /* not _exit(): a sanitizer looks for leaks */
}

/* @line, @broker: socket pairs, of which [0] is ours */
static int fork_worker(struct supervisor *s, const int line[2], const int broker[2])
{
	fflush(NULL);
	s->worker = fork();
	if (!s->worker) {
		close(line[0]);
		close(broker[0]);
		be_worker(s, line[1], broker[1]);
	}
	return s->worker < 0 ? -errno : 0;
}

static void kill_worker(struct supervisor *s)
{
	kill(s->worker, SIGKILL);
	waitpid(s->worker, NULL, 0);
}

/* The broker's thread begins after the fork and ends before the next: a fork copies one thread. */
static int start_worker(struct supervisor *s)
{
	_cleanup_pair_ int line[2] = {-1, -1};
	_cleanup_pair_ int broker[2] = {-1, -1};
	int rc = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, broker) < 0)
		return -errno;
	rc = fork_worker(s, line, broker);
	if (rc)
		return rc;
	rc = kv_broker_start(&s->broker, TAKE_FD(broker[0]), s->worker, &s->m->views);
	if (rc)
		kill_worker(s);
	else
		s->line = TAKE_FD(line[0]);
	return rc;
}

/* --- what happens to it --- */

/* Those who wait for the mount: who started the daemon, or the service manager of one in front. */
static void tell_ready(struct kv_mounted *m)
{
	if (m->starter_fd < 0) {
		kv_notify("READY=1");
		return;
	}
	(void)!write(m->starter_fd, "\1", 1);
	shut(&m->starter_fd);
}

/* The worker's only word is that the mount answers; then its end of the line ends with it. */
static void hear(struct supervisor *s)
{
	char byte;

	if (read(s->line, &byte, 1) != 1) {
		shut(&s->line);
		return;
	}
	s->is_ready = true;
	tell_ready(s->m);
}

/* Those that have hung in the kernel, and do no more. */
static void reap_dying(struct supervisor *s)
{
	for (unsigned int i = 0; i < s->n_dying;)
		if (waitpid(s->dying[i], NULL, WNOHANG) != 0)
			s->dying[i] = s->dying[--s->n_dying];
		else
			i++;
	s->m->shared->facts.dying = s->n_dying;
}

/*
 * As the first process of a container we get the children of a worker that was killed, and these
 * their children. Who is forked by the broker's thread is that one's.
 */
static void reap_orphans(const struct supervisor *s)
{
	siginfo_t info = {0};

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) == 0 &&
	       info.si_pid && info.si_pid != s->worker) {
		waitpid(info.si_pid, NULL, 0);
		info.si_pid = 0;
	}
}

static void take_signal(struct supervisor *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD) {
		reap_dying(s);
		reap_orphans(s);
	} else if (s->order == SERVE) {
		s->order = info.ssi_signo == KV_SIG_HAND_OVER ? HAND_OVER : END;
	}
}

/* Until something happens to the worker or to us. False: nothing has until @deadline. */
static bool wait_event(struct supervisor *s, long deadline)
{
	struct pollfd p[] = {{.fd = s->signals, .events = POLLIN},
			     {.fd = s->line, .events = POLLIN}};
	long ms = deadline - now_ms();
	int n = poll(p, 2, deadline == NEVER ? -1 : ms < 0 ? 0 : (int)ms);

	if (n > 0 && p[1].revents)
		hear(s);
	if (n > 0 && p[0].revents)
		take_signal(s);
	return n != 0;
}

/* @deadline: of one that is stopped; NULL: it has another one */
static bool has_ended(pid_t worker, int *status, long *deadline)
{
	while (waitpid(worker, status, WNOHANG | WUNTRACED | WCONTINUED) > 0) {
		if (WIFEXITED(*status) || WIFSIGNALED(*status))
			return true;
		if (deadline)
			*deadline = WIFSTOPPED(*status) ? now_ms() + STOPPED_TIMEOUT_MS : NEVER;
	}
	return false;
}

/* In the place of a status as of waitpid(). */
enum {
	HANGS = -1,    /* in the kernel, after its death */
	TOO_MANY = -2, /* likewise */
};

/* It was killed. Its status, or the above. */
static int see_off(struct supervisor *s)
{
	int status;

	kv_flight_await(&s->m->shared->flight, s->worker, RECEIVERS_END_MS);
	for (int i = 0; i < REAP_MS; i++) {
		if (has_ended(s->worker, &status, NULL))
			return status;
		poll(NULL, 0, 1);
	}
	if (s->n_dying == MAX_DYING)
		return TOO_MANY;
	s->dying[s->n_dying++] = s->worker;
	s->m->shared->facts.dying = s->n_dying;
	return HANGS;
}

/* Until the worker ends. It is told to when we are, and killed when it does not. Its status. */
static int wait_worker(struct supervisor *s)
{
	long deadline = NEVER;
	int status;

	while (!has_ended(s->worker, &status, s->order == SERVE ? &deadline : NULL)) {
		enum order before = s->order;

		if (s->line < 0)
			return see_off(s);
		if (!wait_event(s, deadline)) {
			kill(s->worker, SIGKILL);
			deadline = NEVER;
		}
		if (s->order != before) {
			kill(s->worker, SIGTERM);
			deadline = now_ms() + (s->order == END ? END_TIMEOUT_MS : KV_HAND_OVER_MS);
		}
	}
	while (s->line >= 0) /* it may have served before it ended */
		hear(s);
	return status;
}

/* --- another one begins --- */

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

/* Note one more, at a time. How many there were within the time that counts. */
static unsigned int count_crashes(struct supervisor *s, long now)
{
	unsigned int n = 0;

	s->crashes[s->n_crashes++ % MAX_CRASHES] = now;
	for (unsigned int i = 0; i < MAX_CRASHES && i < s->n_crashes; i++)
		n += now - s->crashes[i] < CRASHES_WITHIN_MS;
	return n;
}

/* After a crash: 0: another worker is to be started. */
static int consider_crash(struct supervisor *s, int status, long began, struct kv_err *err)
{
	struct kv_mounted *m = s->m;
	long now = now_ms(), lived_ms = now - began;
	unsigned int n = count_crashes(s, now);
	bool may_be_cause;
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
				  m->mountpoint, what, MAX_CRASHES, CRASHES_WITHIN_MS / 1000,
				  *m->shared->why ? "; " : "", m->shared->why);
	s->n_early = lived_ms < EARLY_MS ? s->n_early + 1 : 0;
	/* Could a request in flight be what crashes workers? */
	may_be_cause =
		s->n_early >= MAX_EARLY || (n == MAX_CRASHES - 1 && lived_ms < SHORT_LIVED_MS);
	rc = kv_connection_pass_on(&m->connection, &m->shared->flight, !may_be_cause);
	if (rc)
		return kv_err_errno(err, rc, "can't go on after the worker %s", what);
	kv_log_say(&m->server.log, "the worker %s; the mount goes on with another", what);
	m->shared->facts.restarts++;
	return 0;
}

/* While readers wait for it. An order ends it as well. */
static int start_another(struct supervisor *s)
{
	int rc = start_worker(s);

	if (rc)
		kv_log_say(&s->m->server.log, "can't start a worker: %s; trying on", strerror(-rc));
	for (int i = 1; rc && i < START_TRIES; i++) {
		long deadline = now_ms() + START_AGAIN_MS;

		while (s->order == SERVE && wait_event(s, deadline))
			;
		if (s->order != SERVE)
			return 0;
		rc = start_worker(s);
	}
	return rc;
}

/*
 * A successor's first worker has done all that may fail, and waits. Now the predecessor is to
 * end, not earlier: if we can't serve it goes on.
 */
static int succeed(struct supervisor *s, struct kv_err *err)
{
	struct kv_mounted *m = s->m;
	struct pollfd p = {.fd = s->line, .events = POLLIN};
	char byte, state[32];

	if (poll(&p, 1, PREPARE_TIMEOUT_MS) != 1 || read(s->line, &byte, 1) != 1) {
		kill_worker(s);
		return kv_err_set(err, -EIO, "can't take over '%s': %s", m->mountpoint,
				  *m->shared->why ? m->shared->why : "the worker does not start");
	}
	/* The end of its main process is not the end of the service. */
	snprintf(state, sizeof(state), "MAINPID=%d", (int)getpid());
	kv_notify(state);
	m->shared->facts.resends = kv_predecessor_end(&m->before, &m->connection);
	/* What it has collected, and we are not asked to. */
	kv_pinset_drop_off(&m->pins, &m->views);
	(void)!write(s->line, "\1", 1);
	return 0;
}

static int serve_once(struct supervisor *s, struct kv_err *err)
{
	struct kv_mounted *m = s->m;
	bool is_first = !m->shared->facts.restarts;
	int status, rc = is_first ? start_worker(s) : start_another(s);
	long began = now_ms();

	if (rc)
		return kv_err_errno(err, rc, "can't start a worker");
	if (s->order != SERVE)
		return 0;
	rc = m->before.pid ? succeed(s, err) : 0;
	if (rc)
		return rc;
	status = wait_worker(s);
	/* One signal may have told of the worker's end and of theirs, when the worker was first. */
	reap_orphans(s);
	kv_broker_stop(&s->broker);
	if (s->order != SERVE || m->shared->is_over)
		return 0;
	if (status == TOO_MANY)
		return kv_err_set(err, -EIO,
				  "the mount on '%s' is given up: %d workers that were killed "
				  "hang in the kernel",
				  m->mountpoint, MAX_DYING + 1);
	return consider_crash(s, status, began, err);
}

int kv_supervise(struct kv_mounted *m, struct kv_err *err)
{
	struct supervisor s = {.m = m, .order = SERVE, .signals = -1, .line = -1, .broker.fd = -1};
	int rc = open_signals(&s);

	m->server.supervisor = getpid();
	if (!rc)
		rc = kv_privilege_supervise();
	if (rc)
		kv_err_errno(err, rc, "can't hold the mount on '%s'", m->mountpoint);
	while (!rc && s.order == SERVE && !m->shared->is_over)
		rc = serve_once(&s, err);
	m->is_handed_over = s.order == HAND_OVER;
	if (m->is_handed_over && !m->shared->facts.resends)
		kv_flight_fail(&m->shared->flight, m->connection.fd, -ECONNABORTED);
	kv_broker_stop(&s.broker);
	shut(&s.line);
	shut(&s.signals); /* the signals stay blocked: the mount and the pins are still to go */
	return rc;
}
