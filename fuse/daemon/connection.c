// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/connection.h"

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
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuse/daemon/flight.h"
#include "fuse/mount/mountinfo.h"
#include "fuse/mount/mountpoint.h"

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

	if (fd < 0)
		return fd;
	if (c->fd < 0) {
		c->fd = fd;
		return 0;
	}
	if (dup3(fd, c->fd, O_CLOEXEC) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* --- its end by force --- */

/* The kernel's list of connections, mounted for us alone. */
static int open_list(void)
{
	_cleanup_close_ int fs = fsopen("fusectl", FSOPEN_CLOEXEC);

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(fs, FSMOUNT_CLOEXEC, 0);
}

static int open_abort(dev_t dev)
{
	_cleanup_close_ int list = open_list();
	char path[32];

	snprintf(path, sizeof(path), "%u/abort", minor(dev));
	return list < 0 ? -1 : openat(list, path, O_WRONLY | O_CLOEXEC);
}

void kv_connection_abort(int abort)
{
	if (abort >= 0)
		(void)!write(abort, "1", 1);
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
	c->abort = rc ? -1 : open_abort(c->dev);
	if (!rc && (rc = renew(c)))
		kv_err_errno(err, rc, "can't use " DEVICE);
	if (rc)
		umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW);
	return rc;
}

/* --- another's --- */

/* From Linux 6.18 on the kernel tells whose a descriptor is: the minor number of @dev. */
static bool is_of(pid_t pid, int fd, dev_t dev)
{
	_cleanup_fclose_ FILE *f = NULL;
	unsigned int number;
	char path[64], line[128];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "fuse_connection: %u", &number) == 1)
			return number == minor(dev);
	return f != NULL;
}

/* The next descriptor of a connection that a process has, from @from on; -1: it has no more. */
static int next_device(pid_t pid, dev_t dev, int from)
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
		    fd >= from && (next < 0 || fd < next) && is_of(pid, fd, dev))
			next = fd;
	}
	return next;
}

bool kv_connection_is_of(const struct kv_connection *c, pid_t pid)
{
	return next_device(pid, c->dev, 0) >= 0;
}

/*
 * All that the process has, since requests wait with the descriptor from which they were read;
 * which of them that is need not be known.
 */
static int share_all(int pidfd, pid_t pid, struct kv_connection *c)
{
	int number = next_device(pid, c->dev, 0), n = 0;

	for (; number >= 0; number = next_device(pid, c->dev, number + 1)) {
		if (n == KV_CONNECTION_OTHERS)
			return -E2BIG;
		c->others[n] = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
		if (c->others[n++] < 0)
			return -errno;
	}
	return n ? 0 : -ENOENT;
}

int kv_connection_share(int pidfd, pid_t pid, const char *mountpoint, struct kv_connection *c,
			struct kv_err *err)
{
	struct kv_mount_at at;
	int rc = kv_mountinfo_find(mountpoint, &at);

	c->dev = at.dev;
	if (!rc)
		rc = share_all(pidfd, pid, c);
	if (!rc)
		rc = c->kept = clone_fd(c->others[0]);
	if (rc >= 0)
		rc = renew(c);
	c->abort = rc ? -1 : open_abort(c->dev);
	if (!rc)
		return 0;
	kv_err_errno(err, rc, "can't share the connection of process %d", (int)pid);
	if (rc == -EPERM)
		kv_err_hint(err, "it takes CAP_SYS_PTRACE, and kernel.yama.ptrace_scope below 3");
	else
		kv_err_hint(err, "`kview umount %s`, and mount again", mountpoint);
	return rc;
}

/* --- while it lives, and its end --- */

int kv_connection_pass_on(struct kv_connection *c, struct kv_flight *flight, bool again)
{
	int rc = again ? resend(c->kept) : -ECANCELED;

	if (rc) {
		kv_flight_fail(flight, c->fd, -ECONNABORTED);
		rc = renew(c); /* for what is not in that book, unless the dead one hangs */
	}
	kv_flight_clear(flight);
	return rc;
}

static void close_others(struct kv_connection *c)
{
	for (int i = 0; i < KV_CONNECTION_OTHERS; i++) {
		kv_closep(&c->others[i]);
		c->others[i] = -1;
	}
}

bool kv_connection_inherit(struct kv_connection *c)
{
	bool resends;

	/* The names are others now. Kernels that can't be told believe the old for a minute. */
	notify(c->kept, NOTIFY_INC_EPOCH);
	resends = resend(c->kept) == 0;
	close_others(c);
	return resends;
}

/* After that its device number may be another file system's. */
bool kv_connection_has_ended(const struct kv_connection *c)
{
	struct pollfd p = {.fd = c->kept, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

void kv_connection_unmount(const struct kv_connection *c)
{
	char *path;

	/* Places that can't be unmounted, since their way there is covered, are left. */
	for (unsigned int left = 0; c->kept >= 0 && !kv_connection_has_ended(c) &&
				    (path = kv_mountinfo_place(c->dev, KV_FSTYPE, left));
	     free(path))
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			left++;
	kv_connection_abort(c->abort);
}

void kv_connection_close(struct kv_connection *c)
{
	kv_closep(&c->fd);
	kv_closep(&c->kept);
	kv_closep(&c->abort);
	close_others(c);
	*c = KV_CONNECTION_INIT;
}
