// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks that come and go as fast as they can: storm SECONDS [WORKERS]. Prints
 * how many came. Every way to end that the kernel treats apart is in it: plain
 * exit, a leader that goes before its thread, exec from the leader, exec from
 * another thread (which takes the leader's number), an orphan.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 8

static void *exit_process(void *arg)
{
	(void)arg;
	_exit(0);
}

static void *exec_quit(void *arg)
{
	char *const argv[] = {"storm", "quit", NULL};

	(void)arg;
	execv("/proc/self/exe", argv);
	_exit(1);
}

static void *nothing(void *arg)
{
	return arg;
}

static void start(void *(*body)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, NULL))
		_exit(1);
}

static _Noreturn void live_shortly(unsigned int way)
{
	switch (way % 5) {
	case 0:
		break;
	case 1:
		start(exit_process);
		pthread_exit(NULL);
	case 2:
		exec_quit(NULL);
		break;
	case 3:
		start(exec_quit);
		pause();
		break;
	case 4:
		if (fork() == 0)
			_exit(0);
		break;
	}
	_exit(0);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Waits where there are many, takes those that have ended anyway. */
static int reap(int alive)
{
	while (waitpid(-1, NULL, alive >= AT_ONCE ? 0 : WNOHANG) > 0)
		alive -= alive > 0; /* orphans were never counted */
	return alive;
}

/* Also makes threads of its own, and reaps its orphans. */
static void blow(double end, uint64_t *made)
{
	unsigned int way = (unsigned int)getpid();
	pthread_t thread;
	int alive = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (now() < end) {
		pid_t pid = fork();

		if (pid == 0)
			live_shortly(way);
		way++;
		if (pid > 0) {
			alive++;
			__atomic_fetch_add(made, 1, __ATOMIC_RELAXED);
		}
		if (pthread_create(&thread, NULL, nothing, NULL) == 0)
			pthread_join(thread, NULL);
		alive = reap(alive);
	}
	while (wait(NULL) > 0)
		;
}

int main(int argc, char **argv)
{
	uint64_t *made;
	double end;
	int workers;

	if (argc == 2 && strcmp(argv[1], "quit") == 0)
		return 0;
	if (argc < 2) {
		fputs("usage: storm SECONDS [WORKERS]\n", stderr);
		return 2;
	}
	end = now() + strtod(argv[1], NULL);
	workers = argc > 2 ? atoi(argv[2]) : 2;
	made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (made == MAP_FAILED)
		return 1;
	for (int i = 0; i < workers; i++) {
		if (fork() == 0) {
			blow(end, made);
			return 0;
		}
	}
	while (wait(NULL) > 0)
		;
	printf("%llu\n", (unsigned long long)*made);
	return 0;
}
