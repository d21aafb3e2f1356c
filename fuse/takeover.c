// SPDX-License-Identifier: GPL-2.0-only
#include "takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "connection.h"
#include "ops.h"

/* A holder that needs longer is killed; its worker dies with it. */
#define END_TIMEOUT_MS 2000
/* A worker whose holder was killed is being killed. */
#define WORKER_END_MS 1000

static int lock_root(const char *mountpoint, struct kv_predecessor *before, struct kv_err *err)
{
	/* Directories have no flock operation: the kernel's own locks, the server is not asked. */
	before->root = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (before->root < 0)
		return kv_err_errno(err, -errno, "can't open '%s'", mountpoint);
	if (flock(before->root, LOCK_EX | LOCK_NB) == 0)
		return 0;
	kv_err_errno(err, -EBUSY, "can't take over '%s'", mountpoint);
	kv_err_hint(err, "another kview is taking it over");
	return -EBUSY;
}

int kv_predecessor_find(const char *mountpoint, struct kv_predecessor *before, struct kv_err *err)
{
	int rc = lock_root(mountpoint, before, err), pid = 0, still = 0;

	if (rc)
		return rc;
	if (ioctl(before->root, KV_IOC_PID, &pid) < 0 || pid <= 0) {
		kv_err_errno(err, -EPERM, "can't learn who serves '%s'", mountpoint);
		kv_err_hint(err, "only who mounted it can take it over, in the same pid namespace");
		return -EPERM;
	}
	before->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* Asked again: that process served before and after, so it is what we have. */
	if (before->pidfd < 0 || ioctl(before->root, KV_IOC_PID, &still) < 0 || still != pid)
		return kv_err_errno(err, -EAGAIN, "can't take over '%s'", mountpoint);
	before->pid = pid;
	return 0;
}

static bool ends_within(int pidfd, int ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

/* The process's only child as a pidfd, or -1. */
static int open_child(pid_t pid)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64];
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%d", &child) != 1)
		return -1;
	return (int)syscall(SYS_pidfd_open, child, 0);
}

/* True: it has ended, and so has its worker: two must not read the same requests. */
static bool end(const struct kv_predecessor *before)
{
	_cleanup_close_ int worker = open_child(before->pid);

	if (syscall(SYS_pidfd_send_signal, before->pidfd, KV_SIG_HAND_OVER, NULL, 0) < 0 &&
	    errno != ESRCH)
		return false;
	if (!ends_within(before->pidfd, END_TIMEOUT_MS))
		syscall(SYS_pidfd_send_signal, before->pidfd, SIGKILL, NULL, 0);
	return ends_within(before->pidfd, END_TIMEOUT_MS) &&
	       (worker < 0 || ends_within(worker, WORKER_END_MS));
}

int kv_predecessor_replace(struct kv_predecessor *before, const char *mountpoint,
			   struct kv_connection *c, struct kv_err *err)
{
	int rc = kv_connection_share(before->pidfd, before->pid, mountpoint, c, err);

	if (rc)
		return rc;
	if (!end(before))
		return kv_err_set(err, -ETIMEDOUT, "process %d does not hand '%s' over",
				  (int)before->pid, mountpoint);
	rc = kv_connection_inherit(c);
	if (rc)
		kv_err_errno(err, rc, "can't go on with '%s'", mountpoint);
	kv_predecessor_close(before);
	return rc;
}

void kv_predecessor_close(struct kv_predecessor *before)
{
	kv_closep(&before->pidfd);
	kv_closep(&before->root);
	*before = KV_PREDECESSOR_INIT;
}
