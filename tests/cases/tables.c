// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process whose threads have file tables in an odd arrangement:
 *
 *   tables [-z] [-m] [-r] own|pairs|shared|mixed THREADS DESCRIPTORS
 *
 * own: each thread has one of its own; pairs: the first half have, and the other half share
 * them; shared: all share the leader's; mixed: any of these, by repeatable noise. -z: the
 * leader exits. -m: two mappings per thread. -r: each thread has a lower number than the one
 * before it, where the pid namespace is ours to do so.
 *
 * A table that is not the leader's holds a file whose offset is its number. Prints the pid
 * and "ready"; ends when standard input does.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK 16384
#define PAGE 4096
#define THREAD (CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

struct table {
	unsigned int number, orders; /* futex: threads to be made with it */
};

static struct {
	const char *arrangement;
	bool is_dead, has_mappings, descends;
	int threads, descriptors;
	char *stacks;
	struct table *tables;
	unsigned int made; /* futex */
} me;

/* Threads here share one errno and use system calls alone. */
static void wait_for_more(const unsigned int *word, unsigned int than)
{
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == than)
		syscall(SYS_futex, word, FUTEX_WAIT, than, NULL, NULL, 0);
}

static void add_one(unsigned int *word)
{
	__atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void choose_number(int below)
{
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%d", below - 1) < 0)
		err(1, "ns_last_pid");
	close(fd);
}

static void make_thread(int (*play)(void *arg), void *arg, int flags)
{
	static int n;
	char *stack = me.stacks + (size_t)n++ * STACK; /* the next is made once this one runs */

	if (me.descends)
		choose_number(30000 - n);
	if (me.has_mappings && mprotect(stack, PAGE, PROT_NONE) < 0)
		err(1, "mprotect");
	if (clone(play, stack + STACK, THREAD | flags, arg) < 0)
		err(1, "clone");
}

static int rest(void *arg)
{
	(void)arg;
	add_one(&me.made);
	for (;;)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	return 0;
}

/* The first thread of a table makes those that share it. */
static int found(void *arg)
{
	struct table *t = arg;
	int fd = open("/proc/self/exe", O_RDONLY);

	if (fd < 0 || lseek(fd, t->number, SEEK_SET) < 0)
		err(1, "mark");
	add_one(&me.made);
	for (unsigned int done = 0;; done++) {
		wait_for_more(&t->orders, done);
		make_thread(rest, NULL, CLONE_FILES);
	}
	return 0;
}

static void join_table(unsigned int number)
{
	struct table *t = &me.tables[number];
	unsigned int made = me.made;

	if (!number) {
		make_thread(rest, NULL, CLONE_FILES);
	} else if (!t->number) {
		t->number = number;
		make_thread(found, t, 0);
	} else {
		add_one(&t->orders);
	}
	wait_for_more(&me.made, made);
}

/* Of thread @i; 0 is the leader's. */
static unsigned int table_of(int i)
{
	static unsigned int noise = 12345;

	if (strcmp(me.arrangement, "own") == 0)
		return (unsigned int)i + 1;
	if (strcmp(me.arrangement, "pairs") == 0)
		return (unsigned int)(i % (me.threads / 2)) + 1;
	if (strcmp(me.arrangement, "shared") == 0)
		return 0;
	noise = noise * 1103515245 + 12345;
	return (noise >> 8) % ((unsigned int)me.threads / 2);
}

static _Noreturn void be_subject(int told)
{
	size_t size = (size_t)me.threads * STACK;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* No gaps: what marks a table comes last. */
	if (dup2(told, STDERR_FILENO + 1) < 0 || close_range(STDERR_FILENO + 2, ~0u, 0) < 0)
		err(1, "descriptors");
	me.tables = calloc((size_t)me.threads + 1, sizeof(*me.tables));
	me.stacks = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!me.tables || me.stacks == MAP_FAILED)
		err(1, "stacks");
	for (int i = 0; i < me.descriptors; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			err(1, "/dev/null");
	for (int i = 0; i < me.threads; i++)
		join_table(table_of(i));
	if (write(STDERR_FILENO + 1, "", 1) != 1)
		err(1, "pipe");
	if (me.is_dead)
		syscall(SYS_exit, 0);
	for (;;)
		pause();
}

/* Its leader is a zombie, and its other threads are not. */
static void wait_for_death(pid_t pid)
{
	char path[64], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (int i = 0; state != 'Z' && i < 5000; i++) {
		FILE *f = fopen(path, "re");

		if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			errx(1, "%s", path);
		fclose(f);
		usleep(1000);
	}
}

int main(int argc, char **argv)
{
	int told[2], opt;
	pid_t pid;
	char c;

	while ((opt = getopt(argc, argv, "zmr")) != -1) {
		me.is_dead |= opt == 'z';
		me.has_mappings |= opt == 'm';
		me.descends |= opt == 'r';
	}
	if (argc - optind != 3 || pipe2(told, O_CLOEXEC) < 0)
		errx(2, "usage: tables [-z] [-m] [-r] own|pairs|shared|mixed THREADS DESCRIPTORS");
	me.arrangement = argv[optind];
	me.threads = atoi(argv[optind + 1]);
	me.descriptors = atoi(argv[optind + 2]);
	pid = fork();
	if (!pid)
		be_subject(told[1]);
	close(told[1]);
	if (read(told[0], &c, 1) != 1)
		errx(1, "it failed");
	if (me.is_dead)
		wait_for_death(pid);
	printf("%d\nready\n", (int)pid);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
