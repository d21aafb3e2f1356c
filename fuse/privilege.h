/* SPDX-License-Identifier: GPL-2.0-only */
/* What the two processes of a mount may still do once it is there. */
#ifndef KVIEW_FUSE_PRIVILEGE_H
#define KVIEW_FUSE_PRIVILEGE_H

#include <stdbool.h>

/**
 * kv_privilege_hold() - the holder's: to unmount, and to start workers
 *
 * Keeps CAP_SYS_ADMIN (umount), CAP_DAC_READ_SEARCH (the way to the mount
 * point) and CAP_SYS_PTRACE, which it hands to workers. No way back.
 *
 * Return: 0 or -errno.
 */
int kv_privilege_hold(void);

/**
 * kv_privilege_work() - the worker's: to identify readers
 * @identifies: false where the operator vouches for all readers (view=host)
 *
 * Keeps CAP_SYS_PTRACE, without which namespaces and root directories of
 * readers in /proc/TID can't be opened, and nothing else: programs are loaded,
 * links, iterators and maps need no right but their descriptors. It gains none
 * by executing anything, leaves no core and can't be looked into.
 *
 * Return: 0 or -errno.
 */
int kv_privilege_work(bool identifies);

#endif
