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
#include "fuse/mount/umount.h"

/* A supervisor that needs longer is killed. */
#define END_TIMEOUT_MS 2000
/* A killed worker whose threads do not hang in the kernel needs less. */
#define WORKER_END_MS 1000

/* By a file of the supervisor's that only root may open, or users could keep successors away. */
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
	int rc = before->pidfd = kv_mount_supervisor(mountpoint, &before->pid, err);

	if (rc >= 0)
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

/* The worker, among a supervisor's children, as a pidfd; -1: there is none, or no way to know. */
static int open_worker(pid_t supervisor)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64];
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)supervisor, (int)supervisor);
	f = fopen(path, "re"); /* needs CONFIG_PROC_CHILDREN, and the test of them CONFIG_KCMP */
	while (f && fscanf(f, "%d", &child) == 1)
		if (kv_connection_is_worker(child, supervisor))
			return (int)syscall(SYS_pidfd_open, child, 0);
	return -1;
}

static void send_signal(int pidfd, int signal)
{
	syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

/*
 * The worker first: one that outlives its supervisor aborts the connection. And two must not
 * read the same requests, so it has to be dead before ours begins.
 */
static void kill_both(int supervisor, int worker)
{
	if (worker >= 0)
		send_signal(worker, SIGKILL);
	send_signal(supervisor, SIGKILL);
	ends_within(supervisor, END_TIMEOUT_MS);
	if (worker >= 0)
		ends_within(worker, WORKER_END_MS);
	else
		poll(NULL, 0, WORKER_END_MS);
}

bool kv_predecessor_end(struct kv_predecessor *before, struct kv_connection *c)
{
	_cleanup_close_ int worker = open_worker(before->pid);
	bool resends;

	send_signal(before->pidfd, KV_SIG_HAND_OVER);
	if (!ends_within(before->pidfd, END_TIMEOUT_MS))
		kill_both(before->pidfd, worker);
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
