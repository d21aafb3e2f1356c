/* SPDX-License-Identifier: GPL-2.0-only */
/* What other processes do to a mount, by its directory. */
#ifndef KVIEW_MOUNT_UMOUNT_H
#define KVIEW_MOUNT_UMOUNT_H

#include <sys/types.h>

#include "base/err.h"

/**
 * kv_mount_supervisor() - the process that keeps a mount, and ends with it
 * @mountpoint: absolute, without links
 * @pid: on success its number
 *
 * Return: a pidfd, or -errno with @err set.
 */
int kv_mount_supervisor(const char *mountpoint, pid_t *pid, struct kv_err *err);

/**
 * kv_status_path() - the name of a mount's file `status`
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
