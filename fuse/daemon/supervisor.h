/* SPDX-License-Identifier: GPL-2.0-only */
/* The process that keeps a mount and replaces its worker. */
#ifndef KVIEW_DAEMON_SUPERVISOR_H
#define KVIEW_DAEMON_SUPERVISOR_H

#include "fuse/daemon/mounted.h"

/**
 * kv_supervise() - keep the mount served until it goes or a signal ends it
 *
 * For a process of one thread that has no file of the mount open and never accesses it: it
 * would wait for itself. On return @m->is_handed_over, or the mount is to be taken away.
 *
 * Return: 0, or -errno with @err set.
 */
int kv_supervise(struct kv_mounted *m, struct kv_err *err);

#endif
