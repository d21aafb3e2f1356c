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

#define HINT_FIND "`grep " KV_FSTYPE " /proc/mounts` lists kview's mounts"

/* From the table, since a dead FUSE mount can't be asked itself. */
static int mounted(const char *path, struct kv_mount_at *at, struct kv_err *err)
{
	int rc = kv_mountinfo_find(path, at);

	return rc ? kv_err_errno(err, rc, "can't read /proc/self/mountinfo") : 0;
}

/* As realpath(), but the last component need not answer or exist. */
static char *resolve(const char *path)
{
	_cleanup_free_ char *whole = realpath(path, NULL);
	_cleanup_free_ char *dir = NULL, *base = NULL, *parent = NULL;
	const char *last;
	char *joined;

	if (whole)
		return TAKE_PTR(whole);
	if (!*path ||
	    (errno != ENOENT && errno != ENOTCONN && errno != ECONNABORTED && errno != EACCES))
		return NULL;
	dir = strdup(path);
	base = strdup(path);
	if (!dir || !base)
		return NULL;
	parent = realpath(dirname(dir), NULL);
	if (!parent)
		return NULL;
	last = basename(base);
	if (strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return NULL; /* of a directory that does not answer */
	if (asprintf(&joined, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, last) < 0)
		return NULL;
	return joined;
}

static int refuse(const char *path, const char *type, struct kv_err *err)
{
	if (strcmp(type, KV_FSTYPE) == 0) {
		kv_err_set(err, -EBUSY, "kview is mounted on '%s' already", path);
		kv_err_hint(err, "unmount it with: kview umount %s", path);
	} else {
		kv_err_set(err, -EBUSY, "'%s' is in use: something of type %s is mounted there",
			   path, type);
		kv_err_hint(err, "choose another directory: kview mount DIR");
	}
	return -EBUSY;
}

static int take_dead_away(const char *path, const char *type, struct kv_err *err)
{
	if (strcmp(type, KV_FSTYPE) != 0)
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

	return stat(path, st) < 0 || statfs(path, &fs) < 0 ? -1 : 0;
}

static int prepare(const char *path, struct kv_err *err)
{
	struct kv_mount_at at;
	struct stat st;
	int rc;

	for (int tries = 0;; tries++) {
		rc = mounted(path, &at, err);
		if (rc)
			return rc;
		if (ask(path, &st) == 0)
			break;
		if (tries < 64 && errno == ENOENT)
			rc = make_dir(path, err);
		else if (tries < 64 && (errno == ENOTCONN || errno == ECONNABORTED))
			rc = take_dead_away(path, at.type, err);
		else
			rc = kv_err_errno(err, -errno, "can't use '%s' as a mount point", path);
		if (rc)
			return rc;
	}
	if (!S_ISDIR(st.st_mode)) {
		kv_err_set(err, -ENOTDIR, "the mount point '%s' is not a directory", path);
		kv_err_hint(err, "name a directory, or one that is to be created");
		return -ENOTDIR;
	}
	return *at.type ? refuse(path, at.type, err) : 0;
}

/* The directory below the mount-to-be, under a lock that other kviews respect. */
static int lock_dir(const char *path, struct kv_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return kv_err_errno(err, -errno, "can't use '%s' as a mount point", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return TAKE_FD(fd);
	kv_err_set(err, -EBUSY, "another kview is about to mount on '%s'", path);
	kv_err_hint(err, "wait for it, or choose another directory");
	return -EBUSY;
}

int kv_mountpoint_check(const char *path, struct kv_err *err)
{
	struct kv_mount_at at;
	int rc = mounted(path, &at, err);

	if (rc)
		return rc;
	return *at.type ? refuse(path, at.type, err) : 0;
}

int kv_mountpoint_prepare(const char *path, char **resolved, int *lock, struct kv_err *err)
{
	_cleanup_free_ char *absolute = resolve(path);
	int rc;

	if (!absolute) {
		rc = kv_err_errno(err, -errno, "can't use '%s' as a mount point", path);
		kv_err_hint(err, "create it beforehand: mkdir -p %s", path);
		return rc;
	}
	rc = prepare(absolute, err);
	if (rc)
		return rc;
	rc = lock_dir(absolute, err);
	if (rc < 0)
		return rc;
	*lock = rc;
	*resolved = TAKE_PTR(absolute);
	return 0;
}

int kv_mountpoint_find_live(const char *path, char **resolved, bool *allow_other,
			    struct kv_err *err)
{
	_cleanup_free_ char *absolute = resolve(path);
	struct kv_mount_at at;
	struct stat st;
	int rc;

	if (!absolute)
		return -ENOENT;
	rc = mounted(absolute, &at, err);
	if (rc)
		return rc;
	if (strcmp(at.type, KV_FSTYPE) != 0)
		return -ENOENT;
	/* Not to be asked: another user's server may say what it likes. */
	if (at.user != geteuid()) {
		kv_err_errno(err, -EPERM, "can't take over '%s'", absolute);
		kv_err_hint(err, "user %u has mounted it", at.user);
		return -EPERM;
	}
	if (ask(absolute, &st) < 0)
		return -ENOENT;
	*allow_other = at.allow_other;
	*resolved = TAKE_PTR(absolute);
	return 0;
}

int kv_mountpoint_find(const char *path, char **resolved, struct kv_err *err)
{
	_cleanup_free_ char *absolute = resolve(path);
	struct kv_mount_at at;
	int rc;

	if (!absolute) {
		rc = kv_err_errno(err, -errno, "can't unmount '%s'", path);
		kv_err_hint(err, HINT_FIND);
		return rc;
	}
	rc = mounted(absolute, &at, err);
	if (rc)
		return rc;
	if (strcmp(at.type, KV_FSTYPE) != 0) {
		kv_err_set(err, -EINVAL, "no kview is mounted on '%s'", path);
		kv_err_hint(err, HINT_FIND);
		return -EINVAL;
	}
	*resolved = TAKE_PTR(absolute);
	return 0;
}
