/* SPDX-License-Identifier: GPL-2.0-only */
/* Roles for the view `task`: states, ids, scheduling, names, programs, cgroups. */
#ifndef POPULATION_TASKS_H
#define POPULATION_TASKS_H

#include <sys/ioctl.h>
#include <sys/resource.h>

#include "population_common.h"

/* --- threads and states --- */

static void play_threads(const struct scene *s, const char *arg)
{
	(void)arg;
	start_thread(s, "", NULL);
	for (size_t i = 0; i < N_HOSTILE; i++)
		start_thread(s, hostile[i], NULL);
}

static void same_table(const struct scene *s)
{
	start_thread(s, "same-table", NULL);
}

static void own_table(const struct scene *s)
{
	must(unshare(CLONE_FILES), "unshare");
	make_file(s, "in a thread's own table", O_RDWR);
	same_table(s);
}

static void empty_table(const struct scene *s)
{
	(void)s;
	must(unshare(CLONE_FILES), "unshare");
	for (int fd = 0; fd < 64; fd++)
		close(fd);
}

static void play_tables(const struct scene *s, const char *arg)
{
	(void)arg;
	start_thread(s, "leaders-table", NULL);
	start_thread(s, "own-table", own_table);
	start_thread(s, "empty-table", empty_table);
	start_thread(s, "own-table-2", own_table);
}

static void play_zombie(const struct scene *s, const char *arg)
{
	(void)arg;
	announce(s);
	_exit(0);
}

static void herald(const struct scene *s)
{
	wait_state(getpid(), getpid(), "Z");
	announce(s);
}

/* The leader ends, its threads go on; "shared": all of them have its files. */
static void play_zombie_leader(const struct scene *s, const char *arg)
{
	static struct thread last = {.name = "herald", .play = herald};
	pthread_t id;

	make_file(s, "of a zombie leader", O_RDWR);
	prctl(PR_SET_NAME, "dead-leader");
	start_thread(s, "live-1", NULL);
	if (strcmp(arg, "mixed") == 0)
		start_thread(s, "live-own", own_table);
	start_thread(s, "live-2", NULL);
	last.scene = s;
	if (pthread_create(&id, NULL, thread_main, &last))
		errx(1, "pthread_create");
	pthread_exit(NULL);
}

static void play_stopped(const struct scene *s, const char *arg)
{
	(void)arg;
	announce(s);
	raise(SIGSTOP);
}

static void play_still(const struct scene *s, const char *arg)
{
	(void)s;
	if (*arg)
		prctl(PR_SET_NAME, arg);
}

/* A last field that is empty. */
static void play_nameless(const struct scene *s, const char *arg)
{
	(void)s;
	(void)arg;
	prctl(PR_SET_NAME, "");
}

/* --- ids --- */

static void play_uids(const struct scene *s, const char *arg)
{
	(void)s;
	(void)arg;
	must(setresgid(1234, 1235, 1236), "setresgid");
	must(setresuid(4242, 65534, 0), "setresuid");
}

static void play_big_uid(const struct scene *s, const char *arg)
{
	(void)s;
	(void)arg;
	must(setresgid(4294967294u, 4294967293u, 7), "setresgid");
	must(setresuid(4294967294u, 4294967293u, 7), "setresuid");
}

static void play_session(const struct scene *s, const char *arg)
{
	(void)s;
	(void)arg;
	must(setsid(), "setsid");
}

static void play_group(const struct scene *s, const char *arg)
{
	(void)s;
	(void)arg;
	must(setpgid(0, 0), "setpgid");
}

static void play_terminal(const struct scene *s, const char *arg)
{
	int master = must(posix_openpt(O_RDWR | O_NOCTTY), "posix_openpt"), slave;

	(void)s;
	(void)arg;
	if (grantpt(master) || unlockpt(master))
		err(1, "pty");
	slave = must(open(ptsname(master), O_RDWR | O_NOCTTY), "pty");
	must(setsid(), "setsid");
	must(ioctl(slave, TIOCSCTTY, 0), "TIOCSCTTY");
}

/* --- scheduling and times --- */

/* The kernel's struct sched_attr: its header and libc's don't go together. */
struct policy {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static void play_nice(const struct scene *s, const char *arg)
{
	(void)s;
	must(setpriority(PRIO_PROCESS, 0, atoi(arg)), "setpriority");
}

static void play_policy(const struct scene *s, const char *arg)
{
	struct policy attr = {.size = sizeof(attr), .policy = (uint32_t)atoi(arg)};

	(void)s;
	if (attr.policy == SCHED_FIFO || attr.policy == SCHED_RR) {
		attr.priority = 10 + attr.policy;
	} else if (attr.policy == 6) { /* SCHED_DEADLINE */
		attr.runtime = 1000000;
		attr.deadline = attr.period = 100000000;
	} else {
		attr.nice = 3;
	}
	must((int)syscall(SYS_sched_setattr, 0, &attr, 0), "sched_setattr");
}

static long long now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Time in user mode, in kernel mode or both; between, the kernel is asked. */
static void play_busy(const struct scene *s, const char *arg)
{
	bool user = strchr(arg, 'u'), kernel = strchr(arg, 'k');
	int zero = must(open("/dev/zero", O_RDONLY), "/dev/zero");
	char *page = malloc(1 << 20);
	volatile unsigned int n = 0;

	(void)s;
	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < 120000000) {
		struct rusage usage;

		for (int i = 0; user && i < 300000; i++)
			n++;
		for (int i = 0; kernel && i < 20; i++)
			if (read(zero, page, 1 << 20) < 0)
				err(1, "/dev/zero");
		if (strchr(arg, 'a'))
			getrusage(RUSAGE_THREAD, &usage);
	}
}

/* Faults that wait for a disk and many that don't. */
static void play_faults(const struct scene *s, const char *arg)
{
	int fd = make_file(s, "faulted", O_RDWR);
	char *file, *anon;

	(void)arg;
	must(ftruncate(fd, 1 << 20), "ftruncate");
	copy_program(fd);
	must(fsync(fd), "fsync");
	must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "fadvise");
	file = mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, fd, 0);
	anon = mmap(NULL, 3000 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (file == MAP_FAILED || anon == MAP_FAILED)
		err(1, "mmap");
	for (int i = 0; i < 3000; i++)
		anon[i << 12] = file[i];
}

/* --- programs --- */

static void play_program(const struct scene *s, const char *arg)
{
	int to = make_file(s, arg, O_WRONLY), fd;

	copy_program(to);
	close(to);
	fd = must(open(at(s, arg), O_RDONLY | O_CLOEXEC), arg);
	run_program(s, fd);
}

static void play_program_memfd(const struct scene *s, const char *arg)
{
	int fd = must((int)syscall(SYS_memfd_create, arg, 0), "memfd");

	copy_program(fd);
	run_program(s, fd);
}

/* Written by one descriptor, run by another: else the file is busy. */
static void run_at(const struct scene *s, int to)
{
	char self[64];
	int fd;

	copy_program(to);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", to);
	fd = must(open(self, O_RDONLY | O_CLOEXEC), "reopen");
	close(to);
	run_program(s, fd);
}

static void play_program_deleted(const struct scene *s, const char *arg)
{
	int to = make_file(s, arg, O_WRONLY);

	must(unlink(at(s, arg)), "unlink");
	run_at(s, to);
}

static void play_program_long(const struct scene *s, const char *arg)
{
	run_at(s, make_long(s, (size_t)atoi(arg), 'p'));
}

static void play_program_long_deleted(const struct scene *s, const char *arg)
{
	run_at(s, make_long(s, (size_t)atoi(arg), 'x'));
}

/* In a file system that is mounted nowhere any more. */
static void play_program_detached(const struct scene *s, const char *arg)
{
	const char *dir = make_dir(s, arg);
	int to;

	private_mounts();
	must(mount("tmpfs", dir, "tmpfs", 0, NULL), "tmpfs");
	to = make_file(s, "detached/program", O_WRONLY);
	must(umount2(dir, MNT_DETACH), "umount");
	run_at(s, to);
}

static void play_chroot(const struct scene *s, const char *arg)
{
	const char *dir = make_dir(s, arg);

	must(chroot(dir), "chroot");
	must(open("/inside", O_RDWR | O_CREAT, 0644), "inside");
}

/* --- cgroups --- */

#define NAME_40 "0123456789012345678901234567890123456789"
#define NAME_200 NAME_40 NAME_40 NAME_40 NAME_40 NAME_40
#define HOSTILE_GROUP " tab\tesc\033[31m\"quo\\te\\012\xff"

static void enter_cgroup(const char *path)
{
	char procs[PATH_MAX + 16];
	int fd;

	if (mkdir(path, 0755) && errno != EEXIST)
		err(1, "%s", path);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	fd = must(open(procs, O_WRONLY | O_CLOEXEC), procs);
	if (write(fd, "0", 1) != 1)
		err(1, "%s", procs);
	close(fd);
}

/* @arg: names to go down by, separated by '/'. */
static void play_cgroup(const struct scene *s, const char *arg)
{
	char path[PATH_MAX];
	size_t n = (size_t)snprintf(path, sizeof(path), "%s", s->cgroup);

	while (*arg) {
		size_t step = strcspn(arg, "/");

		n += (size_t)snprintf(path + n, sizeof(path) - n, "/%.*s", (int)step, arg);
		enter_cgroup(path);
		arg += step + (arg[step] == '/');
	}
}

/* Ends in a cgroup, which the director then removes. */
static void play_cgroup_zombie(const struct scene *s, const char *arg)
{
	play_cgroup(s, arg);
	play_zombie(s, arg);
}

#endif
