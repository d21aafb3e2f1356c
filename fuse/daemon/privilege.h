/* SPDX-License-Identifier: GPL-2.0-only */
/* What it takes to mount, and what the two processes may still do once it is there. */
#ifndef KVIEW_DAEMON_PRIVILEGE_H
#define KVIEW_DAEMON_PRIVILEGE_H

#include <stdbool.h>

#include "base/err.h"

/*
 * User and group of workers, an id that nobody has: above those that users
 * (60000), services, and the user namespaces of containers (below 2^31) are
 * given. A shared one such as nobody's would let others of that id end them.
 */
#define KV_WORKER_ID 4000000000u

/**
 * kv_privilege_check() - have we what mounting takes?
 * @identifies: false where the operator vouches for all readers (view=host)
 *
 * Return: 0 or -EPERM with @err set.
 */
int kv_privilege_check(bool identifies, struct kv_err *err);

/**
 * kv_privilege_hold() - the holder's: to unmount, and to start and end workers
 *
 * Keeps CAP_SYS_ADMIN (umount), CAP_DAC_READ_SEARCH (the way to the mount
 * point), CAP_KILL (workers have another user id), and what it hands to
 * workers: CAP_SETUID, CAP_SETGID, CAP_SYS_PTRACE. No way back.
 *
 * Return: 0 or -errno.
 */
int kv_privilege_hold(void);

/**
 * kv_privilege_work() - the worker's: to identify readers
 * @identifies: as of kv_privilege_check()
 *
 * Keeps CAP_SYS_PTRACE, without which namespaces and root directories of
 * readers in /proc/TID can't be opened, and nothing else: programs are loaded,
 * links, iterators and maps need no right but their descriptors. Files are not
 * root's to it: it could read root's, and the memory of root's processes. It
 * gains nothing by executing anything, leaves no core and can't be looked into.
 *
 * It forgets PR_SET_PDEATHSIG, as every change of ids does.
 *
 * Return: 0 or -errno.
 */
int kv_privilege_work(bool identifies);

#endif
