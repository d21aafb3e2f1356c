/* SPDX-License-Identifier: GPL-2.0-only */
/* The process that serves a mount. */
#ifndef KVIEW_DAEMON_WORKER_H
#define KVIEW_DAEMON_WORKER_H

#include "fuse/daemon/mounted.h"

/**
 * kv_work() - serve, in a child of the supervisor
 *
 * Return: the worker's exit status; 0: the mount has gone, or a signal ended it.
 */
int kv_work(struct kv_mounted *m);

#endif
