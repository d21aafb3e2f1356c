/* SPDX-License-Identifier: GPL-2.0-only */
/* What is done to a mount from outside, by its directory. */
#ifndef KVIEW_MOUNT_UMOUNT_H
#define KVIEW_MOUNT_UMOUNT_H

#include "base/err.h"

/**
 * kv_status_path() - the file that tells of a mount
 * @path: on success to be freed
 *
 * Return: 0 or -errno with @err set; -EINVAL: no kview is mounted there.
 */
int kv_status_path(const char *mountpoint, char **path, struct kv_err *err);

/**
 * kv_umount() - unmount, and wait until the daemon has ended
 *
 * Return: 0 or -errno with @err set; -EINVAL: no kview is mounted there.
 */
int kv_umount(const char *mountpoint, struct kv_err *err);

#endif
