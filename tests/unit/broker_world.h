/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A broker and its client over a socket pair, with a clock and namespaces that are made here.
 * Between the two may be a test, which passes on what they say, later or not at all, and knows
 * nothing of it. These definitions stand before libc's in the program that includes them, once.
 */
#ifndef KVIEW_UNIT_BROKER_WORLD_H
#define KVIEW_UNIT_BROKER_WORLD_H

#include <bpf/bpf.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuse/daemon/broker.h"
#include "unit.h"

#define S INT64_C(1000000000)
#define LINK 100000

/* --- what the kernel does --- */

static struct {
	atomic_uint entered;	/* calls of setns(), ... */
	unsigned int fail_at;	/* ... of which this one fails; 0: none */
	atomic_ullong ino;	/* the namespace of the first */
	int iter;		/* -errno of making an iterator */
	atomic_bool is_old;	/* an iterator that nobody waits for any more */
	atomic_llong ahead;	/* ns by which the clock is */
	atomic_bool time_is_up; /* nothing comes in the time that poll() has */
} kernel;

int setns(int fd, int type)
{
	unsigned int n = ++kernel.entered;
	struct stat st;

	assert_int_equal(type, CLONE_NEWNET);
	assert_int_equal(fstat(fd, &st), 0);
	if (n == 1)
		kernel.ino = st.st_ino;
	if (n != kernel.fail_at)
		return 0;
	errno = EPERM;
	return -1;
}

int bpf_iter_create(int link_fd)
{
	assert_int_equal(link_fd, LINK);
	return kernel.iter ? kernel.iter
			   : open(kernel.is_old ? "/dev/zero" : "/dev/null", O_RDONLY | O_CLOEXEC);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int64_t ns;

	syscall(SYS_clock_gettime, clock, ts);
	ns = ts->tv_sec * S + ts->tv_nsec + kernel.ahead;
	*ts = (struct timespec){.tv_sec = ns / S, .tv_nsec = ns % S};
	return 0;
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
	const struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	if (!kernel.time_is_up)
		return (int)syscall(SYS_ppoll, fds, n, &wait, NULL, 0);
	kernel.ahead += ms * INT64_C(1000000);
	return 0;
}

/* --- the world --- */

enum { OF_NET, NOT_OF_NET, NOT_LOADED, UNKNOWN, N_VIEWS };

static struct kv_view list[N_VIEWS];
static struct kv_views views = {.list = list, .n = UNKNOWN};
static struct kv_broker broker;
static struct kv_broker_client client;
static int to_client, to_broker; /* the test's ends, if it is between */
static int net_ns, fds_before;
static int slot; /* a number below those of all that is opened later */

static inline void start(bool between)
{
	int a[2], b[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, a), 0);
	b[0] = -1;
	b[1] = a[1];
	if (between)
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, b), 0);
	to_client = between ? a[1] : -1;
	to_broker = b[0];
	kv_broker_client_init(&client, a[0], &views);
	assert_int_equal(kv_broker_start(&broker, b[1], getpid(), &views), 0);
}

static inline int setup(void **state)
{
	(void)state;
	kernel.entered = kernel.fail_at = 0;
	kernel.ino = 0;
	kernel.iter = 0;
	kernel.ahead = 0;
	kernel.time_is_up = kernel.is_old = false;
	for (int i = 0; i < N_VIEWS; i++)
		list[i] = (struct kv_view){.name = "v",
					   .is_of_net = i != NOT_OF_NET,
					   .is_loaded = i != NOT_LOADED,
					   .loaded = {-1, LINK, -1, -1}};
	fds_before = open_fds();
	slot = open("/dev/null", O_RDONLY | O_CLOEXEC);
	net_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	start(false);
	return 0;
}

static inline void stop(void)
{
	kv_broker_stop(&broker);
	close(client.fd);
	if (to_client >= 0)
		close(to_client);
	if (to_broker >= 0)
		close(to_broker);
}

/* Nothing that came is left open, by whichever side. */
static inline int teardown(void **state)
{
	(void)state;
	stop();
	close(net_ns);
	kv_closep(&slot);
	assert_int_equal(open_fds(), fds_before);
	return 0;
}

/* With the test between the two. */
static inline int setup_between(void **state)
{
	setup(state);
	stop();
	start(true);
	return 0;
}

static inline int ask(int view, int fd)
{
	return kv_broker_iter(&client, &list[view], fd);
}

static inline void comes(int iter)
{
	struct stat st;

	assert_true(iter >= 0);
	assert_int_equal(fcntl(iter, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(iter, &st), 0);
	assert_int_equal(st.st_rdev, makedev(1, 3));
	close(iter);
}

/* --- a thread that asks, and messages on their way --- */

static inline void *ask_in_a_thread(void *rc)
{
	*(int *)rc = ask(OF_NET, net_ns);
	return NULL;
}

static inline pthread_t asks(int *rc)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, ask_in_a_thread, rc), 0);
	return thread;
}

struct message {
	char bytes[256];
	ssize_t len;
	size_t passed_len; /* 0: no descriptors came */
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} passed;
};

static inline struct message take(int from)
{
	struct message m = {0};
	struct iovec iov = {m.bytes, sizeof(m.bytes)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &m.passed,
			     .msg_controllen = sizeof(m.passed)};

	m.len = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);
	m.passed_len = msg.msg_controllen;
	return m;
}

/* A descriptor that came with it is the other side's from then on. */
static inline void give(int to, struct message *m)
{
	struct iovec iov = {m->bytes, (size_t)m->len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	size_t n = m->passed_len ? m->passed.head.cmsg_len - CMSG_LEN(0) : 0;
	int fds[8];

	assert_true(m->len > 0);
	if (n) {
		msg.msg_control = &m->passed;
		msg.msg_controllen = m->passed_len;
		memcpy(fds, CMSG_DATA(&m->passed.head), n);
	}
	assert_int_equal(sendmsg(to, &msg, MSG_NOSIGNAL), m->len);
	for (size_t i = 0; i < n / sizeof(int); i++)
		close(fds[i]);
}

/* The next question, and what the broker answers to it. */
static inline struct message answer(void)
{
	struct message question = take(to_client);

	give(to_broker, &question);
	return take(to_broker);
}

#endif
