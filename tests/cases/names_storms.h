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
	bool must_tell; /* of some rows is_right() has counted that they do */
};

static long telling;

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

#include "names_files.h"
#include "names_tasks.h"

/* --- all of them --- */

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
	 .is_right = cred_is_right,
	 .prepare = deep_prepare,
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
	{.name = "deep",
	 .view = "task",
	 .must_tell = true,
	 .is_right = deep_is_right,
	 .prepare = deep_prepare,
	 .storms = {deep_run, deep_rename}, /* it goes down first */
	 .is_of_all = true},
	{.name = "tty",
	 .view = "task",
	 .must_tell = true,
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
	if (strcmp(role, "deep") == 0)
		deep_next();
	if (strcmp(role, "threads") != 0)
		exec_next(atoi(role));
	add_threads(400);
	tell_ready();
	nap(NULL);
	_exit(1);
}

#endif
