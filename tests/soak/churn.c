// SPDX-License-Identifier: GPL-2.0-only
/*
 * Short processes with hostile names, at a bounded rate: churn RATE SEED DIR.
 * RATE is processes per second; DIR is for links and files with such names.
 * Prints how many came once standard input is at its end.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define TICK_MS 10
#define FIRST_UID 21011 /* as the readers' */

static const char *const names[] = {
	"\n",	     "a\nPID TID\nb", "\"quo\"ted\"", "',;\t\v\f\r", "\033[2J\033[31m",
	"\\\\012\\", "\xff\xfe\x80",  "\xc3",	      "-",	     " ",
	"",	     "1,2,\"\n3",
};
#define N_NAMES (sizeof(names) / sizeof(*names))

static void nap(unsigned int ms)
{
	poll(NULL, 0, (int)ms);
}

static void *end_late(void *arg)
{
	(void)arg;
	nap(20);
	_exit(0);
}

/* A leader that goes before its thread. */
static _Noreturn void leave_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, end_late, NULL))
		_exit(1);
	pthread_exit(NULL);
}

static _Noreturn void be_another(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	execl(path, name, "quit", NULL);
	_exit(1);
}

/* An open file and a mapping whose name is hostile, and deleted. */
static void open_hostile(const char *dir, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%d %s", dir, (int)getpid(), name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return;
	if (ftruncate(fd, 4096) == 0)
		mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	unlink(path);
	nap(20);
}

static _Noreturn void live_shortly(const char *dir, unsigned int dice)
{
	const char *name = names[dice % N_NAMES];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, name);
	dice /= N_NAMES;
	switch (dice % 8) {
	case 0:
		break;
	case 1:
		nap(dice / 8 % 50);
		break;
	case 2:
		leave_thread();
	case 3:
		be_another(dir, name);
	case 4:
		if (fork() == 0)
			nap(10);
		break;
	case 5:
		open_hostile(dir, name);
		break;
	default:
		if (setuid(FIRST_UID + dice / 8 % 5) == 0)
			nap(dice / 8 % 30);
		break;
	}
	_exit(0);
}

/* So that be_another()'s name is a hostile one. */
static void make_links(const char *dir, const char *self)
{
	char path[256], *target = realpath(self, NULL);

	for (size_t i = 0; target && i < N_NAMES; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (!strchr(names[i], '/') && symlink(target, path) < 0)
			continue; /* such as "", which is the directory */
	}
	free(target);
}

int main(int argc, char **argv)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};
	unsigned int rate, owed = 0, made = 0, seed;

	if (argc == 2 && strcmp(argv[1], "quit") == 0)
		return 0;
	if (argc != 4) {
		fputs("usage: churn RATE SEED DIR\n", stderr);
		return 2;
	}
	rate = (unsigned int)strtoul(argv[1], NULL, 10);
	seed = (unsigned int)strtoul(argv[2], NULL, 10);
	make_links(argv[3], "/proc/self/exe");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGCHLD, SIG_IGN); /* the kernel reaps, orphans too */
	while (poll(&in, 1, TICK_MS) == 0) {
		for (owed += rate * TICK_MS; owed >= 1000; owed -= 1000) {
			unsigned int dice = (unsigned int)rand_r(&seed);

			if (fork() == 0)
				live_shortly(argv[3], dice);
			made++;
		}
	}
	printf("%u\n", made);
	return 0;
}
