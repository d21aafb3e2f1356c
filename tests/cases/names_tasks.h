/* SPDX-License-Identifier: GPL-2.0-only */
/* Scenes of names.c: what tasks are called and belong to. Included by names_storms.h. */
#ifndef NAMES_TASKS_H
#define NAMES_TASKS_H

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

/* At each place a byte of one of its names: see comm_is_right(). */
static bool is_mixture(const char *comm)
{
	const char *names[] = {"names", exec_names[0], exec_names[1]};

	for (size_t i = 0; comm[i]; i++) {
		bool is_there = false;

		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			is_there |= i < strlen(names[k]) && comm[i] == names[k][i];
		if (i >= 15 || !is_there)
			return false;
	}
	return *comm;
}

/* Of this program, from its start to its end. */
static long long own_vsize(void)
{
	static long long pages;
	FILE *f = pages ? NULL : fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%lld", &pages) != 1)
		errx(1, "/proc/self/statm");
	if (f)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* All run this program, and none has more than the reader has of it. */
static bool exec_is_right(void)
{
	const char *exe = value("EXE"), *comm = value("COMM");

	if (atoi(value("UID")) != (int)uid || atoi(value("EUID")) != (int)uid)
		return strcmp(exe, "-") == 0;
	if (atoll(value("VSIZE")) > own_vsize() || atoll(value("RSS")) > own_vsize())
		return false;
	if (strcmp(exe, "-") != 0 && strcmp(exe, self) != 0 && !is_one_of(exe, base, exec_names))
		return false;
	return is_mixture(comm);
}

/* --- a process that executes itself where a path takes longer than that --- */

static void deep_next(void)
{
	change();
	execl("x", "x", "again", "deep", NULL);
	err(1, "x");
}

static void deep_run(void)
{
	go_down(DEEP);
	tell_ready();
	deep_next();
}

static void deep_rename(void)
{
	char *name = repeat('D', 220);

	go_down(DEEP / 2);
	tell_ready();
	for (;;) {
		move("d", name);
		move(name, "d");
	}
}

static bool deep_is_right(void)
{
	const char *exe = value("EXE");

	if (atoi(value("UID")) != (int)uid)
		return strcmp(exe, "-") == 0;
	telling += is_deep(exe, base);
	return strcmp(exe, "-") == 0 || strcmp(exe, self) == 0 || is_deep(exe, base);
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
	telling++;
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

#endif
