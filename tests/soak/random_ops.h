/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an unprivileged reader can do to a mount, one random system call or a
 * few at a time: who the reader is, opens and reads. Each operation returns -1
 * with errno, or anything else.
 */
#ifndef KVIEW_SOAK_RANDOM_OPS_H
#define KVIEW_SOAK_RANDOM_OPS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FDS 24
#define BUF_SIZE (1u << 20)
#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof(*(array))))

/* One reader, in a process of its own. */
struct reader {
	uint64_t dice;
	const char *mnt;
	int root;	  /* O_PATH of the mount */
	int fds[MAX_FDS]; /* -1: none */
	bool below_pid[MAX_FDS];
	bool on_pid; /* the operation under way is on a file below pid/ */
	char path[512];
	char *buf;
	int others[64]; /* numbers that pid/ listed */
	uint32_t n_others;
	uint64_t bytes;
};

/* xorshift64: below @n */
static uint32_t pick(struct reader *r, uint32_t n)
{
	r->dice ^= r->dice << 13;
	r->dice ^= r->dice >> 7;
	r->dice ^= r->dice << 17;
	return (uint32_t)(r->dice >> 32) % n;
}

/* --- names and descriptors --- */

static const char *any_name(struct reader *r)
{
	static const char *const names[] = {
		"task",
		"task_file",
		"task_vma",
		"kmem_cache",
		"json/task.json",
		"json/task_vma.json",
		"csv/task_file.csv",
		"csv/task.csv",
		"schema/task",
		"schema/kmem_cache",
		"status",
		"json",
		"csv",
		"pid",
		"pid/self",
		"schema",
	};

	return names[pick(r, COUNT(names))];
}

/* Its own process most of the time: others may well be gone. */
static const char *any_path(struct reader *r)
{
	static const char *const below[] = {"task",
					    "task_file",
					    "task_vma",
					    "json/task.json",
					    "csv/task_vma.csv",
					    "json",
					    "csv/task_file.csv",
					    "json/task_file.json"};
	int pid = (int)getpid();

	r->on_pid = pick(r, 2);
	if (!r->on_pid) {
		snprintf(r->path, sizeof(r->path), "%s/%s", r->mnt, any_name(r));
		return r->path;
	}
	if (r->n_others && pick(r, 3) == 0)
		pid = r->others[pick(r, r->n_others)];
	snprintf(r->path, sizeof(r->path), "%s/pid/%d/%s", r->mnt, pid,
		 below[pick(r, COUNT(below))]);
	return r->path;
}

static int any_fd(struct reader *r)
{
	uint32_t i = pick(r, MAX_FDS);

	r->on_pid = r->below_pid[i];
	return r->fds[i];
}

/* In the place of another, which is closed. */
static long keep(struct reader *r, int fd)
{
	uint32_t i = pick(r, MAX_FDS);

	if (fd < 0)
		return -1;
	if (r->fds[i] >= 0)
		close(r->fds[i]);
	r->fds[i] = fd;
	r->below_pid[i] = r->on_pid;
	return 0;
}

static off_t any_offset(struct reader *r)
{
	switch (pick(r, 8)) {
	case 0:
		return -(off_t)pick(r, 100000);
	case 1:
		return INT64_MAX - (off_t)pick(r, 100000);
	case 2:
		return (off_t)pick(r, 1 << 22);
	case 3:
		return 1;
	default:
		return 0;
	}
}

static size_t any_size(struct reader *r)
{
	static const uint32_t sizes[] = {0,    1,    2,	    100,    512,     4095,
					 4096, 4097, 20000, 131072, BUF_SIZE};
	uint32_t limit = pick(r, 10) ? 7 : COUNT(sizes);

	return sizes[pick(r, limit)];
}

/* --- opens --- */

static long act_open(struct reader *r)
{
	return keep(r, open(any_path(r), O_RDONLY | O_CLOEXEC));
}

static long act_open_oddly(struct reader *r)
{
	static const int odd[] = {O_NONBLOCK, O_DIRECT,	   O_NOATIME, O_PATH,  O_DIRECTORY,
				  O_NOFOLLOW, O_WRONLY,	   O_RDWR,    O_TRUNC, O_CREAT,
				  O_EXCL,     O_APPEND,	   O_SYNC,    O_ASYNC, O_TMPFILE,
				  O_NOCTTY,   O_LARGEFILE, O_DSYNC};
	int flags = odd[pick(r, COUNT(odd))];

	if (pick(r, 2))
		flags |= odd[pick(r, COUNT(odd))];
	return keep(r, open(any_path(r), flags | O_CLOEXEC, 0600));
}

static long act_open_odd_name(struct reader *r)
{
	static const char *const odd[] = {
		"",
		".",
		"..",
		"task/",
		"task/x",
		"\n",
		"pid/-1",
		"pid/0",
		"pid/4294967297",
		"pid/00001",
		"pid/1 ",
		"pid/self/..",
		"pid/self/self",
		"json/task",
		"csv/task.json",
		"\xff\xfe",
		"json/../json/./task.json",
		"pid/self/json/",
		"pid/99999999999999999999",
		"pid/+1",
		"pid/0x1",
		"schema/",
		"status/status",
		"pid/self/csv/task.csv",
	};
	char name[300];

	r->on_pid = true;
	if (pick(r, 8) == 0) {
		memset(name, 'a' + (int)pick(r, 26), sizeof(name));
		name[250 + pick(r, 20)] = '\0';
		return keep(r, openat(r->root, name, O_RDONLY | O_CLOEXEC));
	}
	return keep(r, openat(r->root, odd[pick(r, COUNT(odd))], O_RDONLY | O_CLOEXEC));
}

static long act_close(struct reader *r)
{
	uint32_t i = pick(r, MAX_FDS);
	int fd = r->fds[i];

	r->fds[i] = -1;
	return close(fd);
}

static long act_dup(struct reader *r)
{
	return keep(r, fcntl(any_fd(r), F_DUPFD_CLOEXEC, 0));
}

/* --- reads --- */

static long count(struct reader *r, ssize_t n)
{
	if (n > 0)
		r->bytes += (uint64_t)n;
	return n;
}

static long act_read(struct reader *r)
{
	return count(r, read(any_fd(r), r->buf, any_size(r)));
}

static long act_pread(struct reader *r)
{
	int fd = any_fd(r);
	off_t off = any_offset(r);

	return count(r, pread(fd, r->buf, any_size(r), off));
}

static long act_readv(struct reader *r)
{
	struct iovec iov[3] = {{r->buf, any_size(r)}, {r->buf, 7}, {r->buf, any_size(r)}};
	int fd = any_fd(r);

	if (pick(r, 2))
		return count(r, readv(fd, iov, 3));
	return count(r, preadv2(fd, iov, 3, pick(r, 2) ? -1 : 0, pick(r, 2) ? RWF_NOWAIT : 0));
}

static long act_seek(struct reader *r)
{
	static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 77};
	int fd = any_fd(r);
	off_t off = any_offset(r);

	return lseek(fd, off, whences[pick(r, COUNT(whences))]) < 0 ? -1 : 0;
}

/* Bad addresses, too. */
static long act_read_nowhere(struct reader *r)
{
	long n = syscall(SYS_read, any_fd(r), 8L, 4096L);

	return n < 0 && errno == EFAULT ? 0 : n;
}

static long act_splice(struct reader *r)
{
	int fd = any_fd(r), p[2];
	long n;

	if (pipe(p) < 0)
		return -1;
	n = pick(r, 2) ? splice(fd, NULL, p[1], NULL, 16384, SPLICE_F_NONBLOCK)
		       : sendfile(p[1], fd, NULL, 16384);
	close(p[0]);
	close(p[1]);
	return n;
}

/* A reader of several that is killed amid its reads. */
static long act_kill_reader(struct reader *r)
{
	pid_t child = fork();

	if (child < 0)
		return -1;
	if (!child) {
		int fd = open(any_path(r), O_RDONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (fd >= 0 && pread(fd, r->buf, 65536, 0) >= 0)
			;
		_exit(0);
	}
	poll(NULL, 0, (int)pick(r, 4));
	kill(child, SIGKILL);
	return waitpid(child, NULL, 0);
}

#endif
