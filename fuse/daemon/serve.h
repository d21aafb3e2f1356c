/* SPDX-License-Identifier: GPL-2.0-only */
/* A mount from its beginning to its end: views, pins, connection, daemon. */
#ifndef KVIEW_DAEMON_SERVE_H
#define KVIEW_DAEMON_SERVE_H

#include "base/err.h"
#include "fuse/mount/options.h"

/**
 * kv_mount() - load and pin the views, mount, and serve
 *
 * It returns once the mount answers, and a daemon serves it. With @opts->foreground the calling
 * process serves, and it returns when the mount has gone.
 *
 * Return: 0 or -errno with @err set.
 */
int kv_mount(const struct kv_mount_opts *opts, struct kv_err *err);

#endif
