// SPDX-License-Identifier: GPL-2.0-only
#include "access/courier.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "access/courier_area.h"
#include "base/cleanup.h"

/* The keeper is no more. */
static int lose(const struct kv_courier *c)
{
	if (c->lost)
		c->lost();
	return -EPIPE;
}

/* Until the last request is answered: then nobody works on the area. */
static int await_answer(struct kv_courier *c, int64_t deadline)
{
	while (c->answered != c->asked) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		struct iovec iov = {&c->answered, sizeof(c->answered)};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
		int64_t left = deadline - kv_courier_now();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)(left / KV_MS) + 1) == 0)
			return -ETIMEDOUT;
		n = recvmsg(c->fd, &msg, MSG_DONTWAIT);
		if (n == 0)
			return lose(c);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return 0;
}

/* --- start and end --- */

int kv_courier_start(struct kv_courier *c, int (*confine)(void))
{
	void *area = mmap(NULL, sizeof(*c->area), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int pair[2], rc = 0;

	if (area == MAP_FAILED)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		rc = -errno;
		munmap(area, sizeof(*c->area));
		return rc;
	}
	c->area = area;
	c->fd = pair[0];
	c->keeper = fork();
	if (!c->keeper)
		kv_courier_keep(c->area, pair[1], confine);
	if (c->keeper < 0)
		rc = -errno;
	close(pair[1]);
	/* It says so when it can work. */
	if (!rc) {
		c->answered = ~c->asked;
		rc = await_answer(c, kv_courier_now() + KV_COURIER_MS * KV_MS);
	}
	if (rc)
		kv_courier_stop(c);
	return rc;
}

void kv_courier_stop(struct kv_courier *c)
{
	kv_closep(&c->fd);
	if (c->keeper > 0) {
		kill(c->keeper, SIGKILL);
		waitpid(c->keeper, NULL, 0);
	}
	if (c->area)
		munmap(c->area, sizeof(*c->area));
	*c = KV_COURIER_INIT;
}

/* --- requests --- */

static int ask(struct kv_courier *c, const struct kv_fetch *list, size_t n, int64_t deadline)
{
	struct kv_courier_area *area = c->area;
	int rc = await_answer(c, deadline); /* to a request that was given up */
	uint32_t serial = c->asked + 1;

	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++) {
		area->items[i].whose = list[i].whose;
		area->items[i].is_old = list[i].is_old;
		atomic_store(&area->items[i].slept_us, 0);
		atomic_store(&area->items[i].how, KV_FETCH_WANTED);
	}
	area->n = (uint32_t)n;
	if (send(c->fd, &serial, sizeof(serial), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno == EPIPE ? lose(c) : -errno;
	c->asked = serial;
	return await_answer(c, deadline);
}

/* A courier has written them: nothing is believed. */
static bool take_one(const struct kv_courier_area *area, size_t i, struct kv_fetch *fetch,
		     char *bytes, size_t room)
{
	const struct kv_courier_item *item = &area->items[i];
	uint32_t slot, off, len;

	fetch->how = (enum kv_fetched)atomic_load(&item->how);
	fetch->len = 0;
	fetch->args = bytes;
	if (fetch->how != KV_FETCH_DONE && fetch->how != KV_FETCH_LONG)
		return fetch->how != KV_FETCH_WANTED;
	slot = item->slot;
	off = item->off;
	len = item->len;
	if (slot >= KV_COURIER_SLOTS || len > KV_ARGS_MAX || off > KV_COURIER_BYTES - len) {
		fetch->how = KV_FETCH_UNREADABLE;
		return true;
	}
	if (len > room)
		return false;
	memcpy(bytes, area->slots[slot].bytes + off, len);
	fetch->len = len;
	return true;
}

/* gcc 12's thread sanitizer does not know pthread_mutex_clocklock(). */
static int lock_until(pthread_mutex_t *lock, int64_t deadline)
{
	const struct timespec until = {.tv_sec = deadline / (1000 * KV_MS),
				       .tv_nsec = deadline % (1000 * KV_MS)};

#ifdef __SANITIZE_THREAD__
	(void)until;
	return pthread_mutex_lock(lock);
#else
	return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &until);
#endif
}

int kv_courier_fetch(struct kv_courier *c, struct kv_fetch *list, size_t n, char *bytes,
		     size_t size)
{
	const int64_t deadline = kv_courier_now() + KV_COURIER_MS * KV_MS;
	size_t used = 0, i = 0;
	int rc = -lock_until(&c->lock, deadline);

	if (rc)
		return rc;
	rc = ask(c, list, n, deadline);
	while (!rc && i < n && take_one(c->area, i, &list[i], bytes + used, size - used))
		used += list[i++].len;
	pthread_mutex_unlock(&c->lock);
	if (rc)
		return rc;
	if (!i) /* its courier was killed before it had said what it does */
		list[i++].how = KV_FETCH_BUSY;
	return (int)i;
}
