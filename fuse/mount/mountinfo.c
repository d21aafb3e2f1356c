// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/mount/mountinfo.h"

#include <errno.h>
#include <libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE "/proc/self/mountinfo"

/* The next mount on a path, or on any if that is NULL. */
static struct libmnt_fs *next_on(struct libmnt_table *table, struct libmnt_iter *at,
				 const char *path)
{
	struct libmnt_fs *fs;

	while (mnt_table_next_fs(table, at, &fs) == 0)
		if (!path || strcmp(mnt_fs_get_target(fs), path) == 0)
			return fs;
	return NULL;
}

/* Mounts on one path are mounted on each other. Their order tells nothing: mounts can be moved. */
static bool is_covered(struct libmnt_table *table, struct libmnt_fs *fs)
{
	struct libmnt_iter *at = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *other = NULL;

	while (at && (other = next_on(table, at, mnt_fs_get_target(fs))))
		if (mnt_fs_get_parent_id(other) == mnt_fs_get_id(fs))
			break;
	mnt_free_iter(at);
	return other;
}

static uid_t user_of(const char *options)
{
	char *value;
	size_t n;

	if (!options || mnt_optstr_get_option(options, "user_id", &value, &n) != 0 || !value)
		return 0;
	return (uid_t)strtoul(value, NULL, 10);
}

static void describe(struct libmnt_fs *fs, struct kv_mount_at *at)
{
	const char *options = mnt_fs_get_fs_options(fs);

	at->dev = mnt_fs_get_devno(fs);
	at->user = user_of(options);
	at->allow_other = options && mnt_optstr_get_option(options, "allow_other", NULL, NULL) == 0;
	snprintf(at->type, sizeof(at->type), "%s", mnt_fs_get_fstype(fs));
}

int kv_mountinfo_find(const char *path, struct kv_mount_at *found)
{
	struct libmnt_table *table = mnt_new_table_from_file(TABLE);
	struct libmnt_iter *at = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	int rc = table && at ? 0 : -EIO;

	*found = (struct kv_mount_at){0};
	while (!rc && (fs = next_on(table, at, path)))
		if (!is_covered(table, fs))
			describe(fs, found);
	mnt_free_iter(at);
	mnt_unref_table(table);
	return rc;
}

char *kv_mountinfo_place(dev_t dev, const char *type, unsigned int skip)
{
	struct libmnt_table *table = mnt_new_table_from_file(TABLE);
	struct libmnt_iter *at = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	char *place = NULL;

	while (table && at && !place && (fs = next_on(table, at, NULL)))
		if (mnt_fs_get_devno(fs) == dev && strcmp(mnt_fs_get_fstype(fs), type) == 0 &&
		    !is_covered(table, fs) && skip-- == 0)
			place = strdup(mnt_fs_get_target(fs));
	mnt_free_iter(at);
	mnt_unref_table(table);
	return place;
}
