// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile_uring plain|async|sqpoll low|high FILE UID: opens FILE through
 * io_uring with the rights of another time, and copies it to standard output.
 *
 * low: root's thread opens with the rights of UID, which the ring was told of.
 * high: UID's thread opens with those of root.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static void *map(int fd, size_t size, off_t off)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, off);

	if (at == MAP_FAILED)
		err(1, "mmap");
	return at;
}

static void ring_open(struct ring *r, unsigned int flags)
{
	struct io_uring_params *p = &r->params;

	p->flags = flags;
	p->sq_thread_idle = 1000;
	r->fd = (int)syscall(SYS_io_uring_setup, 4, p);
	if (r->fd < 0)
		err(1, "io_uring_setup");
	r->sq = map(r->fd, p->sq_off.array + p->sq_entries * sizeof(unsigned int),
		    IORING_OFF_SQ_RING);
	r->cq = map(r->fd, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
		    IORING_OFF_CQ_RING);
	r->sqes = map(r->fd, p->sq_entries * sizeof(*r->sqes), IORING_OFF_SQES);
}

static unsigned int *word(char *ring, unsigned int off)
{
	return (unsigned int *)(void *)(ring + off);
}

/* The first and only request of a ring. */
static int ring_openat(struct ring *r, const char *path, unsigned int personality, unsigned int how)
{
	const struct io_uring_params *p = &r->params;
	unsigned int flags = IORING_ENTER_GETEVENTS;

	r->sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_OPENAT,
		.fd = AT_FDCWD,
		.addr = (unsigned long)path,
		.open_flags = O_RDONLY,
		.flags = (unsigned char)how,
		.personality = (unsigned short)personality,
	};
	*word(r->sq, p->sq_off.array) = 0;
	__atomic_store_n(word(r->sq, p->sq_off.tail), 1, __ATOMIC_SEQ_CST);
	if (p->flags & IORING_SETUP_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, flags, NULL, 0) < 0)
		err(1, "io_uring_enter");
	return ((struct io_uring_cqe *)(void *)(r->cq + p->cq_off.cqes))->res;
}

static unsigned int remember_rights(const struct ring *r)
{
	long id = syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_PERSONALITY, NULL, 0);

	if (id <= 0)
		err(1, "IORING_REGISTER_PERSONALITY");
	return (unsigned int)id;
}

/* Real ids of all three kinds: /proc looks at each. Root stays within reach. */
static void act_as(unsigned int uid, unsigned int saved)
{
	if (setresgid(uid, uid, saved) < 0 || setresuid(uid, uid, saved) < 0)
		err(1, "can't become %u", uid);
}

static void back_to_root(void)
{
	if (setresuid(0, 0, 0) < 0 || setresgid(0, 0, 0) < 0)
		err(1, "can't become root");
}

static void copy(int fd)
{
	char data[65536];
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		if (write(1, data, (size_t)n) != n)
			err(1, "write");
	if (n < 0)
		err(1, "read");
}

int main(int argc, char **argv)
{
	struct ring r = {0};
	unsigned int uid, personality;
	int fd;

	if (argc != 5)
		errx(2, "four arguments");
	uid = (unsigned int)strtoul(argv[4], NULL, 10);
	ring_open(&r, strcmp(argv[1], "sqpoll") == 0 ? IORING_SETUP_SQPOLL : 0);
	if (strcmp(argv[2], "low") == 0) {
		act_as(uid, 0);
		personality = remember_rights(&r);
		back_to_root();
	} else {
		personality = remember_rights(&r);
		act_as(uid, uid);
	}
	fd = ring_openat(&r, argv[3], personality, strcmp(argv[1], "async") == 0 ? IOSQE_ASYNC : 0);
	if (fd < 0) {
		warnx("openat: %s", strerror(-fd));
		return 1;
	}
	copy(fd);
	return 0;
}
