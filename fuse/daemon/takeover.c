// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuse/daemon/connection.h"
#include "fuse/fs/ioctl.h"

/* A holder that needs longer is killed; its worker dies with it. */
#define END_TIMEOUT_MS 2000
/* So long one takes for that whose threads do not hang in the kernel. */
#define WORKER_END_MS 1000

static int ask_pid(int root)
{
	int pid = 0;

	return ioctl(root, KV_IOC_PID, &pid) < 0 ? 0 : pid;
}

/* The number of a process that serves the mount, as long as @pidfd has not ended. */
static int find_holder(const char *mountpoint, struct kv_predecessor *before, struct kv_err *err)
{
	_cleanup_close_ int root = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int pid;

	if (root < 0)
		return kv_err_errno(err, -errno, "can't open '%s'", mountpoint);
	pid = ask_pid(root);
	if (!pid) {
		kv_err_errno(err, -EPERM, "can't learn who serves '%s'", mountpoint);
		kv_err_hint(err, "it takes the user who mounted, in the same pid namespace, and "
				 "the mount's root directory");
		return -EPERM;
	}
	before->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* Asked again: that process served before and after, so it is what we have. */
	if (before->pidfd < 0 || ask_pid(root) != pid) {
		kv_err_errno(err, -EAGAIN, "can't take over '%s'", mountpoint);
		kv_err_hint(err, "its daemon has just changed: try again");
		return -EAGAIN;
	}
	before->pid = pid;
	return 0;
}

/* A file of the holder's that only root may open, or users could keep successors away. */
static int lock_out_others(const char *mountpoint, struct kv_predecessor *before,
			   struct kv_err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)before->pid);
	before->lock = open(path, O_RDONLY | O_CLOEXEC);
	if (before->lock < 0)
		return kv_err_errno(err, -errno, "can't open '%s'", path);
	if (flock(before->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	kv_err_errno(err, -EBUSY, "can't take over '%s'", mountpoint);
	kv_err_hint(err, "another kview is taking it over");
	return -EBUSY;
}

/* From another mount namespace the mount could not be taken away in its own. */
static int compare_namespaces(const char *mountpoint, const struct kv_predecessor *before,
			      struct kv_err *err)
{
	struct stat theirs, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)before->pid);
	if (stat(path, &theirs) == 0 && stat("/proc/self/ns/mnt", &ours) == 0 &&
	    theirs.st_ino == ours.st_ino)
		return 0;
	kv_err_errno(err, -EXDEV, "can't take over '%s'", mountpoint);
	kv_err_hint(err, "process %d serves it from another mount namespace: do it there",
		    (int)before->pid);
	return -EXDEV;
}

int kv_predecessor_find(const char *mountpoint, struct kv_predecessor *before, struct kv_err *err)
{
	int rc = find_holder(mountpoint, before, err);

	if (!rc)
		rc = compare_namespaces(mountpoint, before, err);
	if (!rc)
		rc = lock_out_others(mountpoint, before, err);
	return rc;
}

static bool ends_within(int pidfd, int ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

/* The worker among a holder's children as a pidfd; -1: there is none, or no way to know. */
static int open_worker(pid_t holder, const struct kv_connection *c)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64];
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)holder, (int)holder);
	f = fopen(path, "re"); /* needs CONFIG_PROC_CHILDREN */
	while (f && fscanf(f, "%d", &child) == 1)
		if (kv_connection_is_of(c, child))
			return (int)syscall(SYS_pidfd_open, child, 0);
	return -1;
}

bool kv_predecessor_end(struct kv_predecessor *before, struct kv_connection *c)
{
	_cleanup_close_ int worker = open_worker(before->pid, c);
	bool resends;

	syscall(SYS_pidfd_send_signal, before->pidfd, KV_SIG_HAND_OVER, NULL, 0);
	if (!ends_within(before->pidfd, END_TIMEOUT_MS)) {
		syscall(SYS_pidfd_send_signal, before->pidfd, SIGKILL, NULL, 0);
		ends_within(before->pidfd, END_TIMEOUT_MS);
		/* Two must not read the same requests; this one is killed, as its parent was. */
		if (worker >= 0)
			ends_within(worker, WORKER_END_MS);
		else
			poll(NULL, 0, WORKER_END_MS);
	}
	resends = kv_connection_inherit(c);
	kv_predecessor_close(before); /* the next takeover may begin */
	return resends;
}

void kv_predecessor_close(struct kv_predecessor *before)
{
	kv_closep(&before->pidfd);
	kv_closep(&before->lock);
	*before = KV_PREDECESSOR_INIT;
}
