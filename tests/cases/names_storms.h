/* SPDX-License-Identifier: GPL-2.0-only */
/* The scenes of names.c: what changes names without end, and which names there are. */
#ifndef NAMES_STORMS_H
#define NAMES_STORMS_H

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_STORMS 2
#define TIMERS 2 /* processes, a CPU each */
#define READY_FD 9
#define CHANGES_FD 8

struct scene {
	const char *name;
	const char *view; /* of the first storm's process */
	bool (*is_right)(void);
	void (*prepare)(void);
	void (*storms[MAX_STORMS])(void);
	bool is_of_all; /* processes are read */
	bool is_jailed; /* the reader's root is DIR */
	bool is_root;	/* storms are */
};

/* Of the row that is looked at, by its column's name. */
static const char *value(const char *column);

static long *changes; /* shared */
static uid_t uid;
static pid_t first; /* storm */
static int cpu;
static char base[PATH_MAX]; /* DIR */
static char self[PATH_MAX]; /* this program */

static void tell_ready(void)
{
	if (write(READY_FD, "r", 1) != 1)
		err(1, "write");
	close(READY_FD);
}

static void map_changes(void)
{
	changes = mmap(NULL, sizeof(*changes), PROT_READ | PROT_WRITE, MAP_SHARED, CHANGES_FD, 0);
	if (changes == MAP_FAILED)
		err(1, "mmap");
}

static void change(void)
{
	__atomic_fetch_add(changes, 1, __ATOMIC_RELAXED);
}

static void *nap(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void add_threads(int n)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (int i = 0; i < n; i++)
		if (pthread_create(&thread, &attr, nap, NULL))
			errx(1, "no thread");
}

static char *repeat(char c, size_t n)
{
	char *name = calloc(1, n + 1);

	return memset(name, c, n);
}

static void move(const char *from, const char *to)
{
	if (rename(from, to) < 0)
		err(1, "%s to %s", from, to);
	change();
}

/* On one CPU, so that what runs there is interrupted amid all that it does. */
static void interrupt(void)
{
	int fds[200], n = sizeof(fds) / sizeof(fds[0]);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (int i = 0; i < n; i++)
		fds[i] = timerfd_create(CLOCK_MONOTONIC, 0);
	tell_ready();
	for (;; usleep(2500))
		for (int i = 0; i < n; i++) {
			struct itimerspec at = {.it_value.tv_nsec = 200000 + i * 12000};

			timerfd_settime(fds[i], 0, &at, NULL);
		}
}

static void copy_self(const char *to)
{
	static char data[1 << 20];
	int in = open(self, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0755);
	ssize_t n;

	if (in < 0 || out < 0)
		err(1, "%s", to);
	while ((n = read(in, data, sizeof(data))) > 0)
		if (write(out, data, (size_t)n) != n)
			err(1, "write");
	if (fchown(out, uid, uid) < 0)
		err(1, "%s", to);
	close(in);
	close(out);
}

static bool is_one_of(const char *name, const char *dir, const char *const *names)
{
	size_t n = strlen(dir);

	if (strncmp(name, dir, n) != 0 || name[n] != '/')
		return false;
	for (; *names; names++)
		if (strcmp(name + n + 1, *names) == 0)
			return true;
	return false;
}

/* --- an executable, of short name and of long name --- */

static const char *exe_names[3];

static void exe_prepare(void)
{
	copy_self("s");
	exe_names[0] = "s";
	exe_names[1] = repeat('L', 220);
}

static void exe_run(void)
{
	execl("s", "s", "again", "threads", NULL);
	err(1, "s");
}

static void exe_rename(void)
{
	tell_ready();
	for (;;) {
		move(exe_names[0], exe_names[1]);
		move(exe_names[1], exe_names[0]);
	}
}

static bool exe_is_right(void)
{
	return is_one_of(value("EXE"), base, exe_names);
}

/* --- a path of which every part changes, for a reader with another root --- */

static const char *tree_names[5];

static void make(const char *dir)
{
	if (mkdir(dir, 0755) < 0 || chown(dir, uid, uid) < 0)
		err(1, "%s", dir);
}

static void tree_prepare(void)
{
	char *a = repeat('A', 200), *b = repeat('B', 100), *x = repeat('X', 150);
	char *path[4];
	int n = 0;

	make("a");
	make("a/b");
	copy_self("a/b/x");
	path[0] = strdup("a/b/x");
	n += asprintf(&path[1], "%s/b/x", a);
	n += asprintf(&path[2], "%s/%s/x", a, b);
	n += asprintf(&path[3], "%s/%s/%s", a, b, x);
	for (int i = 0; i < 4; i++)
		tree_names[i] = path[i];
	if (n < 3)
		errx(1, "no memory");
}

/* To each name in turn, and back: these four paths are all that there ever are. */
static void tree_rename(void)
{
	char *a = repeat('A', 200), *ab, *aB;

	if (asprintf(&ab, "%s/b", a) < 0 || asprintf(&aB, "%s/%s", a, repeat('B', 100)) < 0)
		errx(1, "no memory");
	tell_ready();
	for (;;) {
		move("a", a);
		move(ab, aB);
		move(tree_names[2], tree_names[3]);
		move(tree_names[3], tree_names[2]);
		move(aB, ab);
		move(a, "a");
	}
}

/* Descriptors of that file, and none else. */
static void open_times(const char *name, int n)
{
	int fd = open(name, O_RDONLY);

	tell_ready();
	if (fd < 0 || dup2(fd, 0) < 0)
		err(1, "%s", name);
	close_range(1, ~0U, 0);
	while (dup(0) < n)
		;
}

static void hold_open(const char *name, int n)
{
	open_times(name, n);
	nap(NULL);
}

static void tree_open(void)
{
	hold_open("a/b/x", 900);
}

static void leaf_open(void)
{
	hold_open("s", 900);
}

/* It takes a new cred all the time: whoever waits for a row under one of them waits for ever. */
static void cred_change(void)
{
	open_times("s", 900);
	for (;; change())
		if (prctl(PR_SET_KEEPCAPS, 0) < 0)
			err(1, "prctl");
}

static bool leaf_is_right(void)
{
	return is_one_of(value("PATH"), "", exe_names);
}

static bool tree_is_right(void)
{
	return is_one_of(value("PATH"), "", tree_names);
}

static void maps_open(void)
{
	int fd = open("a/b/x", O_RDONLY);
	char *at = mmap(NULL, 2000 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 900; i++)
		if (fd < 0 || at == MAP_FAILED ||
		    mmap(at + i * 8192, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) ==
			    MAP_FAILED)
			err(1, "mmap");
	tell_ready();
	nap(NULL);
}

static bool ends_with(const char *path, const char *end)
{
	return strlen(path) >= strlen(end) && strcmp(path + strlen(path) - strlen(end), end) == 0;
}

static bool maps_is_right(void)
{
	const char *path = value("PATH");

	/* What lies outside of the reader's root is shown from the top of all. */
	return is_one_of(path, "", tree_names) || ends_with(path, self) ||
	       strstr(path, "/usr/lib/") || strcmp(path, "-") == 0 ||
	       strcmp(path, "/memfd:changes\\040(deleted)") == 0 ||
	       (path[0] == '[' && path[strlen(path) - 1] == ']');
}

/* --- names of threads --- */

static const char *const comms[] = {"aaaaaaaaaaaaaaa", "c", "bbbbbbbbb"};
#define COMM_THREADS 200

static int open_comm(int tid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
	fd = open(path, O_WRONLY);
	if (fd >= 0 && write(fd, comms[0], strlen(comms[0])) < 0)
		err(1, "%s", path);
	return fd;
}

static void comm_rename(void)
{
	int fds[COMM_THREADS + 1];

	add_threads(COMM_THREADS);
	for (int i = 0; i <= COMM_THREADS; i++) {
		fds[i] = open_comm(getpid() + i);
		if (fds[i] < 0) /* another process came in between */
			fds[i] = fds[0];
	}
	tell_ready();
	for (unsigned int i = 0;; i++) {
		const char *comm = comms[i / (COMM_THREADS + 1) % 3];

		if (write(fds[i % (COMM_THREADS + 1)], comm, strlen(comm)) < 0)
			err(1, "comm");
		change();
	}
}

/*
 * The kernel lets readers see a name half written since 6.13, so a mixture of two
 * may be seen, and in /proc as well; but nothing that is in none of them.
 */
static bool comm_is_right(void)
{
	const char *comm = value("COMM");
	size_t n = strlen(comm);

	return strcmp(comm, "names") == 0 || (n && n < 16 && strspn(comm, "abc") == n);
}

/* --- processes that execute one program after the other, fork and exit --- */

static const char *exec_names[] = {"e1", "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee2", NULL};
#define EXEC_PROCESSES 12

static void exec_prepare(void)
{
	copy_self(exec_names[0]);
	if (link(exec_names[0], exec_names[1]) < 0)
		err(1, "link");
}

static void exec_next(int i)
{
	change();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (i % 5 == 4 && fork() == 0)
		_exit(0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	execl(exec_names[i & 1], exec_names[i & 1], "again", i & 1 ? "0" : "1", NULL);
	err(1, "%s", exec_names[i & 1]);
}

static void exec_run(void)
{
	for (int i = 0; i < EXEC_PROCESSES; i++)
		if (fork() == 0)
			exec_next(i);
	tell_ready();
	nap(NULL);
}

static bool exec_is_right(void)
{
	const char *exe = value("EXE"), *comm = value("COMM");

	if (atoi(value("UID")) != (int)uid || atoi(value("EUID")) != (int)uid)
		return strcmp(exe, "-") == 0;
	if (atoll(value("VSIZE")) >> 36 || atoll(value("RSS")) > atoll(value("VSIZE")))
		return false;
	if (strcmp(exe, "-") != 0 && strcmp(exe, self) != 0 && !is_one_of(exe, base, exec_names))
		return false;
	return strcmp(comm, "names") == 0 || strncmp(comm, exec_names[0], 15) == 0 ||
	       strncmp(comm, exec_names[1], 15) == 0;
}

/* --- terminals --- */

static void tty_change(void)
{
	signal(SIGHUP, SIG_IGN);
	setsid();
	add_threads(200);
	tell_ready();
	for (;;) {
		int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

		if (master < 0 || unlockpt(master) < 0)
			err(1, "no terminal");
		slave = open(ptsname(master), O_RDWR | O_NOCTTY);
		if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0 || ioctl(slave, TIOCNOTTY) < 0)
			err(1, "terminal");
		close(slave);
		close(master);
		change();
	}
}

static bool tty_is_right(void)
{
	const char *tty = value("TTY");

	if (strcmp(tty, "-") == 0)
		return true;
	return strncmp(tty, "pts/", 4) == 0 && tty[4] && strlen(tty) < 9 &&
	       strspn(tty + 4, "0123456789") == strlen(tty + 4);
}

/* --- cgroups: DIR is one --- */

static const char *group_names[3];

static void group_prepare(void)
{
	group_names[0] = "s";
	group_names[1] = repeat('G', 200);
	if (mkdir(group_names[0], 0755) < 0 || mkdir(group_names[1], 0755) < 0)
		err(1, "cgroups");
}

static void group_join(const char *name, pid_t pid)
{
	char path[512], number[16];
	int fd, n = snprintf(number, sizeof(number), "%d", (int)pid);

	snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, number, (size_t)n) != n)
		err(1, "%s", path);
	close(fd);
}

static void group_run(void)
{
	group_join(group_names[0], getpid());
	add_threads(100);
	tell_ready();
	nap(NULL);
}

static void group_move(void)
{
	tell_ready();
	for (int i = 1;; i++) {
		group_join(group_names[i & 1], first);
		change();
	}
}

static bool group_is_right(void)
{
	const char *path = value("CGROUP"), *last = strrchr(path, '/');

	return last &&
	       (strcmp(last + 1, group_names[0]) == 0 || strcmp(last + 1, group_names[1]) == 0);
}

static void nothing(void)
{
}

static const struct scene scenes[] = {
	{.name = "exe",
	 .view = "task",
	 .is_right = exe_is_right,
	 .prepare = exe_prepare,
	 .storms = {exe_run, exe_rename}},
	{.name = "leaf",
	 .view = "task_file",
	 .is_right = leaf_is_right,
	 .prepare = exe_prepare,
	 .storms = {leaf_open, exe_rename},
	 .is_jailed = true},
	{.name = "cred",
	 .view = "task_file",
	 .is_right = leaf_is_right,
	 .prepare = exe_prepare,
	 .storms = {cred_change},
	 .is_jailed = true},
	{.name = "tree",
	 .view = "task_file",
	 .is_right = tree_is_right,
	 .prepare = tree_prepare,
	 .storms = {tree_open, tree_rename},
	 .is_jailed = true},
	{.name = "maps",
	 .view = "task_vma",
	 .is_right = maps_is_right,
	 .prepare = tree_prepare,
	 .storms = {maps_open, tree_rename},
	 .is_jailed = true},
	{.name = "comm",
	 .view = "task",
	 .is_right = comm_is_right,
	 .prepare = nothing,
	 .storms = {comm_rename}},
	{.name = "exec",
	 .view = "task",
	 .is_right = exec_is_right,
	 .prepare = exec_prepare,
	 .storms = {exec_run},
	 .is_of_all = true},
	{.name = "tty",
	 .view = "task",
	 .is_right = tty_is_right,
	 .prepare = nothing,
	 .storms = {tty_change}},
	{.name = "cgroup",
	 .view = "task",
	 .is_right = group_is_right,
	 .prepare = group_prepare,
	 .storms = {group_run, group_move},
	 .is_root = true},
	{.name = NULL},
};

/* The program was executed again under one of its names. */
static _Noreturn void execute_on(const char *role)
{
	map_changes();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (strcmp(role, "threads") != 0)
		exec_next(atoi(role));
	add_threads(400);
	tell_ready();
	nap(NULL);
	_exit(1);
}

#endif
