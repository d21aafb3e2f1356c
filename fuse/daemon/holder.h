/* SPDX-License-Identifier: GPL-2.0-only */
/* The process that keeps a mount and restarts its worker. */
#ifndef KVIEW_DAEMON_HOLDER_H
#define KVIEW_DAEMON_HOLDER_H

#include "fuse/daemon/mounted.h"

/**
 * kv_hold() - keep the mount served until it goes or a signal ends it
 *
 * For the holder, a process of one thread that has no file of the mount open
 * and never touches it: it would wait for itself. On return the mount is gone,
 * or another daemon has it.
 *
 * Return: 0, or -errno with @err set.
 */
int kv_hold(struct kv_mounted *m, struct kv_err *err);

#endif
