// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"

struct question {
	int64_t deadline; /* CLOCK_MONOTONIC in ns: nobody waits for the answer then */
	uint32_t serial;
	uint32_t view;	/* index */
	int32_t net_ns; /* descriptor in the worker's table */
	uint32_t pad;
};

struct answer {
	uint32_t serial; /* of the question */
	int32_t rc;	 /* 0: the iterator's descriptor comes with it; -errno */
};

/* Room for one descriptor, aligned as CMSG_DATA() needs it. */
union passed {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static struct msghdr message_of(struct iovec *iov, union passed *passed)
{
	return (struct msghdr){
		.msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = passed,
		.msg_controllen = sizeof(*passed),
	};
}

static struct timespec time_of(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* --- the broker --- */

/*
 * A descriptor of the worker's, if it is of a network namespace. By O_PATH nothing is done to the
 * file itself. Its name tells what it is: names of other files begin with a slash, or with another
 * file system's word.
 */
static int open_namespace(pid_t worker, int fd)
{
	static const char prefix[] = "net:[";
	_cleanup_close_ int place = -1;
	char path[64], name[sizeof(prefix) - 1];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)worker, fd);
	place = open(path, O_PATH | O_CLOEXEC);
	if (place < 0)
		return -EBADF;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	if (readlink(path, name, sizeof(name)) != sizeof(name) ||
	    memcmp(name, prefix, sizeof(name)) != 0)
		return -EINVAL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int make_iter(const struct kv_broker *b, const struct question *q, int home, bool *is_away)
{
	const struct kv_link all = {0};
	const struct kv_view *view;
	_cleanup_close_ int ns = -1;
	int iter;

	if (q->view >= b->views->n || now() >= q->deadline)
		return -EINVAL;
	view = &b->views->list[q->view];
	if (!view->is_loaded || !view->is_of_net)
		return -EINVAL;
	ns = open_namespace(b->worker, q->net_ns);
	if (ns < 0)
		return ns;
	if (setns(ns, CLONE_NEWNET) < 0)
		return -errno;
	iter = kv_loaded_iter(&view->loaded, &all);
	*is_away = setns(home, CLONE_NEWNET) < 0; /* for lack of memory */
	return iter;
}

/* Does not wait: a worker that does not take its answers gets none. */
static void reply(const struct kv_broker *b, const struct question *q, int iter)
{
	struct answer a = {.serial = q->serial, .rc = iter < 0 ? iter : 0};
	struct iovec iov = {&a, sizeof(a)};
	union passed passed = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
					.cmsg_level = SOL_SOCKET,
					.cmsg_type = SCM_RIGHTS}};
	struct msghdr msg = message_of(&iov, &passed);

	memcpy(CMSG_DATA(&passed.head), &iter, sizeof(iter));
	if (iter < 0)
		msg.msg_controllen = 0;
	sendmsg(b->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void *serve(void *broker)
{
	const struct kv_broker *b = broker;
	_cleanup_close_ int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	bool is_away = home < 0;
	struct question q;

	/* A thread that is away must not stay: the namespace would live as long as it does. */
	while (!is_away && recv(b->fd, &q, sizeof(q), 0) == sizeof(q)) {
		_cleanup_close_ int iter = make_iter(b, &q, home, &is_away);

		reply(b, &q, iter);
	}
	shutdown(b->fd, SHUT_RDWR); /* who asks is told at once */
	return NULL;
}

int kv_broker_start(struct kv_broker *b, int fd, pid_t worker, const struct kv_views *views)
{
	sigset_t all, old;
	int rc;

	*b = (struct kv_broker){.fd = fd, .worker = worker, .views = views};
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = -pthread_create(&b->thread, NULL, serve, b);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		close(TAKE_FD(b->fd));
	return rc;
}

void kv_broker_stop(struct kv_broker *b)
{
	if (b->fd < 0)
		return;
	shutdown(b->fd, SHUT_RDWR);
	pthread_join(b->thread, NULL);
	close(TAKE_FD(b->fd));
}

/* --- the worker --- */

void kv_broker_client_init(struct kv_broker_client *c, int fd, const struct kv_views *views)
{
	*c = (struct kv_broker_client){.fd = fd, .views = views};
	pthread_mutex_init(&c->lock, NULL);
}

/* The next message. 0 or -errno; @iter: the descriptor that came with it, or -1 */
static int receive(int fd, struct answer *a, int *iter)
{
	struct iovec iov = {a, sizeof(*a)};
	union passed passed = {0};
	struct msghdr msg = message_of(&iov, &passed);
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*iter = -1;
	if (n < 0)
		return -errno;
	if (n != sizeof(*a))
		return -EPIPE; /* the broker is no more */
	if (CMSG_FIRSTHDR(&msg) && passed.head.cmsg_type == SCM_RIGHTS)
		memcpy(iter, CMSG_DATA(&passed.head), sizeof(*iter));
	return 0;
}

/* Answers to questions that were given up are thrown away. */
static int await_answer(const struct kv_broker_client *c, int64_t deadline)
{
	for (;;) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		int64_t left = deadline - now();
		struct answer a;
		int iter, rc;

		if (left <= 0 || poll(&p, 1, (int)(left / 1000000) + 1) == 0)
			return -ETIMEDOUT;
		rc = receive(c->fd, &a, &iter);
		if (rc == -EAGAIN || rc == -EINTR)
			continue;
		if (rc)
			return rc;
		if (a.serial != c->serial)
			kv_closep(&iter);
		else if (a.rc)
			return a.rc;
		else
			return iter < 0 ? -EMFILE
					: iter; /* it came, and there was no room for it */
	}
}

static int ask(struct kv_broker_client *c, const struct kv_view *view, int net_ns, int64_t deadline)
{
	const struct question q = {
		.deadline = deadline,
		.serial = ++c->serial,
		.view = (uint32_t)(view - c->views->list),
		.net_ns = net_ns,
	};

	if (send(c->fd, &q, sizeof(q), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return await_answer(c, deadline);
}

int kv_broker_iter(void *client, const struct kv_view *view, int net_ns)
{
	struct kv_broker_client *c = client;
	int64_t deadline = now() + KV_BROKER_MS * INT64_C(1000000);
	const struct timespec until = time_of(deadline);
	int rc = -pthread_mutex_clocklock(&c->lock, CLOCK_MONOTONIC, &until);

	if (rc)
		return rc;
	rc = ask(c, view, net_ns, deadline);
	pthread_mutex_unlock(&c->lock);
	return rc;
}
