// SPDX-License-Identifier: GPL-2.0-only
#include "loop.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* More of them than this end. */
#define IDLE_THREADS 6

/* What others may wait for a request, up to twice. */
#define PATIENCE_NS 2000000

#define WAKE SIGUSR1
#define WAKE_AGAIN_NS 5000000

static void *serve(void *arg);

/* Signals are for the thread that runs the loop. */
static int start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	sigset_t set, old;
	int rc;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	rc = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

/* --- with the lock held --- */

static int add_thread(struct kv_loop *l)
{
	int rc;

	if (l->n == KV_MAX_THREADS || l->has_ended)
		return -EAGAIN;
	rc = start(&l->threads[l->n], serve, l);
	if (!rc)
		l->n++;
	return rc;
}

/* The calling thread is not waited for in the end. */
static void leave(struct kv_loop *l)
{
	unsigned int i = 0;

	while (!pthread_equal(l->threads[i], pthread_self()))
		i++;
	l->threads[i] = l->threads[--l->n];
	pthread_detach(pthread_self());
}

static bool leads(const struct kv_loop *l)
{
	return l->is_led && pthread_equal(l->leader, pthread_self());
}

static void vacate(struct kv_loop *l)
{
	l->is_led = false;
	if (l->idle)
		pthread_cond_signal(&l->vacant);
	else
		add_thread(l); /* if it can't be: who is done first leads */
}

/* Watch the leader's request from now on. */
static void start_timer(struct kv_loop *l)
{
	const struct itimerspec patience = {.it_value = {.tv_nsec = PATIENCE_NS}};

	l->watched = l->request;
	if (timerfd_settime(l->timer_fd, 0, &patience, NULL) == 0)
		return;
	l->watched = 0;
	vacate(l);
}

/* --- who leads --- */

/* Be the one, as soon as nobody else is. False: the thread is to end. */
static bool lead(struct kv_loop *l)
{
	bool goes_on, waits;

	pthread_mutex_lock(&l->lock);
	waits = l->is_led && !leads(l) && !l->has_ended;
	if (waits && l->idle == IDLE_THREADS) {
		leave(l);
		pthread_mutex_unlock(&l->lock);
		return false;
	}
	l->idle += waits;
	while (l->is_led && !leads(l) && !l->has_ended)
		pthread_cond_wait(&l->vacant, &l->lock);
	l->idle -= waits;
	goes_on = !l->has_ended;
	if (goes_on) {
		l->leader = pthread_self();
		l->is_led = true;
		l->is_busy = false;
		l->request++;
	}
	pthread_mutex_unlock(&l->lock);
	return goes_on;
}

void kv_loop_hand_over(struct kv_loop *l)
{
	pthread_mutex_lock(&l->lock);
	if (leads(l))
		vacate(l);
	pthread_mutex_unlock(&l->lock);
}

bool kv_loop_has_requests(const struct kv_loop *l)
{
	struct pollfd requests = {.fd = fuse_session_fd(l->session), .events = POLLIN};

	return poll(&requests, 1, 0) == 1;
}

/* A timer that runs already is left alone: to set it takes longer than many a request. */
static void begin_request(struct kv_loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->is_busy = true;
	if (!l->watched)
		start_timer(l);
	pthread_mutex_unlock(&l->lock);
}

static void time_is_up(struct kv_loop *l)
{
	uint64_t watched = l->watched;

	l->watched = 0;
	if (!l->is_led || !l->is_busy)
		return;
	if (l->request == watched)
		vacate(l);
	else
		start_timer(l); /* a later one, for how long is not known */
}

static void *watch(void *arg)
{
	struct kv_loop *l = arg;
	uint64_t times;
	bool goes_on;

	do {
		if (read(l->timer_fd, &times, sizeof(times)) < 0)
			times = 0; /* woken to end */
		pthread_mutex_lock(&l->lock);
		goes_on = !l->has_ended;
		if (times)
			time_is_up(l);
		pthread_mutex_unlock(&l->lock);
	} while (goes_on);
	return NULL;
}

/* --- requests --- */

/* The result of the last one that was received: 0: unmounted. */
static int serve_requests(struct kv_loop *l, struct fuse_buf *buf)
{
	int n = -EINTR;

	while ((n > 0 || n == -EINTR) && lead(l)) {
		n = fuse_session_receive_buf(l->session, buf);
		if (n <= 0)
			continue;
		begin_request(l);
		fuse_session_process_buf(l->session, buf);
	}
	return n;
}

static void *serve(void *arg)
{
	struct kv_loop *l = arg;
	struct fuse_buf buf = {0};
	int n = serve_requests(l, &buf);

	if (n <= 0 && n != -EINTR) {
		l->error = n;
		fuse_session_exit(l->session);
		sem_post(&l->end);
	}
	free(buf.mem);
	return NULL;
}

/* --- the end --- */

static void do_nothing(int sig)
{
	(void)sig;
}

/* So that WAKE makes a call that waits fail with EINTR. */
static void catch_wake(void)
{
	const struct sigaction action = {.sa_handler = do_nothing};

	sigaction(WAKE, &action, NULL);
}

static long now_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * Woken until it has seen that it is to end, since it may not wait yet. Not
 * cancelled: what it has at hand would be lost, a request among it.
 */
static bool end(pthread_t thread, long deadline)
{
	struct timespec soon;
	int rc;

	do {
		pthread_kill(thread, WAKE);
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec += WAKE_AGAIN_NS;
		soon.tv_sec += soon.tv_nsec / 1000000000;
		soon.tv_nsec %= 1000000000;
		rc = pthread_timedjoin_np(thread, NULL, &soon);
	} while (rc == ETIMEDOUT && now_ms(CLOCK_MONOTONIC) < deadline);
	return rc == 0;
}

bool kv_loop_stop(struct kv_loop *l, unsigned int ms)
{
	long deadline = now_ms(CLOCK_MONOTONIC) + ms;
	bool have_ended = true;

	if (l->timer_fd < 0)
		return true; /* it never began */
	pthread_mutex_lock(&l->lock);
	l->has_ended = true;
	pthread_cond_broadcast(&l->vacant);
	pthread_mutex_unlock(&l->lock);
	for (unsigned int i = 0; i < l->n; i++)
		have_ended = end(l->threads[i], deadline) && have_ended;
	if (l->is_watched)
		have_ended = end(l->watch, deadline) && have_ended;
	if (!have_ended)
		return false;
	fuse_session_reset(l->session);
	sem_destroy(&l->end);
	pthread_cond_destroy(&l->vacant);
	pthread_mutex_destroy(&l->lock);
	close(l->timer_fd);
	return true;
}

int kv_loop_run(struct kv_loop *l, struct fuse_session *session)
{
	int rc;

	*l = (struct kv_loop){.session = session, .timer_fd = -1};
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (l->timer_fd < 0)
		return -errno;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->vacant, NULL);
	sem_init(&l->end, 0, 0);
	catch_wake();
	rc = start(&l->watch, watch, l);
	l->is_watched = !rc;
	if (!rc) {
		pthread_mutex_lock(&l->lock);
		rc = add_thread(l);
		pthread_mutex_unlock(&l->lock);
	}
	/* A signal's handler ends the session, and the wait; or comes just before that. */
	while (!rc && !fuse_session_exited(l->session)) {
		struct timespec soon;

		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_sec++;
		sem_timedwait(&l->end, &soon);
	}
	return rc ? rc : l->error;
}
