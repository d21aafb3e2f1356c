// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/mount/umount.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "fuse/fs/ioctl.h"
#include "fuse/mount/mountpoint.h"

/* How long `kview umount` waits for the daemon to end. */
#define END_TIMEOUT_MS 5000

static int ask_pid(int root)
{
	int pid = 0;

	return ioctl(root, KV_IOC_PID, &pid) < 0 ? 0 : pid;
}

int kv_mount_supervisor(const char *mountpoint, pid_t *pid, struct kv_err *err)
{
	_cleanup_close_ int root = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int pidfd = -1;

	if (root < 0)
		return kv_err_errno(err, -errno, "can't open '%s'", mountpoint);
	*pid = ask_pid(root);
	if (!*pid) {
		kv_err_errno(err, -EPERM, "can't learn who serves '%s'", mountpoint);
		kv_err_hint(err, "it takes the user who mounted, in the same pid namespace, and "
				 "the mount's root directory");
		return -EPERM;
	}
	pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
	/* It is asked again: a process that served before and after is the one we have. */
	if (pidfd < 0 || ask_pid(root) != *pid) {
		kv_err_errno(err, -EAGAIN, "can't take over '%s'", mountpoint);
		kv_err_hint(err, "its daemon has just changed: try again");
		return -EAGAIN;
	}
	return TAKE_FD(pidfd);
}

int kv_umount(const char *mountpoint, struct kv_err *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int daemon = -1;
	struct pollfd p = {.events = POLLIN};
	pid_t pid;
	int rc = kv_mountpoint_find(mountpoint, &path, err);

	if (rc)
		return rc;
	daemon = kv_mount_supervisor(path, &pid, NULL);
	if (umount2(path, UMOUNT_NOFOLLOW) < 0) {
		rc = kv_err_errno(err, -errno, "can't unmount '%s'", path);
		if (rc == -EBUSY)
			kv_err_hint(err,
				    "somebody has a file or directory open there; "
				    "`fuser -m %s` tells who, `umount -l` does not wait",
				    path);
		else if (rc == -EPERM)
			kv_err_hint(err, "unmounting needs root (CAP_SYS_ADMIN)");
		return rc;
	}
	p.fd = daemon;
	if (daemon < 0 || poll(&p, 1, END_TIMEOUT_MS) != 0)
		return 0;
	kv_err_set(err, -ETIMEDOUT, "'%s' is unmounted, but its daemon has not ended", path);
	kv_err_hint(err, "a container, or another mount namespace, may still have the mount; "
			 "the daemon ends with that");
	return -ETIMEDOUT;
}

int kv_status_path(const char *mountpoint, char **path, struct kv_err *err)
{
	_cleanup_free_ char *mount = NULL;
	int rc = kv_mountpoint_find(mountpoint, &mount, err);

	if (rc)
		return rc;
	if (asprintf(path, "%s/status", mount) < 0)
		return kv_err_errno(err, -ENOMEM, "can't read the status of '%s'", mount);
	return 0;
}
