/* SPDX-License-Identifier: GPL-2.0-only */
/* The privileges that mounting needs, and those that the two processes keep after it. */
#ifndef KVIEW_DAEMON_PRIVILEGE_H
#define KVIEW_DAEMON_PRIVILEGE_H

#include <stdbool.h>

#include "base/err.h"

/*
 * User and group of workers: an id that nobody has. It is above the ids of users (60000), of
 * services, and of the user namespaces of containers (below 2^31). With a shared id, such as that
 * of nobody, other processes of that id could kill workers.
 */
#define KV_WORKER_ID 4000000000u

/**
 * kv_privilege_check() - does this process have what mounting needs?
 * @identifies: readers are identified: not with view=host
 *
 * Return: 0 or -EPERM with @err set.
 */
int kv_privilege_check(bool identifies, struct kv_err *err);

/**
 * kv_privilege_supervise() - drop what the supervisor does not need
 *
 * It keeps CAP_SYS_ADMIN (to unmount, and for the broker), CAP_DAC_READ_SEARCH (to reach the
 * mount point), CAP_KILL (workers have another user id), CAP_SYSLOG (addresses of symbols), and what workers need to begin:
 * CAP_SETUID, CAP_SETGID, CAP_SYS_PTRACE. There is no way back.
 *
 * Return: 0 or -errno.
 */
int kv_privilege_supervise(void);

/**
 * kv_privilege_work() - drop what the worker does not need
 * @identifies: as of kv_privilege_check()
 *
 * It keeps CAP_SYS_PTRACE, to open the namespaces and root directories of readers in /proc/TID,
 * and nothing else: the programs are loaded by now, and links, iterators and maps need no right
 * but their descriptors. With another user id it can't read root's files, nor the memory of
 * root's processes. It gains no privilege by execve(2), leaves no core, and users can't look
 * into it.
 *
 * Return: 0 or -errno.
 */
int kv_privilege_work(bool identifies);

#endif
