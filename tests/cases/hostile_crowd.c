// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile_crowd MOUNT READERS USERS: that many processes of that many users
 * read at once. Each must find in task_file the rows of its own process, every
 * one of them and nobody else's, in task all the readers, and itself as
 * pid/self.
 */
#include <err.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_UID 22000
#define MAX_READERS 4096

struct crowd {
	pid_t pids[MAX_READERS];
	int n;
};

static struct crowd *crowd;
static const char *mount;

static FILE *open_view(const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", mount, name);
	file = fopen(path, "re");
	if (!file)
		err(1, "%s", path);
	return file;
}

/* Numbers of the first @n columns of the next row; false at the end. */
static bool next_row(FILE *file, long *numbers, int n)
{
	static char *line;
	static size_t size;
	char *at;

	if (getline(&line, &size, file) < 0) {
		if (ferror(file))
			err(1, "read");
		return false;
	}
	at = line;
	for (int i = 0; i < n; i++)
		numbers[i] = strtol(at, &at, 10);
	return true;
}

/* Descriptors of this process: a set of bits, as all of them are small. */
static unsigned long open_fds(void)
{
	unsigned long fds = 0;

	for (int fd = 0; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			fds |= 1UL << fd;
	return fds;
}

static void look_at_files(const char *name)
{
	FILE *file = open_view(name);
	unsigned long want = open_fds(), seen = 0;
	long row[3];

	next_row(file, row, 0);
	while (next_row(file, row, 3)) {
		if (row[0] != getpid())
			errx(1, "%s shows process %ld to %d of user %u", name, row[0], getpid(),
			     getuid());
		seen |= 1UL << row[2];
	}
	if (seen != want)
		errx(1, "%s shows descriptors %lx to process %d, which has %lx", name, seen,
		     getpid(), want);
	fclose(file);
}

static bool is_reader(long pid)
{
	for (int i = 0; i < crowd->n; i++)
		if (crowd->pids[i] == pid)
			return true;
	return false;
}

static void look_at_tasks(void)
{
	FILE *file = open_view("task");
	long row[1];
	int found = 0;

	next_row(file, row, 0);
	while (next_row(file, row, 1))
		found += is_reader(row[0]);
	if (found != crowd->n)
		errx(1, "task shows %d readers of %d", found, crowd->n);
	fclose(file);
}

static void look_at_self(void)
{
	char path[4096], link[32] = "";

	snprintf(path, sizeof(path), "%s/pid/self", mount);
	if (readlink(path, link, sizeof(link) - 1) < 0)
		err(1, "%s", path);
	if (atoi(link) != getpid())
		errx(1, "pid/self is %s to process %d", link, getpid());
}

/* Reads when the gate closes, closes @done, and stays until all have read. */
static _Noreturn void read_all(uid_t uid, int gate, int done, int rest)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		err(1, "can't become user %u", uid);
	(void)!read(gate, &c, 1);
	look_at_files("task_file");
	look_at_self();
	look_at_tasks();
	look_at_files("pid/self/task_file");
	close(done);
	(void)!read(rest, &c, 1);
	_exit(0);
}

static void make_pipe(int ends[2])
{
	if (pipe(ends) < 0)
		err(1, "pipe");
}

static void start(int readers, int users, int gate[2], int done[2], int rest[2])
{
	for (crowd->n = 0; crowd->n < readers; crowd->n++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (!pid) {
			close(gate[1]);
			close(done[0]);
			close(rest[1]);
			read_all(FIRST_UID + (uid_t)(crowd->n % users), gate[0], done[1], rest[0]);
		}
		crowd->pids[crowd->n] = pid;
	}
}

int main(int argc, char **argv)
{
	int gate[2], done[2], rest[2], bad = 0, status;
	char c;

	if (argc != 4 || atoi(argv[2]) > MAX_READERS || atoi(argv[3]) < 1)
		errx(2, "MOUNT READERS USERS");
	mount = argv[1];
	close_range(3, ~0U, 0);
	crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (crowd == MAP_FAILED)
		err(1, "mmap");
	make_pipe(gate);
	make_pipe(done);
	make_pipe(rest);
	if (setgroups(0, NULL) < 0)
		err(1, "setgroups");
	start(atoi(argv[2]), atoi(argv[3]), gate, done, rest);
	close(done[1]);
	close(gate[1]);
	(void)!read(done[0], &c, 1); /* all have closed it, or died */
	close(rest[1]);
	while (wait(&status) > 0)
		bad += status != 0;
	if (bad)
		errx(1, "%d readers of %d saw something else", bad, crowd->n);
	return 0;
}
