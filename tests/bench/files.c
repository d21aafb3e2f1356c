// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading files without the cost of starting a program:
 *
 *   files cat PATH TIMES         open, read by 128 KiB to the end, close
 *   files first PATH TIMES       open, read 4 KiB, close
 *   files hold BYTES PATH...     all at once, a thread each, BYTES of each or as much as
 *                                there is; prints "ready", keeps all open until
 *                                standard input ends
 *
 * cat and first print the nanoseconds of each time, a line each.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CAT 131072u /* what cat asks for */
#define FIRST 4096u

static char buf[CAT];

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void die(const char *path)
{
	fprintf(stderr, "files: %s: %s\n", path, strerror(errno));
	exit(1);
}

static int open_or_die(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(path);
	return fd;
}

static void cat_once(const char *path)
{
	int fd = open_or_die(path);
	ssize_t n;

	do
		n = read(fd, buf, CAT);
	while (n > 0);
	if (n < 0)
		die(path);
	close(fd);
}

static void first_once(const char *path)
{
	int fd = open_or_die(path);

	if (read(fd, buf, FIRST) <= 0)
		die(path);
	close(fd);
}

static int repeat(void (*once)(const char *path), const char *path, int times)
{
	while (times-- > 0) {
		int64_t begin = now();

		once(path);
		printf("%lld\n", (long long)(now() - begin));
	}
	return 0;
}

struct held {
	const char *path;
	long bytes;
	pthread_barrier_t *all_read;
};

/* By 4 KiB, so that all files are long under way at the same time. */
static void *hold_one(void *arg)
{
	const struct held *held = arg;
	int fd = open_or_die(held->path);
	char *mine = malloc(FIRST);
	ssize_t n = 1;

	for (long left = held->bytes; mine && left > 0 && n > 0; left -= n)
		n = read(fd, mine, FIRST);
	if (!mine || n < 0)
		die(held->path);
	pthread_barrier_wait(held->all_read);
	for (;;)
		pause();
	return NULL;
}

static int hold(long bytes, char **paths, int n)
{
	struct held *held = calloc((size_t)n, sizeof(*held));
	pthread_barrier_t all_read;
	char c;

	if (!held)
		die("hold");
	pthread_barrier_init(&all_read, NULL, (unsigned int)n + 1);
	for (int i = 0; i < n; i++) {
		pthread_t thread;

		held[i] = (struct held){paths[i], bytes, &all_read};
		errno = pthread_create(&thread, NULL, hold_one, &held[i]);
		if (errno)
			die("pthread_create");
	}
	pthread_barrier_wait(&all_read);
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "cat") == 0)
		return repeat(cat_once, argv[2], atoi(argv[3]));
	if (argc == 4 && strcmp(argv[1], "first") == 0)
		return repeat(first_once, argv[2], atoi(argv[3]));
	if (argc > 3 && strcmp(argv[1], "hold") == 0)
		return hold(atol(argv[2]), argv + 3, argc - 3);
	fputs("usage: files cat|first PATH TIMES; files hold BYTES PATH...\n", stderr);
	return 2;
}
