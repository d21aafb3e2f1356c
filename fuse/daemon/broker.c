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

enum asked {
	AN_ITERATOR, /* of the view @id in the namespace @net_ns */
	A_MAP,	     /* @id */
	NEXT_MAP,    /* @id, or the next one behind it */
};

struct question {
	int64_t deadline; /* CLOCK_MONOTONIC in ns: nobody waits for the answer then */
	uint32_t serial;
	uint32_t asked;
	uint32_t id;	/* of a map; of a view its index */
	int32_t net_ns; /* descriptor in the worker's table */
};

struct answer {
	uint32_t serial; /* of the question */
	int32_t rc;	 /* 0: descriptors come with it; -errno */
};

/* An iterator; or a map, and its BTF if it has any. */
#define MAX_PASSED 2

/* Room for descriptors, aligned as CMSG_DATA() needs it. */
union passed {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(MAX_PASSED * sizeof(int))];
};

static void close_all(const int fds[MAX_PASSED])
{
	kv_closep(&fds[0]);
	kv_closep(&fds[1]);
}

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

	if (q->id >= b->views->n)
		return -EINVAL;
	view = &b->views->list[q->id];
	if (!view->is_loaded || !(view->is_of_net || view->is_by_rights))
		return -EINVAL;
	if (view->is_by_rights)
		return kv_loaded_iter(&view->loaded, &all);
	ns = open_namespace(b->worker, q->net_ns);
	if (ns < 0)
		return ns;
	if (setns(ns, CLONE_NEWNET) < 0)
		return -errno;
	iter = kv_loaded_iter(&view->loaded, &all);
	*is_away = setns(home, CLONE_NEWNET) < 0; /* for lack of memory */
	return iter;
}

/* 0: descriptors are in @fds, the others are -1; or -errno */
static int find(const struct kv_broker *b, const struct question *q, int home, bool *is_away,
		int fds[MAX_PASSED])
{
	struct kv_map_fds map;
	int rc;

	fds[0] = fds[1] = -1;
	if (now() >= q->deadline)
		return -ETIMEDOUT;
	if (q->asked == AN_ITERATOR) {
		fds[0] = make_iter(b, q, home, is_away);
		return fds[0] < 0 ? fds[0] : 0;
	}
	rc = kv_map_open(q->id, q->asked == NEXT_MAP, &map);
	fds[0] = map.map;
	fds[1] = map.btf;
	return rc;
}

/* Does not wait: a worker that does not take its answers gets none. */
static void reply(const struct kv_broker *b, const struct question *q, int rc,
		  const int fds[MAX_PASSED])
{
	size_t size = (fds[1] < 0 ? 1 : 2) * sizeof(int);
	struct answer a = {.serial = q->serial, .rc = rc};
	struct iovec iov = {&a, sizeof(a)};
	union passed passed = {.head = {.cmsg_len = CMSG_LEN(size),
					.cmsg_level = SOL_SOCKET,
					.cmsg_type = SCM_RIGHTS}};
	struct msghdr msg = message_of(&iov, &passed);

	memcpy(CMSG_DATA(&passed.head), fds, size);
	msg.msg_controllen = rc ? 0 : CMSG_SPACE(size);
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
		int fds[MAX_PASSED], rc = find(b, &q, home, &is_away, fds);

		reply(b, &q, rc, fds);
		close_all(fds);
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

/* The next message. 0 or -errno; @fds: the descriptors that came with it, or -1 */
static int receive(int fd, struct answer *a, int fds[MAX_PASSED])
{
	struct iovec iov = {a, sizeof(*a)};
	union passed passed = {0};
	struct msghdr msg = message_of(&iov, &passed);
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	fds[0] = fds[1] = -1;
	if (n < 0)
		return -errno;
	if (CMSG_FIRSTHDR(&msg) && passed.head.cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(&passed.head), passed.head.cmsg_len - CMSG_LEN(0));
	if (msg.msg_flags & MSG_CTRUNC) { /* there was room for some: a part is none */
		close_all(fds);
		fds[0] = fds[1] = -1;
	}
	if (n == sizeof(*a))
		return 0;
	return -EPIPE; /* the broker is no more */
}

/* Answers to questions that were given up are thrown away. */
static int await_answer(const struct kv_broker_client *c, int64_t deadline, int fds[MAX_PASSED])
{
	for (;;) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		int64_t left = deadline - now();
		struct answer a;
		int rc;

		if (left <= 0 || poll(&p, 1, (int)(left / 1000000) + 1) == 0)
			return -ETIMEDOUT;
		rc = receive(c->fd, &a, fds);
		if (rc == -EAGAIN || rc == -EINTR)
			continue;
		if (!rc && a.serial == c->serial && fds[0] >= 0)
			return 0;
		close_all(fds);
		if (rc)
			return rc;
		if (a.serial == c->serial) /* without a reason there was no room for what came */
			return a.rc ? a.rc : -EMFILE;
	}
}

static int ask(struct kv_broker_client *c, struct question *q, int fds[MAX_PASSED])
{
	const struct timespec until =
		time_of(q->deadline = now() + KV_BROKER_MS * INT64_C(1000000));
	int rc = -pthread_mutex_clocklock(&c->lock, CLOCK_MONOTONIC, &until);

	fds[0] = fds[1] = -1;
	if (rc)
		return rc;
	q->serial = ++c->serial;
	if (send(c->fd, q, sizeof(*q), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		rc = -errno;
	else
		rc = await_answer(c, q->deadline, fds);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int kv_broker_iter(void *client, const struct kv_view *view, int net_ns)
{
	struct kv_broker_client *c = client;
	struct question q = {
		.asked = AN_ITERATOR,
		.id = (uint32_t)(view - c->views->list),
		.net_ns = net_ns,
	};
	int fds[MAX_PASSED], rc = ask(c, &q, fds);

	if (rc)
		return rc;
	kv_closep(&fds[1]);
	return fds[0];
}

int kv_broker_map(void *client, uint32_t id, bool or_next, struct kv_map_fds *fds)
{
	struct question q = {.asked = or_next ? NEXT_MAP : A_MAP, .id = id};
	int got[MAX_PASSED], rc = ask(client, &q, got);

	*fds = KV_MAP_FDS_INIT;
	if (!rc)
		*fds = (struct kv_map_fds){got[0], got[1]};
	return rc;
}
