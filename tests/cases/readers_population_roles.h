/* SPDX-License-Identifier: GPL-2.0-only */
/* The people of readers_population.c: how one is made, and what each is about. */
#ifndef READERS_POPULATION_ROLES_H
#define READERS_POPULATION_ROLES_H

#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/sched.h>

#include "readers_population_common.h"

static struct {
	const char *dir;    /* a directory of our own, absolute */
	const char *cgroup; /* a cgroup of our own */
} scene;

struct ids {
	uid_t uid, euid, suid;
	gid_t gid;
};

struct role {
	const char *name;
	struct ids ids; /* all 0: stays as it is, which is root in its user namespace */
	bool undumpable;
	enum { CAPS_AS_THEY_ARE, CAPS_NONE, CAPS_KEEP, CAPS_KEEP_ONE } caps;
	unsigned long flags; /* of clone() */
	const char *map;     /* of the new user namespace, for groups too unless @gid_map */
	const char *gid_map;
	const char *program;			/* a copy of ours in DIR, which it becomes */
	uid_t owner;				/* of that */
	void (*begin)(const struct role *role); /* while it has all rights */
	void (*end)(void);			/* instead of a sleep */
};

/* --- what each has --- */

static const char *in_dir(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", scene.dir, name);
	return path;
}

static void open_and_map(const char *path)
{
	int fd = must(open(path, O_RDWR | O_CREAT, 0666), path);

	must(ftruncate(fd, 4096), "ftruncate");
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
		err(1, "mmap");
}

/* Files of every sort, two of them mapped; three descriptors of /dev/null are there. */
static void open_some(void)
{
	int fds[2];
	char who[16], name[64];

	prctl(PR_GET_NAME, who);
	snprintf(name, sizeof(name), "files/%s", who);
	open_and_map(in_dir(name));
	must(lseek(open(in_dir(name), O_RDONLY | O_APPEND), 10, SEEK_SET) == 10 ? 0 : -1, "lseek");
	snprintf(name, sizeof(name), "files/%s gone", who);
	open_and_map(in_dir(name));
	must(unlink(in_dir(name)), "unlink");
	must(pipe2(fds, O_CLOEXEC), "pipe");
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
	must(memfd_create("memory", 0), "memfd");
	must(open(scene.dir, O_PATH), scene.dir);
}

/* --- how one is made --- */

/* Of the lower 32. */
#define ONE_CAP (1u << CAP_DAC_READ_SEARCH)

static void set_caps(unsigned int mask)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	must((int)syscall(SYS_capget, &head, data), "capget");
	for (int i = 0; i < 2; i++) {
		data[i].effective = data[i].inheritable = 0;
		data[i].permitted &= mask;
	}
	must((int)syscall(SYS_capset, &head, data), "capset");
}

static void take_rights(const struct role *role)
{
	const struct ids *ids = &role->ids;

	if (role->caps >= CAPS_KEEP)
		prctl(PR_SET_KEEPCAPS, 1);
	if (ids->uid || ids->euid)
		raw_ids(ids->uid, ids->euid, ids->suid, ids->gid);
	else if (role->flags & CLONE_NEWUSER)
		raw_ids(0, 0, 0, 0);
	if (role->caps != CAPS_AS_THEY_ARE)
		set_caps(role->caps == CAPS_KEEP ? ~0u : role->caps == CAPS_KEEP_ONE ? ONE_CAP : 0);
	must(prctl(PR_SET_DUMPABLE, role->undumpable ? 0 : 1), "dumpable");
}

/* "hold" of main(), which is told where to say that it is there. */
static void __attribute__((noreturn)) run_program(const struct role *role, int ready)
{
	const char *how = role->undumpable ? "undumpable" : NULL;
	char number[16];

	snprintf(number, sizeof(number), "%d", ready);
	execl(in_dir(role->program), "people", "hold", role->name, scene.dir, number, how, NULL);
	err(1, "%s", role->program);
}

static void __attribute__((noreturn)) be(const struct role *role, int go, int ready)
{
	char byte;
	int null = must(open("/dev/null", O_RDWR), "/dev/null");

	if (read(go, &byte, 1) != 1)
		_exit(1);
	/* Whoever waits for the end of our standard output waits for us alone. */
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
	close(go);
	prctl(PR_SET_NAME, role->name);
	open_some();
	if (role->begin)
		role->begin(role);
	take_rights(role);
	if (role->program)
		run_program(role, ready);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must((int)write(ready, "", 1), "ready");
	close(ready);
	if (role->end)
		role->end();
	for (;;)
		pause();
}

static void write_to(const char *path, const char *text)
{
	int fd = must(open(path, O_WRONLY), path);

	if (write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

static void write_maps(pid_t pid, const struct role *role)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	write_to(path, role->map);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	write_to(path, role->gid_map ? role->gid_map : role->map);
}

static pid_t clone_as(const struct role *role)
{
	struct clone_args args = {.flags = role->flags, .exit_signal = SIGCHLD};
	pid_t pid;

	if (role->owner)
		must(seteuid(role->owner), "seteuid");
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid && role->owner)
		must(seteuid(0), "seteuid");
	return must(pid, role->name);
}

/* Makes one, and waits until it says that it has become what it is to be. */
static void spawn(const struct role *role)
{
	int go[2], ready[2];
	pid_t pid;
	char byte;

	must(pipe(go) || pipe(ready) ? -1 : 0, "pipe");
	pid = clone_as(role);
	if (!pid) {
		close(go[1]);
		close(ready[0]);
		be(role, go[0], ready[1]);
	}
	close(go[0]);
	close(ready[1]);
	if (role->map)
		write_maps(pid, role);
	if (write(go[1], "", 1) != 1 || read(ready[0], &byte, 1) != 1)
		errx(1, "role '%s' failed", role->name);
	close(go[1]);
	close(ready[0]);
}

static void stop(void)
{
	raise(SIGSTOP);
}

static void die(void)
{
	_exit(0);
}

/* --- threads --- */

struct thread {
	const char *name;
	bool has_own_table;
	uid_t uid;
	atomic_bool is_ready;
};

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	prctl(PR_SET_NAME, t->name);
	if (t->has_own_table) {
		must(unshare(CLONE_FILES), "unshare");
		open_some();
	}
	if (t->uid)
		raw_ids(t->uid, t->uid, t->uid, t->uid);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	atomic_store(&t->is_ready, true);
	for (;;)
		pause();
	return NULL;
}

static void start_threads(struct thread *threads, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		pthread_t id;

		if (pthread_create(&id, NULL, thread_main, &threads[i]))
			errx(1, "pthread_create");
		while (!atomic_load(&threads[i].is_ready))
			sched_yield();
	}
}

static void start_all_threads(const struct role *role)
{
	static struct thread threads[] = {
		{"th-1001", false, 1001, false}, {"own-1001", true, 1001, false},
		{"own-1000", true, 1000, false}, {"own-root", true, 0, false},
		{"th-1000", false, 1000, false},
	};

	(void)role;
	start_threads(threads, sizeof(threads) / sizeof(threads[0]));
}

/* The first has the table that was the leader's. */
static void start_two(const struct role *role)
{
	static struct thread threads[] = {
		{"own-of-leader", false, 0, false},
		{"th-second", false, 0, false},
	};

	threads[0].uid = threads[1].uid = role->ids.uid;
	start_threads(threads, 2);
}

static void __attribute__((noreturn)) leave_threads(void)
{
	syscall(SYS_exit, 0);
	abort();
}

/* A thread that the kernel makes, as part of the process. */
static void start_io_uring(const struct role *role)
{
	struct io_uring_params params = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 1};

	(void)role;
	if (syscall(SYS_io_uring_setup, 4, &params) < 0 && errno != ENOSYS && errno != EPERM)
		err(1, "io_uring_setup");
}

/* Not a thread, but with the table of open files of its parent. */
static void share_files(const struct role *role)
{
	struct clone_args args = {.flags = CLONE_FILES, .exit_signal = SIGCHLD};

	(void)role;
	if (syscall(SYS_clone3, &args, sizeof(args)))
		return;
	prctl(PR_SET_NAME, "kp-shares");
	raw_ids(1001, 1001, 1001, 1001);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(prctl(PR_SET_DUMPABLE, 1), "dumpable");
	for (;;)
		pause();
}

/* --- cgroups --- */

static void join(const char *group)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/cgroup.procs", scene.cgroup, group);
	write_to(path, "0");
}

static void join_a(const struct role *role)
{
	(void)role;
	join("a");
}

static void join_c(const struct role *role)
{
	(void)role;
	join("c");
}

static void join_gone(const struct role *role)
{
	(void)role;
	join("gone");
}

static void join_a_b(const struct role *role)
{
	(void)role;
	join("a/b");
	must(unshare(CLONE_NEWCGROUP), "cgroup namespace");
}

/* --- root directories and mounts --- */

/* Goes down from @dir, which it closes, by directories of long names. */
static int make_deep(int dir, int *left)
{
	for (; *left > 250; *left -= 201) {
		char name[] = {[0 ... 199] = 'd', '\0'};
		int next;

		if (mkdirat(dir, name, 0755) && errno != EEXIST)
			err(1, "mkdirat");
		next = must(openat(dir, name, O_PATH | O_DIRECTORY), "openat");
		close(dir);
		dir = next;
	}
	return dir;
}

/*
 * A file of so long a path that a reader whose root is @top can be told it,
 * and one whose root is farther up can't.
 */
static void open_deep(const char *top)
{
	int left = 4080, fd;
	int dir = make_deep(must(open(top, O_PATH | O_DIRECTORY), top), &left);
	char name[NAME_MAX + 1];

	memset(name, 'f', (size_t)left);
	name[left] = '\0';
	fd = must(openat(dir, name, O_RDWR | O_CREAT, 0666), "openat");
	must(ftruncate(fd, 4096), "ftruncate");
	if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		err(1, "mmap");
	close(dir);
}

static void use_overlay(const struct role *role)
{
	(void)role;
	open_and_map(in_dir("tmp/overlay/file"));
	open_and_map(in_dir("tmp/jail/overlay/file"));
}

static void enter_jail(const struct role *role)
{
	(void)role;
	open_and_map(in_dir("tmp/outside"));
	open_and_map(in_dir("tmp/jail/inside"));
	open_and_map(in_dir("tmp/jail/mounted/file"));
	open_deep(in_dir("tmp/jail"));
	must(chroot(in_dir("tmp/jail")) || chdir("/") ? -1 : 0, "chroot");
	open_and_map("/later");
}

static void mount_own_proc(void)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave");
	must(mount("proc", "/proc", "proc", 0, NULL), "proc");
}

/* What is mounted in our directory later on comes here as well. */
static void pivot(const struct role *role)
{
	(void)role;
	must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave");
	must(mount("tmpfs", in_dir("pivot"), "tmpfs", 0, NULL), "tmpfs");
	must(chdir(in_dir("pivot")), "chdir");
	must(mkdir("old", 0755) || mkdir("proc", 0755) || mkdir("dir", 0755) ? -1 : 0, "mkdir");
	must(mount("proc", "proc", "proc", 0, NULL), "proc");
	must(mount(scene.dir, "dir", NULL, MS_BIND | MS_REC, NULL), "bind");
	must((int)syscall(SYS_pivot_root, ".", "old"), "pivot_root");
	must(chdir("/"), "chdir");
	must(umount2("/old", MNT_DETACH), "umount");
	open_and_map("/file of the new root");
}

/* --- pid namespaces --- */

static void people_grandchild(const struct role *role)
{
	static const struct role inside = {.name = "kp-gns-1000", .ids = {1000, 1000, 1000, 1000}};

	(void)role;
	mount_own_proc();
	spawn(&inside);
}

static void people_pid_ns(const struct role *role)
{
	static const struct role inside[] = {
		{.name = "kp-pns-1000", .ids = {1000, 1000, 1000, 1000}},
		{.name = "kp-pns-1001", .ids = {1001, 1001, 1001, 1001}},
		{.name = "kp-gns", .flags = CLONE_NEWPID | CLONE_NEWNS, .begin = people_grandchild},
	};

	(void)role;
	mount_own_proc();
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		spawn(&inside[i]);
}

/* --- user namespaces; ids are those inside --- */

static void people_user_ns_a(const struct role *role)
{
	static const struct role inside[] = {
		{.name = "kp-uA-1000", .ids = {1000, 1000, 1000, 1000}},
		{.name = "kp-uA-5", .ids = {5, 5, 5, 5}},
		{.name = "kp-uA-nodump", .ids = {5, 5, 5, 5}, .undumpable = true},
		{.name = "kp-uA-exec", .ids = {5, 5, 5, 5}, .program = "people"},
		{.name = "kp-uA-exec-un",
		 .ids = {5, 5, 5, 5},
		 .undumpable = true,
		 .program = "people"},
		{.name = "kp-uA-exec-0", .undumpable = true, .program = "people"},
		{.name = "kp-uA-unread", .ids = {5, 5, 5, 5}, .program = "people-unreadable"},
		{.name = "kp-uA-nested", .flags = CLONE_NEWUSER, .map = "0 0 1\n1 5 1\n"},
	};

	(void)role;
	mount_own_proc();
	raw_ids(0, 0, 0, 0);
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		spawn(&inside[i]);
}

static void people_user_ns_b(const struct role *role)
{
	static const struct role inside[] = {
		{.name = "kp-uB-5", .ids = {5, 5, 5, 5}},
		{.name = "kp-uB-48", .ids = {48, 48, 48, 48}},
		{.name = "kp-uB-nodump", .ids = {21, 21, 21, 21}, .undumpable = true},
	};

	(void)role;
	raw_ids(0, 0, 0, 0);
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		spawn(&inside[i]);
}

static void people_user_ns_e(const struct role *role)
{
	static const struct role inside[] = {
		{.name = "kp-uE-exec-un", .undumpable = true, .program = "people"},
		{.name = "kp-uE-nested", .flags = CLONE_NEWUSER, .map = "0 7 1\n"},
		{.name = "kp-uE-7", .ids = {7, 7, 7, 7}},
		{.name = "kp-uE-nodump", .ids = {7, 7, 7, 7}, .undumpable = true},
	};

	(void)role;
	raw_ids(0, 0, 0, 0);
	must(prctl(PR_SET_DUMPABLE, 1), "dumpable"); /* lets it write maps */
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		spawn(&inside[i]);
}

#endif
