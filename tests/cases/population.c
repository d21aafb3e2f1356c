// SPDX-License-Identifier: GPL-2.0-only
/*
 * A frozen population: one process per role, each of which holds what one edge
 * of the views needs and then sleeps, stops or dies, so that two readings of
 * it must agree.
 *
 *   population DIR	DIR: an empty directory, for the files it needs
 *
 * Prints a JSON line per process, {"pid": N, "role": "..."}, and closes its
 * standard output once all are frozen. Ends them when its standard input
 * closes or on SIGTERM; they end with it whatever happens to it.
 */
#include <poll.h>
#include <linux/sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "population_common.h"
#include "population_files.h"
#include "population_maps.h"
#include "population_tasks.h"

struct role {
	const char *name;
	void (*play)(const struct scene *s, const char *arg);
	const char *arg;
	unsigned long clone_flags;
};

static const struct role roles[] = {
	{"still", play_still, "", 0},
	{"threads", play_threads, "", 0},
	{"tables", play_tables, "", 0},
	{"zombie", play_zombie, "", 0},
	{"zombie-leader", play_zombie_leader, "shared", 0},
	{"zombie-leader-own-table", play_zombie_leader, "mixed", 0},
	{"stopped", play_stopped, "", 0},
	{"traced", play_still, "traced", 0},
	{"nice", play_nice, "5", 0},
	{"nice-negative", play_nice, "-7", 0},
	{"nice-most", play_nice, "19", 0},
	{"fifo", play_policy, "1", 0},
	{"rr", play_policy, "2", 0},
	{"batch", play_policy, "3", 0},
	{"idle", play_policy, "5", 0},
	{"deadline", play_policy, "6", 0},
	{"uids", play_uids, "", 0},
	{"big-uid", play_big_uid, "", 0},
	{"session", play_session, "", 0},
	{"group", play_group, "", 0},
	{"terminal", play_terminal, "", 0},
	{"busy-user", play_busy, "u", 0},
	{"busy-kernel", play_busy, "k", 0},
	{"busy-both", play_busy, "uk", 0},
	{"busy-asked", play_busy, "uka", 0},
	{"faults", play_faults, "", 0},
	{"pidns", play_still, "in-pidns", CLONE_NEWPID},
	{"userns", play_still, "in-userns", CLONE_NEWUSER},
	{"program", play_program, "program\nforged 1 2\033\\\xff \"q\"", 0},
	{"program-memfd", play_program_memfd, "mem\n\"fd\xff", 0},
	{"program-deleted", play_program_deleted, "program gone", 0},
	{"program-4095", play_program_long, "4095", 0},
	{"program-too-long", play_program_long, "4096", 0},
	/* " (deleted)" has 10 bytes. */
	{"program-deleted-4095", play_program_long_deleted, "4085", 0},
	{"program-deleted-too-long", play_program_long_deleted, "4086", 0},
	{"program-detached", play_program_detached, "detached", 0},
	{"chroot", play_chroot, "root", 0},
	{"cgroup-hostile", play_cgroup, HOSTILE_GROUP, 0},
	{"cgroup-deep", play_cgroup, "deep/" NAME_200 "/" NAME_200 "/" NAME_200, 0},
	{"cgroup-gone", play_cgroup_zombie, "gone", 0},
	{"regular", play_regular, "regular", 0},
	{"deleted", play_deleted, "deleted", 0},
	{"special", play_special, "", 0},
	{"sockets", play_sockets, "", 0},
	{"anonymous", play_anonymous, "", 0},
	{"names", play_names, "", 0},
	{"long", play_long, "", 0},
	{"adrift", play_detached, "adrift", 0},
	{"maps", play_maps, "mapped", 0},
	{"maps-memory", play_maps_memory, "mapped\nmem", 0},
	{"maps-names", play_maps_names, "", 0},
	{"overlay", play_overlay, "overlay", 0},
	{"nameless", play_nameless, "", 0},
};

#define N_ROLES (sizeof(roles) / sizeof(roles[0]))

struct population {
	struct scene scene;
	pid_t pids[N_ROLES + N_HOSTILE];
	size_t n;
};

/* fork() into new namespaces; the child must not use its libc's idea of its pid. */
static pid_t fork_into(unsigned long flags)
{
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};

	return flags ? (pid_t)syscall(SYS_clone3, &args, sizeof(args)) : fork();
}

static void __attribute__((noreturn)) be_child(struct scene *s, const struct role *role, int ready)
{
	int null = must(open("/dev/null", O_RDWR), "/dev/null");

	/* Whoever waits for the end of our standard output waits for us alone. */
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
	s->ready = ready;
	role->play(s, role->arg);
	freeze(s);
}

static void end_all(struct population *p)
{
	pid_t find;

	for (size_t i = 0; i < p->n; i++)
		kill(p->pids[i], SIGKILL);
	for (size_t i = 0; i < p->n; i++)
		waitpid(p->pids[i], NULL, 0);
	find = fork();
	if (!find) {
		execlp("find", "find", p->scene.cgroup, "-depth", "-type", "d", "-delete", NULL);
		_exit(1);
	}
	waitpid(find, NULL, 0);
	umount(at(&p->scene, "cgroup2"));
}

static void spawn(struct population *p, const struct role *role)
{
	struct pollfd ready = {.events = POLLIN};
	int ends[2];
	pid_t pid;
	char byte;

	must(pipe(ends), "pipe");
	pid = must(fork_into(role->clone_flags), role->name);
	if (!pid) {
		close(ends[0]);
		be_child(&p->scene, role, ends[1]);
	}
	p->pids[p->n++] = pid;
	close(ends[1]);
	ready.fd = ends[0];
	if (poll(&ready, 1, 20000) != 1 || read(ends[0], &byte, 1) != 1) {
		end_all(p);
		errx(1, "role '%s' failed", role->name);
	}
	close(ends[0]);
	printf("{\"pid\": %d, \"role\": \"%s\"}\n", pid, role->name);
	if (strcmp(role->name, "traced") == 0) {
		must((int)ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL), "seize");
		must((int)ptrace(PTRACE_INTERRUPT, pid, 0, 0), "interrupt");
		wait_state(pid, pid, "t");
	}
}

/* A process per name: the names of leaders stand in the other views as well. */
static void spawn_named(struct population *p)
{
	for (size_t i = 0; i < N_HOSTILE; i++) {
		struct role role = {.name = "named", .play = play_still, .arg = hostile[i]};

		spawn(p, &role);
	}
}

static void settle(pid_t pid)
{
	char path[64];
	FILE *list;
	int tid;

	snprintf(path, sizeof(path), "ls /proc/%d/task", pid);
	list = popen(path, "re");
	if (!list)
		err(1, "ls");
	while (fscanf(list, "%d", &tid) == 1)
		wait_state(pid, tid, "STtZ");
	pclose(list);
}

static char *find_cgroup2(void)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	char *dir = NULL;

	while (f && !dir && (m = getmntent(f)))
		if (strcmp(m->mnt_type, "cgroup2") == 0)
			dir = strdup(m->mnt_dir);
	if (f)
		endmntent(f);
	return dir;
}

static void make_cgroup(struct scene *s)
{
	char *mount_point = find_cgroup2(), *path;

	if (!mount_point) {
		mount_point = strdup(make_dir(s, "cgroup2"));
		must(mount("cgroup2", mount_point, "cgroup2", 0, NULL), "cgroup2");
	}
	must(asprintf(&path, "%s/kview-test-%d", mount_point, getpid()), "cgroup");
	free(mount_point);
	must(mkdir(path, 0755), path);
	s->cgroup = path;
}

static void remove_gone_cgroup(const struct scene *s)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/gone", s->cgroup);
	for (int i = 0; rmdir(path) && i < 5000; i++) {
		if (errno != EBUSY)
			err(1, "%s", path);
		nap();
	}
}

static void wait_end(const sigset_t *set)
{
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};

	fds[1].fd = must(signalfd(-1, set, SFD_CLOEXEC), "signalfd");
	for (;;) {
		char byte[64];

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			return;
		if (read(STDIN_FILENO, byte, sizeof(byte)) <= 0)
			return;
	}
}

int main(int argc, char **argv)
{
	static struct population p;
	sigset_t set;

	if (argc == 3 && strcmp(argv[1], "--freeze") == 0) {
		p.scene.ready = atoi(argv[2]);
		freeze(&p.scene);
	}
	if (argc != 2)
		errx(2, "usage: population DIR");
	p.scene.dir = realpath(argv[1], NULL);
	if (!p.scene.dir)
		err(1, "%s", argv[1]);
	umask(022);
	/* What we inherited would stand among the files of all. */
	close_range(STDERR_FILENO + 1, ~0u, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	make_cgroup(&p.scene);
	for (size_t i = 0; i < N_ROLES; i++)
		spawn(&p, &roles[i]);
	spawn_named(&p);
	remove_gone_cgroup(&p.scene);
	for (size_t i = 0; i < p.n; i++)
		settle(p.pids[i]);
	fclose(stdout);
	wait_end(&set);
	end_all(&p);
	return 0;
}
