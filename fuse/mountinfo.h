/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mounts of this mount namespace as the kernel tells them, without asking
 * their file systems: a dead one would not answer, and one that is our own
 * would have to be served by who asks.
 */
#ifndef KVIEW_FUSE_MOUNTINFO_H
#define KVIEW_FUSE_MOUNTINFO_H

#include <stdbool.h>
#include <sys/types.h>

struct kv_mount_at {
	dev_t dev;	  /* of the file system; none before it was mounted has it */
	char type[64];	  /* "" for nothing mounted */
	bool allow_other; /* FUSE's */
};

/**
 * kv_mountinfo_find() - what is mounted on a path, on top
 * @path: absolute, without links
 *
 * Return: 0 or -errno.
 */
int kv_mountinfo_find(const char *path, struct kv_mount_at *at);

/**
 * kv_mountinfo_detach() - unmount a file system from wherever it is
 * @dev: of one that is alive: another may have the number of one that is gone
 * @type: of it
 *
 * Binds of it in this mount namespace and where it was moved to, lazily. What
 * somebody has mounted over it stays.
 *
 * Return: 0 or the first -errno.
 */
int kv_mountinfo_detach(dev_t dev, const char *type);

#endif
