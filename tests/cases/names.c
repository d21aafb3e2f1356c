// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names that change while they are read: names SCENE DIR MOUNT UID SECONDS ROWS
 *
 * As root. A user of its own changes names as fast as it can (names_storms.h),
 * while timers interrupt everybody, and reads them through the mount: each must be
 * one that there was, byte for byte. Ends after so many seconds, a busy machine's (8
 * times as many at most) when it has read so many rows too; or at the first row that
 * is wrong, which it prints. DIR is an empty directory of that user on a file system
 * that renames fast.
 *
 * Prints "ROWS rows, N (unreadable), N changes".
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "names_storms.h"

/* Large enough for any file of a scene; it is read in one go, as fast as can be. */
static char text[64 << 20];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- reading --- */

/* Of a text table; a process that is just going away has none. */
static bool read_all(int mount, const char *name)
{
	int fd = openat(mount, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		err(1, "%s", name);
	while (n > 0 && len < sizeof(text) - 1) {
		n = read(fd, text + len, sizeof(text) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		warn("%s", name);
	close(fd);
	text[len] = '\0';
	return n == 0;
}

#define MAX_COLUMNS 48

static char *header[MAX_COLUMNS], *fields[MAX_COLUMNS];

/* In place; all lines have as many. */
static int split(char *line, char **to)
{
	char *save, *word = strtok_r(line, " ", &save);
	int n = 0;

	for (; word && n < MAX_COLUMNS; word = strtok_r(NULL, " ", &save))
		to[n++] = word;
	return n;
}

static const char *value(const char *column)
{
	for (int i = 0; i < MAX_COLUMNS && header[i]; i++)
		if (strcmp(header[i], column) == 0)
			return fields[i];
	errx(1, "no column %s", column);
}

struct result {
	long rows, unreadable;
};

/* False: a row is wrong. */
static bool check(const struct scene *scene, struct result *result)
{
	char *save, *line = strtok_r(text, "\n", &save), whole[16384];
	int n;

	memset(header, 0, sizeof(header));
	n = line ? split(line, header) : 0;
	while ((line = strtok_r(NULL, "\n", &save))) {
		snprintf(whole, sizeof(whole), "%s", line);
		if (strstr(line, "(unreadable)"))
			result->unreadable++;
		else if (split(line, fields) != n || !scene->is_right()) {
			printf("wrong: %s\n", whole);
			return false;
		}
		result->rows++;
	}
	return true;
}

/* --- the stage --- */

static const struct scene *find_scene(const char *name)
{
	for (const struct scene *s = scenes; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	errx(2, "no scene %s", name);
}

static void become(uid_t user)
{
	if (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 ||
	    setresuid(user, user, user) < 0)
		err(1, "can't become user %u", user);
	if (prctl(PR_SET_DUMPABLE, 1) < 0) /* as after an execution */
		err(1, "prctl");
}

static pid_t start(void (*body)(void), uid_t as)
{
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready) < 0 || (pid = fork()) < 0)
		err(1, "fork");
	if (!pid) {
		if (as)
			become(as);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* forgotten by who becomes another */
		dup2(ready[1], READY_FD);
		close_range(READY_FD + 1, ~0U, 0);
		body();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		errx(1, "a storm ended before it began");
	close(ready[0]);
	return pid;
}

static pid_t storms[MAX_STORMS + TIMERS];
static int n_storms;

static void start_all(const struct scene *scene)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	scene->prepare();
	for (int i = 0; i < MAX_STORMS && scene->storms[i]; i++) {
		pid_t pid = start(scene->storms[i], scene->is_root ? 0 : uid);

		storms[n_storms++] = pid;
		first = storms[0];
	}
	for (int i = 0; i < TIMERS; i++) {
		cpu = (int)(i % cpus);
		storms[n_storms++] = start(interrupt, uid);
	}
}

static int read_for(const struct scene *scene, int mount, double seconds, long rows)
{
	struct result result = {0};
	double start = now(), end = start + seconds, last = start + 8 * seconds;
	bool is_well = true;
	char name[64];

	if (scene->is_of_all)
		snprintf(name, sizeof(name), "%s", scene->view);
	else
		snprintf(name, sizeof(name), "pid/%d/%s", (int)first, scene->view);
	while (is_well && (now() < end || (result.rows < rows && now() < last)))
		is_well = read_all(mount, name) && check(scene, &result);
	printf("%ld rows, %ld (unreadable), %ld changes\n", result.rows, result.unreadable,
	       *changes);
	if (scene->must_tell && !telling)
		errx(1, "not a row has a value");
	return is_well ? 0 : 1;
}

/* A child, since who has become another user can't end what is root's. */
static int run_reader(const struct scene *scene, int mount, double seconds, long rows)
{
	pid_t reader = fork();
	int status;

	if (!reader) {
		if (scene->is_jailed && chroot(".") < 0)
			err(1, "chroot");
		become(uid);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(read_for(scene, mount, seconds, rows));
	}
	if (reader < 0 || waitpid(reader, &status, 0) < 0)
		err(1, "no reader");
	for (int i = 0; i < n_storms; i++)
		kill(storms[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	const struct scene *scene;
	int mount;

	if (argc == 3 && strcmp(argv[1], "again") == 0)
		execute_on(argv[2]);
	if (argc != 7)
		errx(2, "SCENE DIR MOUNT UID SECONDS ROWS");
	scene = find_scene(argv[1]);
	uid = (uid_t)atoi(argv[4]);
	mount = open(argv[3], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (mount < 0 || chdir(argv[2]) < 0 || !getcwd(base, sizeof(base)))
		err(1, "%s or %s", argv[3], argv[2]);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		err(1, "/proc/self/exe");
	if (dup2(memfd_create("changes", MFD_CLOEXEC), CHANGES_FD) < 0 ||
	    ftruncate(CHANGES_FD, sizeof(*changes)) < 0)
		err(1, "no memory");
	map_changes();
	start_all(scene);
	return run_reader(scene, mount, atof(argv[5]), atol(argv[6]));
}
