/* SPDX-License-Identifier: GPL-2.0-only */
/* The life of a mount: views, pins, session, daemon, and back. */
#ifndef KVIEW_DAEMON_SERVE_H
#define KVIEW_DAEMON_SERVE_H

#include "base/err.h"
#include "fuse/mount/options.h"

/**
 * kv_mount() - load, pin, mount and serve
 *
 * Returns once the mount answers, with a daemon behind it; with
 * @opts->foreground only when the mount has gone.
 *
 * Return: 0 or -errno with @err set.
 */
int kv_mount(const struct kv_mount_opts *opts, struct kv_err *err);

#endif
