// SPDX-License-Identifier: GPL-2.0-only
/*
 * What collectors make slower: events EVENT TIMES ROUNDS prints the nanoseconds of one, a line for
 * each round.
 *
 *   getppid      a system call that does nothing
 *   ping-pong    a byte to another process on the same CPU and back, by pipes
 *   fork         a child that exits, and is waited for
 *   fault        a page that is touched for the first time
 *   send         a byte through a socket
 *   connect      a TCP connection to this machine, accepted and closed
 *   read         4096 bytes of the disk that $DISK names, past the page cache
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void getppids(unsigned int times)
{
	for (unsigned int i = 0; i < times; i++)
		syscall(SYS_getppid);
}

static int to[2], fro[2];

static void pass(int from, int on)
{
	char byte;

	if (read(from, &byte, 1) != 1 || write(on, &byte, 1) != 1)
		_exit(0);
}

static void start_other(void)
{
	if (pipe(to) < 0 || pipe(fro) < 0)
		err(1, "pipe");
	if (fork())
		return;
	close(to[1]);
	for (;;)
		pass(to[0], fro[1]);
}

static void ping_pongs(unsigned int times)
{
	char byte = 0;

	for (unsigned int i = 0; i < times; i++)
		if (write(to[1], &byte, 1) != 1 || read(fro[0], &byte, 1) != 1)
			errx(1, "the other is gone");
}

static void forks(unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			err(1, "fork");
	}
}

static void faults(unsigned int times)
{
	size_t size = (size_t)times * PAGE;
	char *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED || madvise(block, size, MADV_NOHUGEPAGE) < 0)
		err(1, "mmap");
	for (size_t i = 0; i < size; i += PAGE)
		block[i] = 1;
	munmap(block, size);
}

static void sends(unsigned int times)
{
	int ends[2];
	char byte = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		err(1, "socketpair");
	for (unsigned int i = 0; i < times; i++)
		if (send(ends[0], &byte, 1, 0) != 1 || recv(ends[1], &byte, 1, 0) != 1)
			err(1, "send");
	close(ends[0]);
	close(ends[1]);
}

static void connects(unsigned int times)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	/* A reset in place of the usual end: no port has to wait for its next connection. */
	const struct linger reset = {.l_onoff = 1};
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) < 0 ||
	    listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &len) < 0)
		err(1, "listen");
	for (unsigned int i = 0; i < times; i++) {
		int one = socket(AF_INET, SOCK_STREAM, 0), other;

		if (one < 0 || setsockopt(one, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0 ||
		    connect(one, (struct sockaddr *)&address, len) < 0)
			err(1, "connect");
		other = accept(listener, NULL, NULL);
		if (other < 0)
			err(1, "accept");
		close(one);
		close(other);
	}
	close(listener);
}

static void reads(unsigned int times)
{
	const char *disk = getenv("DISK");
	int fd = open(disk ? disk : "", O_RDONLY | O_DIRECT | O_CLOEXEC);
	void *block = aligned_alloc(PAGE, PAGE);

	if (fd < 0 || !block)
		err(1, "$DISK");
	for (unsigned int i = 0; i < times; i++)
		if (pread(fd, block, PAGE, (off_t)(i % 256) * PAGE) != PAGE)
			err(1, "read");
	free(block);
	close(fd);
}

static const struct {
	const char *name;
	void (*act)(unsigned int times);
} events[] = {
	{"getppid", getppids}, {"ping-pong", ping_pongs}, {"fork", forks}, {"fault", faults},
	{"send", sends},       {"connect", connects},	  {"read", reads},
};

int main(int argc, char **argv)
{
	unsigned int times, rounds;
	cpu_set_t one;
	size_t i = 0;

	if (argc != 4)
		errx(2, "EVENT TIMES ROUNDS");
	times = (unsigned int)strtoul(argv[2], NULL, 10);
	rounds = (unsigned int)strtoul(argv[3], NULL, 10);
	while (i < sizeof(events) / sizeof(events[0]) && strcmp(events[i].name, argv[1]) != 0)
		i++;
	if (i == sizeof(events) / sizeof(events[0]) || !times)
		errx(2, "no such event");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (events[i].act == ping_pongs)
		start_other();
	for (unsigned int r = 0; r < rounds; r++) {
		int64_t began = now();

		events[i].act(times);
		printf("%lld\n", (long long)(now() - began) / times);
	}
	return 0;
}
