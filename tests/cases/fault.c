// SPDX-License-Identifier: GPL-2.0-only
/*
 * fault RULES COMMAND...: run a command, system calls of which fail as the file
 * RULES says, those of its children as well. A line of it is
 *
 *	CALL ERRNO [FIRST [LAST]]
 *
 * with the number of an errno: calls FIRST to LAST of that name fail, all where
 * no number is given. The name is that of a command of bpf(2), `fork`, `thread`,
 * `request`: read(2) of /dev/fuse, or `iter`: read(2) of a BPF iterator, for rows: a
 * thread asks by a small one who it is itself, before its first. The file may be
 * replaced at any time, and then all are counted anew. RULES.hits has a line for
 * each call that failed.
 *
 * The calls are the kernel's otherwise: a seccomp filter has them told to us,
 * who are another process. It ends with the last process that has the filter.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ITERATOR "anon_inode:bpf_iter"
#define SMALLEST 4096 /* read */
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* What is counted: a command of bpf(2), by its number, or one of the others. */
static const char *const names[] = {
	[BPF_MAP_CREATE] = "MAP_CREATE",
	[BPF_MAP_UPDATE_ELEM] = "MAP_UPDATE_ELEM",
	[BPF_PROG_LOAD] = "PROG_LOAD",
	[BPF_OBJ_PIN] = "OBJ_PIN",
	[BPF_OBJ_GET] = "OBJ_GET",
	[BPF_PROG_TEST_RUN] = "PROG_TEST_RUN",
	[BPF_LINK_CREATE] = "LINK_CREATE",
	[BPF_ITER_CREATE] = "ITER_CREATE",
#define FORK (BPF_ITER_CREATE + 1)
	[FORK] = "fork",
#define THREAD (BPF_ITER_CREATE + 2)
	[THREAD] = "thread",
#define ITER (BPF_ITER_CREATE + 3)
	[ITER] = "iter",
#define REQUEST (BPF_ITER_CREATE + 4)
	[REQUEST] = "request",
};

static const char *rules, *hits;
static char text[4096];
static unsigned int counts[ARRAY_SIZE(names)];

/* --- the filter --- */

static void need(int rc, const char *what)
{
	if (rc < 0)
		errx(1, "%s: %s", what, strerror(-rc));
}

/* Returns where the calls are told. */
static int install(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter)
		errx(1, "no filter");
	/* The command is to gain what it could without us. */
	need(seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0), "no_new_privs");
	need(seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(bpf), 0), "bpf");
	need(seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(clone), 0), "clone");
	need(seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(read), 0), "read");
	/* Its flags are in memory: libc then takes clone(). */
	need(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
	need(seccomp_load(filter), "seccomp");
	return seccomp_notify_fd(filter);
}

/* --- which calls fail --- */

static unsigned int what_is_read(pid_t tid, uint64_t fd)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/%llu", (int)tid, (unsigned long long)fd);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		return UINT32_MAX;
	if (strcmp(target, "/dev/fuse") == 0)
		return REQUEST;
	return strcmp(target, ITERATOR) == 0 ? ITER : UINT32_MAX;
}

static unsigned int what_is(const struct seccomp_notif *call)
{
	const struct seccomp_data *data = &call->data;

	if (data->nr == SYS_bpf)
		return (unsigned int)data->args[0];
	if (data->nr == SYS_clone)
		return data->args[0] & CLONE_THREAD ? THREAD : FORK;
	if (data->args[2] < SMALLEST)
		return UINT32_MAX;
	return what_is_read((pid_t)call->pid, data->args[0]);
}

static void reread(void)
{
	static struct stat last;
	int fd = open(rules, O_RDONLY | O_CLOEXEC);
	struct stat now;

	if (fd >= 0 && fstat(fd, &now) == 0 &&
	    (now.st_ino != last.st_ino || now.st_mtim.tv_nsec != last.st_mtim.tv_nsec)) {
		last = now;
		memset(text, 0, sizeof(text));
		memset(counts, 0, sizeof(counts));
		if (read(fd, text, sizeof(text) - 1) < 0)
			text[0] = '\0';
	}
	close(fd);
}

static void note(const char *name, unsigned int nth)
{
	FILE *f = fopen(hits, "ae");

	if (f) {
		fprintf(f, "%s %u\n", name, nth);
		fclose(f);
	}
}

/* The errno that the rules have for it, or 0. */
static int judge(unsigned int what)
{
	char lines[sizeof(text)], *save;

	reread();
	if (what >= ARRAY_SIZE(names) || !names[what])
		return 0;
	counts[what]++;
	memcpy(lines, text, sizeof(lines));
	for (char *l = strtok_r(lines, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		unsigned int first = 1, last = UINT32_MAX;
		char name[32];
		int error;

		if (sscanf(l, "%31s %d %u %u", name, &error, &first, &last) < 2 ||
		    strcmp(name, names[what]) != 0 || counts[what] < first || counts[what] > last)
			continue;
		note(name, counts[what]);
		return error;
	}
	return 0;
}

/* --- the process that is told --- */

static _Noreturn void supervise(int fd)
{
	struct seccomp_notif *call;
	struct seccomp_notif_resp *answer;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	need(seccomp_notify_alloc(&call, &answer), "notify");
	for (;;) {
		if (poll(&p, 1, -1) < 0 || p.revents & (POLLHUP | POLLERR))
			_exit(0);
		memset(call, 0, sizeof(*call));
		if (seccomp_notify_receive(fd, call))
			continue; /* it was killed meanwhile */
		*answer = (struct seccomp_notif_resp){.id = call->id};
		answer->error = -judge(what_is(call));
		if (!answer->error)
			answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		seccomp_notify_respond(fd, answer);
	}
}

/* From before the filter: it has nothing of ours open, and outlives us. */
static void start_supervisor(int from, int to, pid_t of)
{
	int number, pidfd, fd, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (read(from, &number, sizeof(number)) != sizeof(number))
		_exit(1);
	pidfd = (int)syscall(SYS_pidfd_open, of, 0);
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (fd < 0 || write(to, "", 1) != 1)
		_exit(1);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	for (int i = 3; i < 1024; i++)
		if (i != fd)
			close(i);
	setsid();
	supervise(fd);
}

int main(int argc, char **argv)
{
	int to[2], back[2], fd;
	pid_t self = getpid();
	struct pollfd p = {.events = POLLIN};

	if (argc < 3)
		errx(2, "usage: fault RULES COMMAND...");
	rules = argv[1];
	if (asprintf((char **)&hits, "%s.hits", rules) < 0 || pipe2(to, O_CLOEXEC) < 0 ||
	    pipe2(back, O_CLOEXEC) < 0)
		err(1, "pipe");
	/* No child of the command's: it would be taken for one. */
	if (fork() == 0) {
		if (fork() == 0)
			start_supervisor(to[0], back[1], self);
		_exit(0);
	}
	wait(NULL);
	close(back[1]);
	fd = install();
	if (write(to[1], &fd, sizeof(fd)) != sizeof(fd))
		err(1, "write");
	/* Not read(): who would be told? */
	p.fd = back[0];
	if (poll(&p, 1, 10000) != 1 || !(p.revents & POLLIN))
		errx(1, "nobody supervises");
	close(fd);
	execvp(argv[2], argv + 2);
	err(1, "%s", argv[2]);
}
