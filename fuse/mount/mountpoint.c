// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/mount/mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "fuse/mount/mountinfo.h"

/* So many dead mounts on one directory, or times that others make it and remove it. */
#define MAX_TRIES 64

/* As realpath(), but the last component need not answer or exist. */
static char *resolve(const char *path)
{
	_cleanup_free_ char *dir = NULL, *base = NULL, *parent = NULL;
	char *whole = realpath(path, NULL);
	const char *last;

	if (whole)
		return whole;
	dir = strdup(path);
	base = strdup(path);
	if (!dir || !base)
		return NULL;
	/* An empty path is "." to both; of a directory that does not answer that says nothing. */
	last = basename(base);
	if (strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return NULL;
	parent = realpath(dirname(dir), NULL);
	if (!parent || asprintf(&whole, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, last) < 0)
		return NULL;
	return whole;
}

static int cant_use(const char *path, int rc, struct kv_err *err)
{
	kv_err_errno(err, rc, "can't use '%s' as a mount point", path);
	kv_err_hint(err, "create it beforehand: mkdir -p %s", path);
	return rc;
}

static int check_free(const char *path, struct kv_err *err)
{
	struct kv_mount_at at;
	int rc = kv_mountinfo_find(path, &at, err);

	if (rc || !*at.type)
		return rc;
	if (strcmp(at.type, KV_FSTYPE) == 0) {
		kv_err_set(err, -EBUSY, "kview is mounted on '%s' already", path);
		kv_err_hint(err, "unmount it with: kview umount %s", path);
	} else {
		kv_err_set(err, -EBUSY, "'%s' is in use: something of type %s is mounted there",
			   path, at.type);
		kv_err_hint(err, "choose another directory: kview mount DIR");
	}
	return -EBUSY;
}

static int take_dead_away(const char *path, struct kv_err *err)
{
	struct kv_mount_at at;
	int rc = kv_mountinfo_find(path, &at, err);

	if (rc)
		return rc;
	if (strcmp(at.type, KV_FSTYPE) != 0)
		return kv_err_errno(err, -ENOTCONN, "can't use '%s'", path);
	if (umount2(path, MNT_DETACH) < 0)
		return kv_err_errno(err, -errno, "can't take away the dead mount on '%s'", path);
	return 0;
}

static int make_dir(const char *path, struct kv_err *err)
{
	struct stat st;
	int rc;

	/* EEXIST: somebody else has made it just now. */
	if (mkdir(path, 0755) == 0 || (errno == EEXIST && stat(path, &st) == 0))
		return 0;
	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
		kv_err_set(err, -ENOENT, "the mount point '%s' is a link to nothing", path);
		kv_err_hint(err, "name a directory, or one that is to be created");
		return -ENOENT;
	}
	rc = kv_err_errno(err, -errno, "can't create the mount point '%s'", path);
	kv_err_hint(err, "create it beforehand: mkdir -p %s", path);
	return rc;
}

/*
 * stat(), and statfs() as well: attributes may come from the kernel's cache
 * when nobody serves the mount any more, statfs() always asks the server.
 */
static int ask(const char *path, struct stat *st)
{
	struct statfs fs;

	return stat(path, st) < 0 || statfs(path, &fs) < 0 ? -errno : 0;
}

/* A directory that is there and answers. */
static int make_usable(const char *path, struct kv_err *err)
{
	struct stat st;
	int rc, tries = 0;

	while ((rc = ask(path, &st)) != 0) {
		if (tries++ < MAX_TRIES && rc == -ENOENT)
			rc = make_dir(path, err);
		else if (tries < MAX_TRIES && (rc == -ENOTCONN || rc == -ECONNABORTED))
			rc = take_dead_away(path, err);
		else
			cant_use(path, rc, err);
		if (rc)
			return rc;
	}
	if (S_ISDIR(st.st_mode))
		return 0;
	kv_err_set(err, -ENOTDIR, "the mount point '%s' is not a directory", path);
	kv_err_hint(err, "name a directory, or one that is to be created");
	return -ENOTDIR;
}

/* The directory below the mount-to-be, under a lock that other kviews respect. */
static int lock_dir(const char *path, struct kv_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return cant_use(path, -errno, err);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return TAKE_FD(fd);
	kv_err_set(err, -EBUSY, "another kview is about to mount on '%s'", path);
	kv_err_hint(err, "wait for it, or choose another directory");
	return -EBUSY;
}

int kv_mountpoint_prepare(const char *path, char **resolved, int *lock, struct kv_err *err)
{
	_cleanup_free_ char *absolute = resolve(path);
	_cleanup_close_ int fd = -1;
	int rc;

	if (!absolute)
		return cant_use(path, -errno, err);
	rc = make_usable(absolute, err);
	if (!rc)
		rc = check_free(absolute, err);
	if (!rc)
		rc = fd = lock_dir(absolute, err);
	/* Who had the lock before may have mounted meanwhile. */
	if (rc >= 0)
		rc = check_free(absolute, err);
	if (rc)
		return rc;
	*lock = TAKE_FD(fd);
	*resolved = TAKE_PTR(absolute);
	return 0;
}

/* A kview mount, dead or alive; *@absolute is to be freed in any case. */
static int find(const char *path, char **absolute, struct kv_mount_at *at, struct kv_err *err)
{
	int rc;

	*absolute = resolve(path);
	if (*absolute)
		rc = kv_mountinfo_find(*absolute, at, err);
	else
		rc = kv_err_errno(err, -errno, "can't unmount '%s'", path);
	if (!rc && strcmp(at->type, KV_FSTYPE) != 0)
		rc = kv_err_set(err, -EINVAL, "no kview is mounted on '%s'", path);
	if (rc)
		kv_err_hint(err, "`grep " KV_FSTYPE " /proc/mounts` lists kview's mounts");
	return rc;
}

int kv_mountpoint_find_live(const char *path, bool allow_other, char **resolved, struct kv_err *err)
{
	_cleanup_free_ char *absolute = NULL;
	struct kv_mount_at at = {0};
	struct stat st;

	if (find(path, &absolute, &at, NULL))
		return -ENOENT;
	/* Not to be asked: another user's server may say what it likes. */
	if (at.user != geteuid()) {
		kv_err_errno(err, -EPERM, "can't take over '%s'", absolute);
		kv_err_hint(err, "user %u has mounted it", at.user);
		return -EPERM;
	}
	if (ask(absolute, &st))
		return -ENOENT;
	if (at.allow_other != allow_other) {
		kv_err_set(err, -EINVAL, "the mount on '%s' %s allow_other, which can't be changed",
			   absolute, allow_other ? "does not have" : "has");
		kv_err_hint(err, allow_other ? "unmount, and mount again with -o allow_other"
					     : "say it again: -o allow_other");
		return -EINVAL;
	}
	*resolved = TAKE_PTR(absolute);
	return 0;
}

int kv_mountpoint_find(const char *path, char **resolved, struct kv_err *err)
{
	_cleanup_free_ char *absolute = NULL;
	struct kv_mount_at at = {0};
	int rc = find(path, &absolute, &at, err);

	if (!rc)
		*resolved = TAKE_PTR(absolute);
	return rc;
}
