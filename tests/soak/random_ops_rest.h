/* SPDX-License-Identifier: GPL-2.0-only */
/* The operations that neither open nor read, and the table of all. */
#ifndef KVIEW_SOAK_RANDOM_OPS_REST_H
#define KVIEW_SOAK_RANDOM_OPS_REST_H

#include "random_ops.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

/* --- directories and names --- */

static void note_process(struct reader *r, const char *name)
{
	int nr = atoi(name);

	if (nr <= 0)
		return;
	if (r->n_others < COUNT(r->others))
		r->others[r->n_others++] = nr;
	else
		r->others[pick(r, COUNT(r->others))] = nr;
}

static long act_list(struct reader *r)
{
	DIR *dir;
	struct dirent *e;

	snprintf(r->path, sizeof(r->path), "%s/%s", r->mnt, pick(r, 2) ? "pid" : "json");
	dir = opendir(r->path);
	if (!dir)
		return -1;
	errno = 0;
	while (errno = 0, (e = readdir(dir)) && pick(r, 500)) {
		note_process(r, e->d_name);
		if (pick(r, 400) == 0)
			rewinddir(dir);
	}
	if (errno && !e) {
		closedir(dir);
		return -1;
	}
	return closedir(dir);
}

static long act_getdents(struct reader *r)
{
	return syscall(SYS_getdents64, any_fd(r), r->buf, 4096);
}

static long act_stat(struct reader *r)
{
	struct statx stx;
	struct stat st;

	switch (pick(r, 4)) {
	case 0:
		return fstat(any_fd(r), &st);
	case 1:
		return lstat(any_path(r), &st);
	case 2:
		return statx(AT_FDCWD, any_path(r), AT_STATX_FORCE_SYNC, STATX_ALL, &stx);
	default:
		return stat(any_path(r), &st);
	}
}

static long act_access(struct reader *r)
{
	return access(any_path(r), (int)pick(r, 8));
}

static long act_readlink(struct reader *r)
{
	snprintf(r->path, sizeof(r->path), "%s/pid/self", r->mnt);
	return pick(r, 4) ? readlink(r->path, r->buf, 1 + pick(r, 100))
			  : readlink(any_path(r), r->buf, 100);
}

static long act_write_somehow(struct reader *r)
{
	const char *path = any_path(r);

	switch (pick(r, 8)) {
	case 0:
		return write(any_fd(r), "x", 1);
	case 1:
		return ftruncate(any_fd(r), 0);
	case 2:
		return unlink(path);
	case 3:
		return mkdir(path, 0777);
	case 4:
		return chmod(path, 0777);
	case 5:
		return rename(path, "/tmp/x");
	case 6:
		return symlink("x", path);
	default:
		return utimensat(AT_FDCWD, path, NULL, 0);
	}
}

/* --- all the rest --- */

static long act_ioctl(struct reader *r)
{
	int fd = any_fd(r);
	unsigned int cmd = pick(r, 2) ? (unsigned int)r->dice : 0x5401 + pick(r, 64);

	/* FIOCLEX and FIONCLEX, FIONBIO, FIOASYNC are answered by the kernel. */
	return ioctl(fd, cmd, r->buf);
}

static long act_mmap(struct reader *r)
{
	int flags = pick(r, 2) ? MAP_PRIVATE : MAP_SHARED;
	void *at = mmap(NULL, 8192, PROT_READ, flags, any_fd(r), 0);

	return at == MAP_FAILED ? -1 : munmap(at, 8192);
}

static long act_poll(struct reader *r)
{
	struct pollfd p[2] = {{.fd = any_fd(r), .events = POLLIN | POLLOUT | POLLPRI}};

	p[1] = (struct pollfd){.fd = any_fd(r), .events = POLLIN};
	return poll(p, 2, 0);
}

static long act_fcntl(struct reader *r)
{
	static const int cmds[] = {F_GETFD,    F_GETFL,	    F_GETOWN,	 F_GETSIG,
				   F_GETLEASE, F_GET_SEALS, F_GETPIPE_SZ};
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = pick(r, 100)};
	int fd = any_fd(r);

	switch (pick(r, 4)) {
	case 0:
		return fcntl(fd, F_SETFL, pick(r, 2) ? O_NONBLOCK : O_DIRECT);
	case 1:
		return fcntl(fd, pick(r, 2) ? F_SETLK : F_GETLK, &lock);
	case 2:
		return fcntl(fd, F_SETLEASE, F_RDLCK) == 0 ? fcntl(fd, F_SETLEASE, F_UNLCK) : -1;
	default:
		return fcntl(fd, cmds[pick(r, COUNT(cmds))]);
	}
}

static long act_flock(struct reader *r)
{
	int fd = any_fd(r);

	return flock(fd, LOCK_NB | (pick(r, 2) ? LOCK_EX : pick(r, 2) ? LOCK_SH : LOCK_UN));
}

static long act_statfs(struct reader *r)
{
	struct statfs st;

	return pick(r, 2) ? statfs(any_path(r), &st) : fstatfs(any_fd(r), &st);
}

static long act_xattr(struct reader *r)
{
	switch (pick(r, 3)) {
	case 0:
		return getxattr(any_path(r), "user.x", r->buf, 100);
	case 1:
		return fgetxattr(any_fd(r), "security.capability", r->buf, 100);
	default:
		return listxattr(any_path(r), r->buf, 100);
	}
}

static long act_inotify(struct reader *r)
{
	int fd = inotify_init1(IN_NONBLOCK), rc;

	if (fd < 0)
		return -1;
	rc = inotify_add_watch(fd, any_path(r), IN_ALL_EVENTS);
	close(fd);
	return rc;
}

static long act_advise(struct reader *r)
{
	int fd = any_fd(r);

	switch (pick(r, 3)) {
	case 0:
		errno = posix_fadvise(fd, 0, 0, (int)pick(r, 6));
		return errno ? -1 : 0;
	case 1:
		return readahead(fd, 0, 4096);
	default:
		return fsync(fd);
	}
}

struct operation {
	const char *name;
	long (*act)(struct reader *r);
	uint32_t weight;
};

static const struct operation operations[] = {
	{"open", act_open, 24},
	{"open oddly", act_open_oddly, 8},
	{"open odd name", act_open_odd_name, 8},
	{"close", act_close, 4},
	{"dup", act_dup, 4},
	{"read", act_read, 28},
	{"pread", act_pread, 8},
	{"readv", act_readv, 4},
	{"seek", act_seek, 8},
	{"read nowhere", act_read_nowhere, 1},
	{"splice", act_splice, 2},
	{"kill reader", act_kill_reader, 1},
	{"list", act_list, 1},
	{"getdents", act_getdents, 4},
	{"stat", act_stat, 12},
	{"access", act_access, 4},
	{"readlink", act_readlink, 4},
	{"write", act_write_somehow, 4},
	{"ioctl", act_ioctl, 4},
	{"mmap", act_mmap, 4},
	{"poll", act_poll, 4},
	{"fcntl", act_fcntl, 4},
	{"flock", act_flock, 4},
	{"statfs", act_statfs, 4},
	{"xattr", act_xattr, 4},
	{"inotify", act_inotify, 2},
	{"advise", act_advise, 4},
};

#endif
