/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the roles of population.c share: how a process reports that it is
 * frozen, threads, and files at awkward places. Included once, by population.c.
 */
#ifndef POPULATION_COMMON_H
#define POPULATION_COMMON_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct scene {
	const char *dir;    /* a directory of our own, absolute */
	const char *cgroup; /* a cgroup of our own */
	int ready;	    /* where a process says that it has played its part */
};

/* Names that break a careless format; no '/' and no NUL, 15 bytes at most. */
static const char *const hostile[] = {
	"new\nline",
	"tab\tbed",
	"\033[31mred",
	"quo\"te'd",
	"back\\slash\\012",
	"bad\xff\xfeutf",
	"cut\xe2\x82",
	"over\xc0\x80long",
	"half\xed\xa0\x80pair",
	"big\xf4\x90\x80\x80",
	"na\xc3\xafve\xe2\x82\xac\xf0\x9f\x98\x80",
	"nel\xc2\x85nbsp\xc2\xa0",
	"-",
	"\\",
	"\"",
	",",
	"a,b",
	" both ends ",
	") R 1 (x 2 3",
	"cr\rlf\n",
	"\n1 2 3",
	"del\177\001\x1f",
	"=1+1",
	"null",
	"123456789012345",
};

#define N_HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static void nap(void)
{
	struct timespec ms = {.tv_nsec = 1000000};

	nanosleep(&ms, NULL);
}

/* The letter of "State:", 0 for a thread that is not there. */
static char state_of(pid_t pid, pid_t tid)
{
	char path[64], line[256], letter = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (!letter && fgets(line, sizeof(line), f))
		sscanf(line, "State: %c", &letter);
	fclose(f);
	return letter;
}

/* /proc/PID/status alone is read: stat would make the kernel remember times. */
static void wait_state(pid_t pid, pid_t tid, const char *letters)
{
	for (int i = 0; i < 20000; i++) {
		char letter = state_of(pid, tid);

		if (letter && strchr(letters, letter))
			return;
		nap();
	}
	errx(1, "%d/%d: not in state %s but %c", pid, tid, letters, state_of(pid, tid));
}

static void announce(const struct scene *s)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(s->ready, "", 1) != 1)
		err(1, "ready");
}

/* From here on nothing of this thread moves. */
static void __attribute__((noreturn)) freeze(const struct scene *s)
{
	announce(s);
	for (;;)
		pause();
}

struct thread {
	const struct scene *scene;
	const char *name;
	void (*play)(const struct scene *s); /* may be NULL */
	atomic_int tid;
};

static void *thread_main(void *p)
{
	struct thread *t = p;

	prctl(PR_SET_NAME, t->name);
	if (t->play)
		t->play(t->scene);
	atomic_store(&t->tid, gettid());
	for (;;)
		pause();
	return NULL;
}

/* Starts a thread, and waits until it sleeps. */
static void start_thread(const struct scene *s, const char *name,
			 void (*play)(const struct scene *s))
{
	struct thread *t = calloc(1, sizeof(*t));
	pthread_t id;

	if (!t)
		err(1, "thread");
	*t = (struct thread){.scene = s, .name = name, .play = play};
	if (pthread_create(&id, NULL, thread_main, t))
		errx(1, "pthread_create");
	while (!atomic_load(&t->tid))
		sched_yield();
	wait_state(getpid(), t->tid, "S");
}

/* "DIR/name", in one of a few buffers used in turn. */
static const char *at(const struct scene *s, const char *name)
{
	static char buffers[8][PATH_MAX];
	static unsigned int turn;
	char *out = buffers[turn++ % 8];

	snprintf(out, PATH_MAX, "%s/%s", s->dir, name);
	return out;
}

static int must(int rc, const char *what)
{
	if (rc < 0)
		err(1, "%s", what);
	return rc;
}

static int make_file(const struct scene *s, const char *name, int flags)
{
	return must(open(at(s, name), flags | O_CREAT, 0644), name);
}

static const char *make_dir(const struct scene *s, const char *name)
{
	const char *path = at(s, name);

	if (mkdir(path, 0755) && errno != EEXIST)
		err(1, "%s", path);
	return path;
}

/*
 * A new file whose whole path has exactly @len bytes. Above PATH_MAX no call
 * takes such a path, so it is gone to in steps. @letter keeps the roles' files
 * apart; 'x': deleted once it is open.
 */
static int make_long(const struct scene *s, size_t len, char letter)
{
	size_t left = len - strlen(s->dir);
	int dir = must(open(s->dir, O_PATH | O_DIRECTORY), s->dir), fd;
	char name[NAME_MAX + 1];

	for (; left > 250; left -= 201) {
		int next;

		memset(name, 'd', 200);
		name[200] = '\0';
		if (mkdirat(dir, name, 0755) && errno != EEXIST)
			err(1, "mkdirat");
		next = must(openat(dir, name, O_PATH | O_DIRECTORY), "openat");
		close(dir);
		dir = next;
	}
	memset(name, letter, left - 1);
	name[left - 1] = '\0';
	fd = must(openat(dir, name, O_RDWR | O_CREAT, 0755), "openat");
	if (letter == 'x')
		must(unlinkat(dir, name, 0), "unlinkat");
	close(dir);
	return fd;
}

/* Our own program into @to. */
static void copy_program(int to)
{
	int from = must(open("/proc/self/exe", O_RDONLY), "/proc/self/exe");
	struct stat st;

	must(fstat(from, &st), "fstat");
	while (st.st_size > 0) {
		ssize_t n = sendfile(to, from, NULL, (size_t)st.st_size);

		if (n <= 0)
			err(1, "copy");
		st.st_size -= n;
	}
	close(from);
	must(fchmod(to, 0755), "fchmod");
}

/* Becomes `population --freeze`, run from @fd. */
static void run_program(const struct scene *s, int fd)
{
	char ready[16];
	char *argv[] = {"population", "--freeze", ready, NULL};

	snprintf(ready, sizeof(ready), "%d", s->ready);
	fexecve(fd, argv, environ);
	err(1, "fexecve");
}

/*
 * Mounts of our own. What others have mounted by FUSE leaves this namespace,
 * else their umount would not be the last one.
 */
static void private_mounts(void)
{
	struct mntent *m;
	FILE *f;

	must(unshare(CLONE_NEWNS), "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave");
	f = setmntent("/proc/self/mounts", "re");
	if (!f)
		err(1, "mounts");
	while ((m = getmntent(f)))
		if (strncmp(m->mnt_type, "fuse", 4) == 0)
			umount2(m->mnt_dir, MNT_DETACH);
	endmntent(f);
}

#endif
