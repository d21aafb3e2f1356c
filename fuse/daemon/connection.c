// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/connection.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/kcmp.h>
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

#define DEVICE "/dev/fuse"

/* enum fuse_notify_code of Linux 6.9 and 6.16; older headers lack them. */
enum notice {
	/*
	 * All requests that were read and not answered are to be read again. To be sent when
	 * their reader is dead: a live one would see them twice.
	 */
	NOTIFY_RESEND = 7,
	/* All names are to be looked up again. */
	NOTIFY_INC_EPOCH = 8,
};

/* To the kernel; -EINVAL: it is too old for that. */
static int notify(int fd, enum notice notice)
{
	struct fuse_out_header header = {.len = sizeof(header), .error = (int)notice};

	return write(fd, &header, sizeof(header)) < 0 ? -errno : 0;
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

/* Let workers read from another descriptor: what was read from the old one ends with it. */
static int renew(struct kv_connection *c)
{
	_cleanup_close_ int fd = clone_fd(c->kept);

	if (fd < 0)
		return fd;
	if (c->fd >= 0)
		return dup3(fd, c->fd, O_CLOEXEC) < 0 ? -errno : 0;
	c->fd = TAKE_FD(fd);
	return 0;
}

/* --- its end by force --- */

/* In the kernel's list of connections, mounted for us alone. */
static int open_abort(dev_t dev)
{
	_cleanup_close_ int fs = fsopen("fusectl", FSOPEN_CLOEXEC);
	_cleanup_close_ int list = -1;
	char path[32];

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	list = fsmount(fs, FSMOUNT_CLOEXEC, 0);
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
	rc = kv_mountinfo_find(mountpoint, &at, err);
	c->dev = at.dev;
	c->abort = rc ? -1 : open_abort(c->dev);
	if (!rc && (rc = renew(c)))
		kv_err_errno(err, rc, "can't use " DEVICE);
	if (rc)
		umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW);
	return rc;
}

/* --- another's --- */

/*
 * Descriptors of the device that a supervisor has, all of one connection: kview closes what its
 * starter had open, and a process serves one mount. There are two, and a third one for a moment:
 * see renew(). The number of them; -E2BIG: that is another program.
 */
static int find_devices(pid_t pid, int fds[KV_CONNECTION_OTHERS])
{
	char path[64], target[sizeof(DEVICE)];
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));

		if (len != sizeof(DEVICE) - 1 || memcmp(target, DEVICE, (size_t)len) != 0)
			continue;
		if (n == KV_CONNECTION_OTHERS)
			return -E2BIG;
		fds[n++] = atoi(entry->d_name);
	}
	return n;
}

/* A kernel without CONFIG_KCMP does not say whether two descriptors are one open file. */
static bool have_same_file(pid_t pid, pid_t other, int fd)
{
	int fds[KV_CONNECTION_OTHERS];
	int n;

	if (syscall(SYS_kcmp, pid, other, KCMP_FILE, fd, fd) == 0)
		return true;
	n = errno == ENOSYS ? find_devices(other, fds) : 0;
	for (int i = 0; i < n; i++)
		if (fds[i] == fd)
			return true;
	return false;
}

bool kv_connection_is_worker(pid_t pid, pid_t supervisor)
{
	int fds[KV_CONNECTION_OTHERS];
	int n = find_devices(supervisor, fds);

	for (int i = 0; i < n; i++)
		if (have_same_file(supervisor, pid, fds[i]))
			return true;
	return false;
}

/*
 * All that the process has, since requests wait with the descriptor from which they were read;
 * which of them that is need not be known.
 */
static int share_all(int pidfd, pid_t pid, struct kv_connection *c)
{
	int fds[KV_CONNECTION_OTHERS];
	int n = find_devices(pid, fds);

	for (int i = 0; i < n; i++) {
		c->others[i] = (int)syscall(SYS_pidfd_getfd, pidfd, fds[i], 0);
		if (c->others[i] < 0)
			return -errno;
	}
	return n > 0 ? 0 : n ? n : -ENOENT;
}

int kv_connection_share(int pidfd, pid_t pid, const char *mountpoint, struct kv_connection *c,
			struct kv_err *err)
{
	struct kv_mount_at at;
	int rc = kv_mountinfo_find(mountpoint, &at, err);

	if (rc)
		return rc;
	c->dev = at.dev;
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
	int rc = again ? notify(c->kept, NOTIFY_RESEND) : -ECANCELED;

	if (rc) {
		kv_flight_fail(flight, c->fd, -ECONNABORTED);
		rc = renew(c); /* for requests that are not noted, unless the dead worker hangs */
	}
	memset(flight, 0, sizeof(*flight));
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

	/* Names may mean other files now. Older kernels keep what they know of them for a minute. */
	notify(c->kept, NOTIFY_INC_EPOCH);
	resends = notify(c->kept, NOTIFY_RESEND) == 0;
	close_others(c);
	return resends;
}

/* It was unmounted or aborted, and its device number may be another file system's now. */
static bool has_ended(const struct kv_connection *c)
{
	struct pollfd p = {.fd = c->kept, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

void kv_connection_unmount(const struct kv_connection *c)
{
	char *path;

	/* Places that can't be unmounted, since their way there is covered, are left. */
	for (unsigned int left = 0;
	     c->kept >= 0 && !has_ended(c) && (path = kv_mountinfo_place(c->dev, left)); free(path))
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
