/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mounts of this mount namespace as the kernel tells them, without asking
 * their file systems: a dead one would not answer, and one that is our own
 * would have to be served by who asks.
 */
#ifndef KVIEW_MOUNT_MOUNTINFO_H
#define KVIEW_MOUNT_MOUNTINFO_H

#include <stdbool.h>
#include <sys/types.h>

struct kv_mount_at {
	dev_t dev;	  /* of the file system */
	char type[64];	  /* "" for nothing mounted */
	uid_t user;	  /* FUSE's: who mounted it */
	bool allow_other; /* the same */
};

/**
 * kv_mountinfo_find() - what is mounted on a path, on top
 * @path: absolute, without links
 *
 * Return: 0 or -errno.
 */
int kv_mountinfo_find(const char *path, struct kv_mount_at *found);

/**
 * kv_mountinfo_place() - where a file system is on top
 * @dev: of one that is alive: another may have the number of one that is gone
 * @type: of it
 * @skip: so many places are left out
 *
 * Return: a path, to be freed; NULL for no more, or no memory.
 */
char *kv_mountinfo_place(dev_t dev, const char *type, unsigned int skip);

#endif
