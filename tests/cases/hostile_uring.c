// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile_uring plain|async|sqpoll low|high FILE UID: opens FILE through
 * io_uring with the rights of another time, and copies it to standard output.
 *
 * low: root's thread opens with the rights of UID, which the ring was told of.
 * high: UID's thread opens with those of root.
 */
#include <stdlib.h>
#include <string.h>

#include "uring.h"

static int ring_openat(struct ring *r, const char *path, unsigned int personality, unsigned int how)
{
	const struct io_uring_sqe request = {
		.opcode = IORING_OP_OPENAT,
		.fd = AT_FDCWD,
		.addr = (unsigned long)path,
		.open_flags = O_RDONLY,
		.flags = (unsigned char)how,
		.personality = (unsigned short)personality,
	};

	return ring_do(r, &request);
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
