/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel as the server sees it, made of the input: iterators whose reads
 * give rows, half rows, garbage or errors, readers with identities, processes
 * that come and go. These definitions stand before libbpf's and libc's in the
 * program that includes them.
 */
#ifndef KVIEW_FUZZ_KERNEL_H
#define KVIEW_FUZZ_KERNEL_H

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuse/fs/ops.h"
#include "fuzz.h"
#include "access/process.h"
#include "tests/unit/row_schema.h"

/* Objects' program numbers, by which links and iterators are told apart. */
enum { IT_NONE, IT_VIEW, IT_IDENTITY, IT_PROCESSES, IT_THREADS, IT_SELF };
#define PROG(what) (100000 + (what))
#define MAX_FDS 256
#define NR_PROCESSES 6
#define FIRST_PID 1 /* is there, whatever runs */
#define NO_PID 4194303

struct iterator {
	int what;
	pid_t pid, tid; /* 0: for all */
	unsigned int at;
	uint32_t next; /* row */
};

static struct {
	struct input *in;	      /* what the answers are taken from */
	void (*on_read)(void);	      /* while the kernel walks for a view */
	struct iterator fds[MAX_FDS]; /* links and iterators by descriptor */
	struct kv_process processes[NR_PROCESSES];
	struct kv_identity identity; /* of who asks */
	bool is_short;		     /* the kernel can't tell who asks */
	uint8_t saw;
} kernel;

/* --- the rows of all views: a number and a name --- */

struct row {
	struct kv_head head;
	uint32_t n;
	struct kv_str name;
	char bytes[32];
};

_Static_assert(offsetof(struct row, bytes) == ROW_FIXED, "as row_schema has it");

static size_t make_row(uint32_t n, char *to)
{
	struct row r = {.n = n};
	int len = snprintf(r.bytes, sizeof(r.bytes), "name %u", n);

	r.head.len = (uint32_t)ROW_FIXED + (uint32_t)len;
	r.name = (struct kv_str){ROW_FIXED, (uint16_t)len};
	memcpy(to, &r, r.head.len);
	return r.head.len;
}

/* --- libbpf --- */

/* A descriptor that is one to the system too, so that a lost one is seen. */
static int make_fd(int what, pid_t pid, pid_t tid)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0 && fd < MAX_FDS);
	kernel.fds[fd] = (struct iterator){.what = what, .pid = pid, .tid = tid};
	return fd;
}

int bpf_link_create(int prog_fd, int target_fd, enum bpf_attach_type type,
		    const struct bpf_link_create_opts *opts)
{
	(void)target_fd;
	(void)type;
	if (prog_fd == PROG(IT_SELF))
		return make_fd(IT_SELF, 0, 0);
	if (in_8(kernel.in) >= 250)
		return in_8(kernel.in) & 1 ? -ESRCH : -EMFILE;
	return make_fd(prog_fd - PROG(0), (pid_t)opts->iter_info->task.pid,
		       (pid_t)opts->iter_info->task.tid);
}

/* Of a link made above, or of one that a view or a query came with. */
int bpf_iter_create(int link_fd)
{
	const struct iterator *link;

	if (link_fd >= PROG(0))
		return make_fd(link_fd - PROG(0), 0, 0);
	MUST(link_fd >= 0 && link_fd < MAX_FDS && kernel.fds[link_fd].what);
	link = &kernel.fds[link_fd];
	if (link->what == IT_SELF)
		return make_fd(IT_SELF, 0, 0);
	return in_8(kernel.in) >= 252 ? -ENOMEM : make_fd(link->what, link->pid, link->tid);
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	(void)fd;
	(void)key;
	(void)value;
	(void)flags;
	return in_8(kernel.in) >= 253 ? -ENOMEM : 0;
}

int bpf_map_lookup_and_delete_elem(int fd, const void *key, void *value)
{
	struct kv_reading *reading = value;

	(void)fd;
	(void)key;
	reading->scope.saw = kernel.saw;
	if (kernel.saw & KV_SAW_REPEATS) {
		reading->progress.common = in_8(kernel.in) & 1;
		reading->progress.stopped_at = in_8(kernel.in) % 8;
		reading->progress.stopped_at = in_8(kernel.in);
		reading->progress.repeats += in_8(kernel.in) * 64;
	}
	return 0;
}

int bpf_map_delete_elem(int fd, const void *key)
{
	(void)fd;
	(void)key;
	return 0;
}

int bpf_map_get_next_key(int fd, const void *key, void *next)
{
	(void)fd;
	(void)key;
	(void)next;
	return -ENOENT;
}

/* --- reads of iterators --- */

static ssize_t fail(int code)
{
	errno = code;
	return -1;
}

/* Rows as far as @size goes, but no more than @max. */
static ssize_t give_rows(struct iterator *it, char *to, size_t size, unsigned int max)
{
	size_t n = 0;

	for (unsigned int i = 0; i < max && size - n >= sizeof(struct row); i++)
		n += make_row(it->next++, to + n);
	return (ssize_t)n;
}

static ssize_t give_garbage(char *to, size_t size)
{
	size_t n = in_8(kernel.in);

	n = n < size ? n : size;
	for (size_t i = 0; i < n; i++)
		to[i] = (char)in_8(kernel.in);
	return (ssize_t)n;
}

/* The end comes when the input has, at the latest. */
static ssize_t read_view(struct iterator *it, char *to, size_t size)
{
	static const int codes[] = {EAGAIN, EAGAIN, EINTR, EIO, E2BIG, ENOMEM, ENOENT, ESRCH};
	uint8_t how = in_8(kernel.in);

	kernel.saw = how ? in_8(kernel.in) & 31 : KV_SAW_OBJECT | KV_SAW_END;
	if (how & 0x80)
		kernel.on_read();
	switch (how % 8) {
	case 0:
		return 0;
	case 1:
		return give_rows(it, to, size, 1);
	case 2: /* half a row */
		return give_rows(it, to, size, 1) - (ssize_t)(in_8(kernel.in) % ROW_FIXED);
	case 3:
		return fail(codes[in_8(kernel.in) % COUNT(codes)]);
	case 4:
		return give_garbage(to, size);
	case 5:
		return give_rows(it, to, size, in_8(kernel.in));
	default:
		return give_rows(it, to, size, UINT32_MAX);
	}
}

static ssize_t read_identity(struct iterator *it, void *to, size_t size)
{
	MUST(size == sizeof(kernel.identity));
	if (it->at++ || kernel.is_short)
		return 0;
	memcpy(to, &kernel.identity, size);
	return (ssize_t)size;
}

/* Who reads is known for sure, and asks once: no input goes into it. */
static ssize_t read_self(void *to, size_t size)
{
	struct kv_identity self = {.id = 1, .thread_start = 1};

	MUST(size == sizeof(self));
	memcpy(to, &self, size);
	return (ssize_t)size;
}

static ssize_t read_processes(struct iterator *it, char *to, size_t size)
{
	size_t n = 0;

	for (; it->at < NR_PROCESSES && size - n >= sizeof(struct kv_process); it->at++) {
		const struct kv_process *p = &kernel.processes[it->at];

		if (!p->start || (it->tid && p->pid != it->tid))
			continue;
		memcpy(to + n, p, sizeof(*p));
		n += sizeof(*p);
	}
	return (ssize_t)n;
}

static ssize_t read_threads(struct iterator *it, char *to, size_t size)
{
	struct kv_thread t = {.nr = (int32_t)it->at};
	size_t n = 0;

	kernel.saw = KV_SAW_OBJECT;
	for (; it->at < 64 && size - n >= sizeof(t) && in_8(kernel.in); it->at++) {
		t.nr += (int32_t)(in_8(kernel.in) % 4);
		t.common = in_8(kernel.in) % 4;
		t.tgid = in_8(kernel.in) % 2;
		t.tid = in_8(kernel.in);
		memcpy(to + n, &t, sizeof(t));
		n += sizeof(t);
	}
	return (ssize_t)n;
}

ssize_t read(int fd, void *to, size_t size)
{
	struct iterator *it = fd >= 0 && fd < MAX_FDS ? &kernel.fds[fd] : NULL;

	switch (it ? it->what : IT_NONE) {
	case IT_VIEW:
		return read_view(it, to, size);
	case IT_IDENTITY:
		return read_identity(it, to, size);
	case IT_PROCESSES:
		return read_processes(it, to, size);
	case IT_SELF:
		return read_self(to, size);
	case IT_THREADS:
		return read_threads(it, to, size);
	default:
		return syscall(SYS_read, fd, to, size);
	}
}

int close(int fd)
{
	if (fd >= 0 && fd < MAX_FDS)
		kernel.fds[fd].what = IT_NONE;
	return (int)syscall(SYS_close, fd);
}

/* --- the rest of it --- */

/* Translates numbers of a nested pid namespace; older kernels can't. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	long arg;

	va_start(ap, request);
	arg = va_arg(ap, long);
	va_end(ap);
	if (_IOC_TYPE(request) != 0xb7)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	if (in_8(kernel.in) & 1)
		return (int)fail(ENOTTY);
	for (size_t i = 0; i < NR_PROCESSES; i++)
		if (kernel.processes[i].start && kernel.processes[i].nr == (pid_t)arg)
			return kernel.processes[i].pid;
	return (int)fail(ESRCH);
}

/* --- who asks, and what there is --- */

static uint32_t own_inum(const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	MUST(fstatat(AT_FDCWD, path, &st, 0) == 0);
	return (uint32_t)st.st_ino;
}

static struct kv_identity own_identity(void)
{
	static struct kv_identity self;

	if (!self.id)
		self = (struct kv_identity){
			.id = (uint64_t)getpid() << 32 | (uint32_t)getpid(),
			.pid_ns = 0x10,
			.user_ns = 0x20,
			.cgroup_ns = 0x30,
			.root_mnt = 0x40,
			.root_dentry = 0x41,
			.root_is_top = 1,
			.pid_ns_inum = own_inum("pid"),
			.user_ns_inum = own_inum("user"),
			.cgroup_ns_inum = own_inum("cgroup"),
			.pid = FIRST_PID,
		};
	return self;
}

/* Bits of @who: its user, and what is odd about it. */
static void become(uint8_t who, uid_t uid)
{
	struct kv_identity *id = &kernel.identity;

	*id = own_identity();
	id->fsuid = id->euid = uid;
	if (who & 0x08)
		id->pid_ns = 0x11;
	if (who & 0x10)
		id->root_dentry = 0x42, id->root_is_top = 0;
	if ((who & 0x60) == 0x20)
		id->pid = 0; /* in a namespace where it has no number */
	id->master = uid;
	id->is_being_killed = who >> 7;
	if (who >= 0xf8)
		id->fsuid++; /* not who the request says */
	kernel.is_short = who >= 0xf0 && who < 0xf8;
}

/* Process @i begins, ends, is replaced by another one, or is hidden. */
static void change_process(unsigned int i, uint8_t how)
{
	struct kv_process *p = &kernel.processes[i % NR_PROCESSES];

	*p = (struct kv_process){
		.start = how & 3 ? 1000000u * (how & 3) : 0,
		.pid = i % NR_PROCESSES ? NO_PID - (pid_t)(i % NR_PROCESSES) : FIRST_PID,
		.nr = 1 + (pid_t)(i % NR_PROCESSES),
		.is_hidden = how >> 2 & 1,
	};
}

#endif
