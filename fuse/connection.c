// SPDX-License-Identifier: GPL-2.0-only
#include "connection.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mountinfo.h"
#include "mountpoint.h"

#define DEVICE "/dev/fuse"

/* enum fuse_notify_code of Linux 6.9 and 6.16; older headers lack them. */
enum notice {
	NOTIFY_RESEND = 7,
	NOTIFY_INC_EPOCH = 8,
};

/* To the kernel; -EINVAL: it is too old for that. */
static int notify(int fd, enum notice notice)
{
	struct fuse_out_header header = {.len = sizeof(header), .error = (int)notice};

	return write(fd, &header, sizeof(header)) < 0 ? -errno : 0;
}

/*
 * All requests that were read and not answered are to be read again. From the
 * last reader's death on: one who lives would see them twice.
 */
static int resend(int fd)
{
	return notify(fd, NOTIFY_RESEND);
}

/* A descriptor of the same connection with requests of its own. */
static int clone_fd(int of)
{
	_cleanup_close_ int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	uint32_t master = (uint32_t)of;

	if (fd < 0 || ioctl(fd, FUSE_DEV_IOC_CLONE, &master) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Requests that were read from it before end with the last descriptor of it. */
static int renew(struct kv_connection *c)
{
	int fd = clone_fd(c->kept);
	int rc = 0;

	if (fd < 0 || c->fd < 0) {
		c->fd = fd;
		return fd < 0 ? fd : 0;
	}
	if (dup3(fd, c->fd, O_CLOEXEC) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* --- a new one --- */

static int fail_mount(const char *mountpoint, int rc, struct kv_err *err)
{
	kv_err_errno(err, rc, "can't mount on '%s'", mountpoint);
	if (access(DEVICE, R_OK | W_OK) < 0 || rc == -ENODEV)
		kv_err_hint(err, "%s is needed: modprobe fuse, and root (CAP_SYS_ADMIN)", DEVICE);
	else
		kv_err_hint(err, "mounting needs root (CAP_SYS_ADMIN)");
	return rc;
}

int kv_connection_mount(const char *mountpoint, bool allow_other, struct kv_connection *c,
			struct kv_err *err)
{
	char options[128];
	struct kv_mount_at at;
	int rc;

	c->kept = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (c->kept < 0)
		return fail_mount(mountpoint, -errno, err);
	/* default_permissions: the kernel checks modes, and only then are others let in. */
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions%s", c->kept,
		 geteuid(), getegid(), allow_other ? ",allow_other" : "");
	if (mount("kview", mountpoint, KV_FSTYPE, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  options) < 0)
		return fail_mount(mountpoint, -errno, err);
	rc = kv_mountinfo_find(mountpoint, &at);
	if (rc)
		kv_err_errno(err, rc, "can't find the mount on '%s'", mountpoint);
	c->dev = at.dev;
	if (!rc && (rc = renew(c)))
		kv_err_errno(err, rc, "can't use " DEVICE);
	c->resends = resend(c->kept) == 0; /* nothing was read yet */
	if (rc)
		umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW);
	return rc;
}

/* --- another's --- */

/* The next descriptor of the device behind @after in a process, -1 for no more. */
static int next_device(pid_t pid, int after)
{
	char path[64], target[sizeof(DEVICE)];
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int next = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));

		if (n == sizeof(DEVICE) - 1 && memcmp(target, DEVICE, (size_t)n) == 0 &&
		    fd > after && (next < 0 || fd < next))
			next = fd;
	}
	return next;
}

static int share_next(int pidfd, pid_t pid, int *after, int *fd)
{
	*after = next_device(pid, *after);
	if (*after < 0)
		return -ENOENT;
	*fd = (int)syscall(SYS_pidfd_getfd, pidfd, *after, 0);
	return *fd < 0 ? -errno : 0;
}

/*
 * Both, since requests wait with the descriptor from which they were read. The
 * one that is kept is opened first, here as there, and so has the lower number.
 */
int kv_connection_share(int pidfd, pid_t pid, const char *mountpoint, struct kv_connection *c,
			struct kv_err *err)
{
	struct kv_mount_at at;
	int rc = kv_mountinfo_find(mountpoint, &at), number = -1;

	c->dev = at.dev;
	if (!rc)
		rc = share_next(pidfd, pid, &number, &c->kept);
	if (!rc)
		rc = share_next(pidfd, pid, &number, &c->fd);
	if (rc)
		return kv_err_errno(err, rc, "can't share the connection of process %d", (int)pid);
	return 0;
}

/* --- while it lives, and its end --- */

int kv_connection_pass_on(struct kv_connection *c, bool again)
{
	if (!again || !c->resends)
		return renew(c);
	return resend(c->kept);
}

int kv_connection_inherit(struct kv_connection *c)
{
	/* The names are others now. Kernels that can't be told believe the old for a minute. */
	notify(c->kept, NOTIFY_INC_EPOCH);
	c->resends = resend(c->kept) == 0;
	return c->resends ? 0 : renew(c);
}

/* After that its device number may be another file system's. */
static bool has_ended(const struct kv_connection *c)
{
	struct pollfd p = {.fd = c->kept, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

void kv_connection_unmount(const struct kv_connection *c)
{
	if (c->kept >= 0 && !has_ended(c))
		kv_mountinfo_detach(c->dev, KV_FSTYPE);
}

void kv_connection_close(struct kv_connection *c)
{
	kv_closep(&c->fd);
	kv_closep(&c->kept);
	*c = KV_CONNECTION_INIT;
}
