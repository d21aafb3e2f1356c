// SPDX-License-Identifier: GPL-2.0-only
/*
 * A known crowd to measure with: population THREADS PROCS FDS MAPS
 *
 * Shares the numbers out evenly over PROCS processes, prints "ready PID" (of the
 * first one) once all is there, keeps it until its standard input ends, and takes
 * all away again before it exits. Nothing in it runs meanwhile.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#define STACK 65536u /* the C library puts its own there as well */
#define PAGE 4096u

struct share {
	long threads, fds, maps;
};

static void die(const char *what)
{
	fprintf(stderr, "population: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* All stacks in one mapping, so that threads do not add to the mappings. */
static void add_threads(long n)
{
	char *stacks;
	pthread_attr_t attr;

	if (n <= 0)
		return;
	stacks = mmap(NULL, (size_t)n * STACK, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stacks == MAP_FAILED)
		die("mmap");
	pthread_attr_init(&attr);
	for (long i = 0; i < n; i++) {
		pthread_t thread;

		pthread_attr_setstack(&attr, stacks + (size_t)i * STACK, STACK);
		errno = pthread_create(&thread, &attr, idle, NULL);
		if (errno)
			die("pthread_create");
	}
}

/* One more descriptor, of the kinds that a server has: mostly files and sockets. */
static int open_one(long i)
{
	switch (i % 8) {
	case 0:
		return open("/dev/null", O_RDWR);
	case 1:
	case 2:
		return socket(AF_UNIX, SOCK_DGRAM, 0);
	case 3:
		return socket(AF_INET, SOCK_STREAM, 0);
	case 4:
		return eventfd(0, 0);
	default:
		return open("/proc/self/exe", O_RDONLY);
	}
}

static void add_fds(long n)
{
	for (long i = 0; i < n; i++)
		if (open_one(i) < 0)
			die("open");
}

static long count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];
	long n = 0;

	if (!f)
		die("/proc/self/maps");
	while (fgets(line, sizeof(line), f))
		n++;
	fclose(f);
	return n;
}

/* Neighbours that differ do not merge: pages of a file, all at offset 0, and one without. */
static void add_maps(long n)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("/proc/self/exe");
	for (; n > 0; n--) {
		int flags = n % 4 ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS;

		if (mmap(NULL, PAGE, PROT_READ, flags, n % 4 ? fd : -1, 0) == MAP_FAILED)
			die("mmap");
	}
	close(fd);
}

/*
 * The libraries that all of this project's programs are linked with would be
 * most of the mappings. No member calls them, or returns from main.
 */
static void drop_libraries(void)
{
	static const char *const needed[] = {"/libc.so", "/libc-2", "/ld-linux", "/ld-2", "/ld64"};
	FILE *f = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];

	if (!f)
		die("/proc/self/maps");
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end;
		int keep = !strstr(line, ".so");

		for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
			keep |= strstr(line, needed[i]) != NULL;
		if (!keep && sscanf(line, "%lx-%lx", &start, &end) == 2)
			munmap((void *)start, end - start);
	}
	fclose(f);
}

static _Noreturn void member(const struct share *share, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(ready, 0) < 0 || close_range(1, ~0u, 0) < 0)
		die("dup2");
	add_threads(share->threads - 1);
	drop_libraries(); /* making threads looks into them */
	/* The place of 0 is its own while it says that it is ready. */
	add_fds(share->fds - 1);
	add_maps(share->maps - count_maps());
	if (write(0, "", 1) != 1)
		_exit(1);
	close(0);
	if (share->fds > 0)
		open_one(0);
	for (;;)
		pause();
}

static long part(long total, long n, long i)
{
	return total / n + (i < total % n);
}

static void end_all(const pid_t *pids, long n)
{
	for (long i = 0; i < n; i++)
		if (pids[i] > 0)
			kill(pids[i], SIGKILL);
	for (long i = 0; i < n; i++)
		if (pids[i] > 0)
			waitpid(pids[i], NULL, 0);
}

/* A byte of each member; the end of the pipe before that: one has died. */
static int wait_ready(int fd, long n)
{
	char buf[4096];

	while (n > 0) {
		ssize_t got = read(fd, buf, sizeof(buf));

		if (got <= 0)
			return -1;
		n -= got;
	}
	return 0;
}

static void start_all(char **argv, pid_t *pids, long procs, int ready)
{
	long threads = atol(argv[1]), fds = atol(argv[3]), maps = atol(argv[4]);

	for (long i = 0; i < procs; i++) {
		struct share share = {part(threads, procs, i), part(fds, procs, i),
				      part(maps, procs, i)};

		pids[i] = fork();
		if (!pids[i])
			member(&share, ready);
		if (pids[i] < 0) {
			perror("population: fork");
			return;
		}
	}
}

int main(int argc, char **argv)
{
	long procs = argc == 5 ? atol(argv[2]) : 0;
	pid_t *pids = procs > 0 ? calloc((size_t)procs, sizeof(*pids)) : NULL;
	struct rlimit files;
	int ready[2], rc = 1;
	char c;

	if (!pids) {
		fputs("usage: population THREADS PROCS FDS MAPS\n", stderr);
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (pipe(ready) < 0)
		die("pipe");
	start_all(argv, pids, procs, ready[1]);
	close(ready[1]);
	if (wait_ready(ready[0], procs) == 0) {
		printf("ready %d\n", (int)pids[0]);
		fflush(stdout);
		while (read(0, &c, 1) > 0)
			;
		rc = 0;
	}
	end_all(pids, procs);
	_exit(rc);
}
