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

/* A descriptor that polls readable when the daemon has ended, or -1. */
static int watch_daemon(const char *mountpoint)
{
	_cleanup_close_ int root = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int pid = 0;

	if (root < 0 || ioctl(root, KV_IOC_PID, &pid) < 0 || pid <= 0)
		return -1;
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int kv_umount(const char *mountpoint, struct kv_err *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int daemon = -1;
	struct pollfd p = {.events = POLLIN};
	int rc = kv_mountpoint_find(mountpoint, &path, err);

	if (rc)
		return rc;
	daemon = watch_daemon(path);
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
