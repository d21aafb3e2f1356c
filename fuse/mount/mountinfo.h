/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of this mount namespace's mounts. The kernel makes it without asking their file
 * systems: a dead one would not answer, and kview's own would wait for who asks.
 */
#ifndef KVIEW_MOUNT_MOUNTINFO_H
#define KVIEW_MOUNT_MOUNTINFO_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define KV_FSTYPE "fuse.kview"

struct kv_mount_at {
	dev_t dev;	  /* of the file system */
	char type[64];	  /* "" for nothing mounted */
	uid_t user;	  /* who mounted it; of FUSE alone */
	bool allow_other; /* likewise */
};

/**
 * kv_mountinfo_find() - the mount on top of a path
 * @path: absolute, without links
 *
 * Return: 0, also if there is none, or -errno with @err set.
 */
int kv_mountinfo_find(const char *path, struct kv_mount_at *found, struct kv_err *err);

/**
 * kv_mountinfo_place() - a path where a kview mount is on top
 * @dev: of its file system, which must be alive: the number of a dead one may be another's
 * @skip: so many such paths are left out
 *
 * Return: a path, to be freed; NULL for no more, or no memory.
 */
char *kv_mountinfo_place(dev_t dev, unsigned int skip);

#endif
