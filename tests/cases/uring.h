/* SPDX-License-Identifier: GPL-2.0-only */
/* io_uring without its library: a ring for one request. Include it in one file of a program. */
#ifndef KVIEW_CASES_URING_H
#define KVIEW_CASES_URING_H

#include <err.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static inline void *ring_map(int fd, size_t size, off_t off)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, off);

	if (at == MAP_FAILED)
		err(1, "mmap");
	return at;
}

static inline void ring_open(struct ring *r, unsigned int flags)
{
	struct io_uring_params *p = &r->params;

	p->flags = flags;
	p->sq_thread_idle = 1000;
	r->fd = (int)syscall(SYS_io_uring_setup, 4, p);
	if (r->fd < 0)
		err(1, "io_uring_setup");
	r->sq = ring_map(r->fd, p->sq_off.array + p->sq_entries * sizeof(unsigned int),
			 IORING_OFF_SQ_RING);
	r->cq = ring_map(r->fd, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
			 IORING_OFF_CQ_RING);
	r->sqes = ring_map(r->fd, p->sq_entries * sizeof(*r->sqes), IORING_OFF_SQES);
}

static inline unsigned int *ring_word(char *ring, unsigned int off)
{
	return (unsigned int *)(void *)(ring + off);
}

/* The first and only request of a ring: its result. */
static inline int ring_do(struct ring *r, const struct io_uring_sqe *request)
{
	const struct io_uring_params *p = &r->params;
	unsigned int flags = IORING_ENTER_GETEVENTS;

	r->sqes[0] = *request;
	*ring_word(r->sq, p->sq_off.array) = 0;
	__atomic_store_n(ring_word(r->sq, p->sq_off.tail), 1, __ATOMIC_SEQ_CST);
	if (p->flags & IORING_SETUP_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, flags, NULL, 0) < 0)
		err(1, "io_uring_enter");
	return ((struct io_uring_cqe *)(void *)(r->cq + p->cq_off.cqes))->res;
}

#endif
