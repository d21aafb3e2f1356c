// SPDX-License-Identifier: GPL-2.0-only
/*
 * args SHAPE [FILE [UID]]: a process that the kernel takes other arguments of than it was given:
 * a region of four pages, as SHAPE says. It says "ready", and lives until standard input ends.
 *
 *   own      none: those that it was given
 *   plain    many strings; open: no NUL at the end; nul: a single NUL; nuls: nothing else
 *   hole     the second page is not mapped; none: the first can't be read
 *   file     a file is mapped there; second: on the second page alone
 *   fault    pages that a userfaultfd gives, and never does
 *   flip     a file and anonymous pages in turns, without end, of the strings x... or y...
 *   rewrite  written to without end: all x, or all y
 *
 * FILE is that file; UID, who it is then.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "set_args.h"

#define PAGE 4096ul
#define SIZE (4 * PAGE)

static char *map_at(char *at, size_t size, int fd)
{
	char *p = mmap(at, size, fd < 0 ? PROT_READ | PROT_WRITE : PROT_READ,
		       MAP_PRIVATE | (at ? MAP_FIXED : 0) | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

/* "s0", "s1", ... with a NUL behind each. */
static void fill(char *region)
{
	char *p = region;

	for (unsigned int i = 0; p < region + SIZE - 8; i++)
		p += sprintf(p, "s%u", i) + 1;
}

static void fault(char *region)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register reg = {.range = {(unsigned long)region, SIZE},
				      .mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0)
		err(1, "userfaultfd");
	map_at(region, SIZE, -1);
	if (ioctl(fd, UFFDIO_REGISTER, &reg) < 0)
		err(1, "UFFDIO_REGISTER");
}

static void shape(const char *how, char *region, int fd)
{
	if (strcmp(how, "open") == 0)
		memset(region + SIZE - 8, 'z', 8);
	else if (strcmp(how, "nul") == 0 || strcmp(how, "nuls") == 0)
		memset(region, 0, SIZE);
	else if (strcmp(how, "hole") == 0)
		munmap(region + PAGE, PAGE);
	else if (strcmp(how, "none") == 0)
		mprotect(region, PAGE, PROT_NONE);
	else if (strcmp(how, "file") == 0)
		map_at(region, SIZE, fd);
	else if (strcmp(how, "second") == 0)
		map_at(region + PAGE, PAGE, fd);
	else if (strcmp(how, "fault") == 0)
		fault(region);
}

static void restless(const char *how, char *region, int fd, char with)
{
	if (strcmp(how, "flip") == 0) {
		map_at(region, SIZE, fd);
		map_at(region, SIZE, -1);
		memset(region, with, SIZE);
	} else {
		memset(region, with, SIZE);
	}
}

int main(int argc, char **argv)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	const char *how = argc > 1 ? argv[1] : "";
	int fd = argc > 2 ? open(argv[2], O_RDONLY) : -1;
	bool is_restless = strcmp(how, "flip") == 0 || strcmp(how, "rewrite") == 0;

	if (strcmp(how, "own") != 0) {
		char *region = map_at(NULL, SIZE, -1);
		uid_t id = argc > 3 ? (uid_t)strtoul(argv[3], NULL, 10) : 0;

		fill(region);
		set_args(region, strcmp(how, "nul") == 0 ? 1 : SIZE);
		shape(how, region, fd);
		if (id && (setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0))
			err(1, "setresuid");
		if (is_restless)
			memset(region, 'x', SIZE);
		printf("ready\n");
		fflush(stdout);
		for (unsigned int i = 0; is_restless && poll(&in, 1, 0) == 0; i++)
			restless(how, region, fd, i % 2 ? 'x' : 'y');
	} else {
		printf("ready\n");
		fflush(stdout);
	}
	poll(&in, 1, -1);
	_exit(0); /* what is at the place of the arguments would be needed otherwise */
}
