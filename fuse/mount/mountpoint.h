/* SPDX-License-Identifier: GPL-2.0-only */
/* The directory to mount on: what is there now, and may it be used? */
#ifndef KVIEW_MOUNT_MOUNTPOINT_H
#define KVIEW_MOUNT_MOUNTPOINT_H

#include <stdbool.h>

#include "base/err.h"

#define KV_FSTYPE "fuse.kview"

/**
 * kv_mountpoint_prepare() - make @path ready to be mounted on
 * @resolved: on success the absolute path, to be freed
 * @lock: on success a descriptor that keeps other kviews off until it is closed
 *
 * Creates a missing directory, takes a dead kview mount away, refuses a live
 * one and anything that somebody else has mounted there.
 *
 * Return: 0 or -errno with @err set.
 */
int kv_mountpoint_prepare(const char *path, char **resolved, int *lock, struct kv_err *err);

/**
 * kv_mountpoint_check() - still nothing mounted on @path, from above?
 *
 * Return: 0 or -errno with @err set.
 */
int kv_mountpoint_check(const char *path, struct kv_err *err);

/**
 * kv_mountpoint_find_live() - a kview mount that answers
 * @resolved: on success the absolute path, to be freed
 * @allow_other: on success whether it is mounted so
 *
 * Return: 0, -ENOENT if there is none, or another -errno with @err set.
 */
int kv_mountpoint_find_live(const char *path, char **resolved, bool *allow_other,
			    struct kv_err *err);

/**
 * kv_mountpoint_find() - the absolute path of a kview mount, dead or alive
 *
 * Return: 0 or -errno with @err set; -EINVAL: no kview is mounted there.
 */
int kv_mountpoint_find(const char *path, char **resolved, struct kv_err *err);

#endif
