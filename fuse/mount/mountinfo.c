// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/mount/mountinfo.h"

#include <errno.h>
#include <libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE "/proc/self/mountinfo"

/*
 * The mount on @path or, if that is NULL, kview's of @dev behind @skip others. Mounts that another
 * one covers do not count. *@found is to be unreferenced; NULL: there is none.
 */
static int find(const char *path, dev_t dev, unsigned int skip, struct libmnt_fs **found)
{
	struct libmnt_table *table = mnt_new_table_from_file(TABLE);
	struct libmnt_iter *at = mnt_new_iter(MNT_ITER_FORWARD);
	int rc = table && at ? 0 : -EIO;
	struct libmnt_fs *fs;

	*found = NULL;
	while (!rc && (path || !*found) && mnt_table_next_fs(table, at, &fs) == 0) {
		bool is_it = path ? strcmp(mnt_fs_get_target(fs), path) == 0
				  : mnt_fs_get_devno(fs) == dev &&
					     strcmp(mnt_fs_get_fstype(fs), KV_FSTYPE) == 0;

		if (!is_it || mnt_table_over_fs(table, fs, NULL) == 0 || (!path && skip-- > 0))
			continue;
		mnt_ref_fs(fs);
		mnt_unref_fs(*found);
		*found = fs;
	}
	mnt_free_iter(at);
	mnt_unref_table(table);
	return rc;
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

int kv_mountinfo_find(const char *path, struct kv_mount_at *found, struct kv_err *err)
{
	struct libmnt_fs *fs;
	int rc = find(path, 0, 0, &fs);

	*found = (struct kv_mount_at){0};
	if (fs)
		describe(fs, found);
	mnt_unref_fs(fs);
	return rc ? kv_err_errno(err, rc, "can't read " TABLE) : 0;
}

char *kv_mountinfo_place(dev_t dev, unsigned int skip)
{
	struct libmnt_fs *fs;
	char *place = NULL;

	if (find(NULL, dev, skip, &fs) == 0 && fs)
		place = strdup(mnt_fs_get_target(fs));
	mnt_unref_fs(fs);
	return place;
}
