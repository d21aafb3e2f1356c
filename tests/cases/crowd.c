// SPDX-License-Identifier: GPL-2.0-only
/*
 * A crowd of processes that hold still: crowd [-n PROCESSES] [-t THREADS]
 * [-f DESCRIPTORS] [-m MAPPINGS], the last three per process. Prints the
 * pids, one per line, then "ready"; ends, with all its processes, when stdin
 * is at its end or SIGTERM comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct size {
	int processes, threads, descriptors, mappings;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *hold(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void make_threads(int n)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)sysconf(_SC_THREAD_STACK_MIN));
	for (int i = 0; i < n; i++) {
		errno = pthread_create(&thread, &attr, hold, NULL);
		if (errno)
			die("can't create a thread");
	}
}

static void make_descriptors(int n)
{
	struct rlimit limit;

	/* Above the hard limit takes CAP_SYS_RESOURCE, which containers lack. */
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)n + 64;
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("can't raise the limit of descriptors");
	for (int i = 0; i < n; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			die("can't open /dev/null");
}

/* Neighbours of equal rights would merge: every second page gets others. */
static void make_mappings(int n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *at;

	if (!n)
		return;
	at = mmap(NULL, (size_t)n * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		  -1, 0);
	if (at == MAP_FAILED)
		die("can't map");
	for (int i = 1; i < n; i += 2)
		if (mprotect(at + (size_t)i * page, page, PROT_READ) < 0)
			die("can't split a mapping");
}

static _Noreturn void be_one(const struct size *size, int ready)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	make_descriptors(size->descriptors);
	make_mappings(size->mappings);
	make_threads(size->threads - 1);
	if (write(ready, "", 1) != 1)
		die("can't report");
	hold(NULL);
	_exit(0);
}

static pid_t *make_processes(const struct size *size)
{
	pid_t *pids = calloc((size_t)size->processes, sizeof(*pids));
	int ready[2];
	char c;

	if (!pids || pipe(ready) < 0)
		die("can't begin");
	for (int i = 0; i < size->processes; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("can't fork");
		if (!pids[i])
			be_one(size, ready[1]);
	}
	close(ready[1]);
	for (int i = 0; i < size->processes; i++)
		if (read(ready[0], &c, 1) != 1)
			die("one of the crowd failed");
	close(ready[0]);
	return pids;
}

/* One of the crowd was killed: its number may be somebody else's from now on. */
static void reap(const struct size *size, pid_t *pids)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (int i = 0; i < size->processes; i++)
			if (pids[i] == pid)
				pids[i] = 0;
}

static void wait_for_end(const struct size *size, pid_t *pids, int signals)
{
	struct pollfd polls[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
				  {.fd = signals, .events = POLLIN}};
	struct signalfd_siginfo info;
	char buf[64];

	for (;;) {
		if (poll(polls, 2, -1) < 0 && errno != EINTR)
			die("can't wait");
		if (polls[1].revents && read(signals, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo != SIGCHLD)
				return;
			reap(size, pids);
		}
		if (polls[0].revents && read(STDIN_FILENO, buf, sizeof(buf)) <= 0)
			return;
	}
}

static int parse(const char *arg, int min)
{
	char *end;
	long n = strtol(arg, &end, 10);

	if (*end || n < min || n > 1000000) {
		fprintf(stderr, "crowd: '%s' is no number that makes sense here\n", arg);
		exit(2);
	}
	return (int)n;
}

static struct size parse_all(int argc, char **argv)
{
	struct size size = {.processes = 1, .threads = 1};
	int c;

	while ((c = getopt(argc, argv, "n:t:f:m:")) != -1) {
		if (c == 'n')
			size.processes = parse(optarg, 1);
		else if (c == 't')
			size.threads = parse(optarg, 1);
		else if (c == 'f')
			size.descriptors = parse(optarg, 0);
		else if (c == 'm')
			size.mappings = parse(optarg, 0);
		else
			exit(2);
	}
	return size;
}

int main(int argc, char **argv)
{
	struct size size = parse_all(argc, argv);
	sigset_t watched;
	pid_t *pids;
	int signals;

	sigemptyset(&watched);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGINT);
	sigaddset(&watched, SIGCHLD);
	sigprocmask(SIG_BLOCK, &watched, NULL);
	signals = signalfd(-1, &watched, SFD_CLOEXEC);
	if (signals < 0)
		die("can't watch signals");
	pids = make_processes(&size);
	for (int i = 0; i < size.processes; i++)
		printf("%d\n", (int)pids[i]);
	puts("ready");
	fflush(stdout);
	wait_for_end(&size, pids, signals);
	for (int i = 0; i < size.processes; i++)
		if (pids[i])
			kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	free(pids);
	return 0;
}
