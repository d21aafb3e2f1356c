// SPDX-License-Identifier: GPL-2.0-only
/*
 * async_read aio|uring|async cached|direct FILE: what one read of 64 KiB gives that does not
 * wait, by io_submit(2), by io_uring, or by a thread of io_uring's, to standard output.
 */
#include <linux/aio_abi.h>
#include <stdio.h>
#include <string.h>

#include "uring.h"

#define SIZE 65536u

static __attribute__((aligned(4096))) char buf[SIZE];

static long read_by_aio(int fd)
{
	aio_context_t context = 0;
	struct iocb request = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (unsigned int)fd,
		.aio_buf = (unsigned long)buf,
		.aio_nbytes = SIZE,
	};
	struct iocb *requests[] = {&request};
	struct io_event event;

	if (syscall(SYS_io_setup, 1, &context) || syscall(SYS_io_submit, context, 1, requests) != 1)
		err(1, "io_submit");
	if (syscall(SYS_io_getevents, context, 1, 1, &event, NULL) != 1)
		err(1, "io_getevents");
	return (long)event.res;
}

static long read_by_uring(int fd, unsigned char flags)
{
	const struct io_uring_sqe request = {
		.opcode = IORING_OP_READ,
		.fd = fd,
		.addr = (unsigned long)buf,
		.len = SIZE,
		.flags = flags,
	};
	struct ring r = {0};

	ring_open(&r, 0);
	return ring_do(&r, &request);
}

int main(int argc, char **argv)
{
	long n;
	int fd;

	if (argc != 4)
		errx(2, "three arguments");
	fd = open(argv[3], O_RDONLY | (strcmp(argv[2], "direct") == 0 ? O_DIRECT : 0));
	if (fd < 0)
		err(1, "%s", argv[3]);
	if (strcmp(argv[1], "aio") == 0)
		n = read_by_aio(fd);
	else
		n = read_by_uring(fd, strcmp(argv[1], "async") == 0 ? IOSQE_ASYNC : 0);
	if (n < 0)
		errx(1, "%s: %s", argv[1], strerror((int)-n));
	return fwrite(buf, 1, (size_t)n, stdout) == (size_t)n && fflush(stdout) == 0 ? 0 : 1;
}
