/* SPDX-License-Identifier: GPL-2.0-only */
/* A path that names a mount point: the directory to mount on, or a mount that is there. */
#ifndef KVIEW_MOUNT_MOUNTPOINT_H
#define KVIEW_MOUNT_MOUNTPOINT_H

#include <stdbool.h>

#include "base/err.h"

/**
 * kv_mountpoint_prepare() - make a directory ready to be mounted on
 * @resolved: on success the absolute path, to be freed
 * @lock: on success a descriptor; no other kview mounts there until it is closed
 *
 * A missing directory is created, and a dead kview mount is taken away. Any other mount is
 * refused.
 *
 * Return: 0 or -errno with @err set.
 */
int kv_mountpoint_prepare(const char *path, char **resolved, int *lock, struct kv_err *err);

/**
 * kv_mountpoint_find_live() - find this user's kview mount that answers
 * @allow_other: whether it must have that option, or must not
 * @resolved: on success the absolute path, to be freed
 *
 * Return: 0, -ENOENT if there is none, or another -errno with @err set.
 */
int kv_mountpoint_find_live(const char *path, bool allow_other, char **resolved,
			    struct kv_err *err);

/**
 * kv_mountpoint_find() - find a kview mount, dead or alive
 * @resolved: on success the absolute path, to be freed
 *
 * Return: 0 or -errno with @err set; -EINVAL: no kview is mounted there.
 */
int kv_mountpoint_find(const char *path, char **resolved, struct kv_err *err);

#endif
