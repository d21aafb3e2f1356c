// SPDX-License-Identifier: GPL-2.0-only
#include "load/pin.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "load/kernel.h"
#include "schema/table.h"

#define BPFFS "/sys/fs/bpf"
#define MAX_MAPS 16
/*
 * A pin until it is renamed is NAME~PID: bpffs allows no dot in a name, and a
 * view's has no '~'.
 */
#define NEW '~'

/* --- the directory --- */

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || !path[n]);
}

static int mount_bpffs(struct kv_err *err)
{
	int rc;

	if (is_bpffs(BPFFS))
		return 0;
	if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") == 0)
		return 0;
	rc = kv_err_errno(err, -errno, "can't mount a BPF file system on " BPFFS);
	kv_err_hint(err, "mounting needs CAP_SYS_ADMIN (or root) and a writable " BPFFS);
	return rc;
}

static int refuse_dir(const char *dir, struct kv_err *err)
{
	kv_err_set(err, -EINVAL, "the pin directory '%s' is not in a BPF file system", dir);
	kv_err_hint(err, "choose one below " BPFFS ", or mount one: mount -t bpf bpf DIR");
	return -EINVAL;
}

static int make_dir(const char *dir, struct kv_err *err)
{
	int rc;

	if (is_below(dir, BPFFS)) {
		rc = mount_bpffs(err);
		if (rc)
			return rc;
	}
	if (mkdir(dir, 0700) == 0) {
		if (is_bpffs(dir))
			return 0;
		rmdir(dir);
		return refuse_dir(dir, err);
	}
	if (errno == EEXIST)
		return 0;
	rc = -errno;
	kv_err_errno(err, rc, "can't create the pin directory '%s'", dir);
	if (rc == -EACCES || rc == -EPERM)
		kv_err_hint(err, "pinning needs root");
	else
		kv_err_hint(err, "the directory above it must be in a BPF file system");
	return rc;
}

/* Does @dir still name the directory that @fd has open? */
static bool is_current(int fd, const char *dir)
{
	struct stat held, now;

	return fstat(fd, &held) == 0 && stat(dir, &now) == 0 && now.st_ino == held.st_ino &&
	       now.st_dev == held.st_dev;
}

/*
 * Open and lock. The last user removes the directory under an exclusive lock,
 * so the one that we waited for may be gone from the tree when we get it.
 */
static int open_locked(const char *dir, bool create, struct kv_err *err)
{
	for (int try = 0; try < 100; try++) {
		_cleanup_close_ int fd = -1;
		struct statfs fs;
		int rc;

		rc = create ? make_dir(dir, err) : 0;
		if (rc)
			return rc;
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && create)
			continue;
		if (fd < 0)
			return kv_err_errno(err, -errno, "can't open the pin directory '%s'", dir);
		if (fstatfs(fd, &fs) < 0 || (unsigned long)fs.f_type != BPF_FS_MAGIC)
			return refuse_dir(dir, err);
		if (flock(fd, LOCK_SH) < 0)
			return kv_err_errno(err, -errno, "can't lock the pin directory '%s'", dir);
		if (is_current(fd, dir))
			return TAKE_FD(fd);
	}
	return kv_err_set(err, -EBUSY, "the pin directory '%s' keeps changing", dir);
}

int kv_pins_open(const char *dir, bool create, struct kv_pins *pins, struct kv_err *err)
{
	int fd = open_locked(dir, create, err);

	if (fd < 0)
		return fd;
	pins->fd = fd;
	/* The daemon leaves the directory that a relative name begins at. */
	pins->dir = realpath(dir, NULL);
	if (pins->dir)
		return 0;
	kv_pins_close(pins);
	return kv_err_errno(err, -errno, "can't open the pin directory '%s'", dir);
}

void kv_pins_close(struct kv_pins *pins)
{
	kv_closep(&pins->fd);
	free(pins->dir);
	*pins = KV_PINS_INIT;
}

int kv_pins_keep(const struct kv_pins *pins, struct kv_err *err)
{
	if (fchmod(pins->fd, 01700) < 0)
		return kv_err_errno(err, -errno, "can't mark the pin directory '%s'", pins->dir);
	return 0;
}

void kv_pins_release(struct kv_pins *pins)
{
	struct stat st;

	if (pins->fd >= 0 && flock(pins->fd, LOCK_EX | LOCK_NB) == 0 &&
	    is_current(pins->fd, pins->dir) && fstat(pins->fd, &st) == 0 && !(st.st_mode & S_ISVTX))
		kv_pins_remove(pins, NULL);
	kv_pins_close(pins);
}

/* --- what is pinned --- */

/* A map of the program by its name in the kernel, or -1. */
static int find_map(const uint32_t *ids, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++) {
		struct bpf_map_info info = {0};
		uint32_t len = sizeof(info);
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(ids[i]);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
		    strncmp(info.name, name, BPF_OBJ_NAME_LEN - 1) == 0)
			return TAKE_FD(fd);
	}
	return -1;
}

static int link_program(int link)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &len) < 0 || info.type != BPF_LINK_TYPE_ITER)
		return -ESTALE;
	return bpf_prog_get_fd_by_id(info.prog_id);
}

/* The program's column table and its readers: what makes it kview's. */
static int open_maps(int prog, struct kv_table *table)
{
	uint32_t ids[MAX_MAPS] = {0}, zero = 0, len;
	struct bpf_prog_info info = {.nr_map_ids = MAX_MAPS, .map_ids = (uintptr_t)ids};
	struct bpf_map_info map = {0};
	_cleanup_close_ int table_fd = -1;
	_cleanup_free_ char *value = NULL;
	int readers;

	len = sizeof(info);
	if (bpf_obj_get_info_by_fd(prog, &info, &len) < 0)
		return -errno;
	if (info.nr_map_ids > MAX_MAPS)
		return -ESTALE;
	table_fd = find_map(ids, info.nr_map_ids, KV_TABLE_MAP);
	len = sizeof(map);
	readers = find_map(ids, info.nr_map_ids, KV_READERS_MAP);
	if (table_fd < 0 || readers < 0 || bpf_obj_get_info_by_fd(table_fd, &map, &len) < 0)
		goto stale;
	/* Another build's table may have another size: its head is the same. */
	value = calloc(1, map.value_size);
	if (!value || bpf_map_lookup_elem(table_fd, &zero, value) < 0)
		goto stale;
	memcpy(table, value, map.value_size < sizeof(*table) ? map.value_size : sizeof(*table));
	return readers;
stale:
	kv_closep(&readers);
	return -ESTALE;
}

static int pin_path(const struct kv_pins *pins, const char *name, const char *suffix, char *path,
		    struct kv_err *err)
{
	if (snprintf(path, PATH_MAX, "%s/%s%s", pins->dir, name, suffix) >= PATH_MAX)
		return kv_err_errno(err, -ENAMETOOLONG, "can't pin in '%s'", pins->dir);
	return 0;
}

static int inspect(const char *path, struct kv_loaded *loaded, struct kv_table *table)
{
	struct kv_loaded got = KV_LOADED_INIT;
	int rc;

	got.link_fd = bpf_obj_get(path);
	if (got.link_fd < 0)
		return -errno;
	rc = got.prog_fd = link_program(got.link_fd);
	if (rc >= 0)
		rc = got.readers_fd = open_maps(got.prog_fd, table);
	if (rc < 0) {
		kv_loaded_close(&got);
		return rc;
	}
	*loaded = got;
	return 0;
}

/* An object of the same bytes, but built with other headers than ours. */
static bool has_our_scope(int readers)
{
	struct bpf_map_info map = {0};
	uint32_t len = sizeof(map);

	return bpf_obj_get_info_by_fd(readers, &map, &len) == 0 &&
	       map.value_size == sizeof(struct kv_reading);
}

int kv_pin_use(const struct kv_pins *pins, struct kv_view *view, struct kv_err *err)
{
	struct kv_loaded loaded = KV_LOADED_INIT;
	struct kv_table table = {0};
	char path[PATH_MAX];
	int rc;

	if (view->is_loaded)
		return 0;
	rc = pin_path(pins, view->name, "", path, err);
	if (rc)
		return rc;
	rc = inspect(path, &loaded, &table);
	if (rc == -ESTALE || rc == -EINVAL)
		return kv_err_set(err, -ESTALE, "'%s' is not a view's pin", path);
	if (rc)
		return kv_err_errno(err, rc, "can't use the pin '%s'", path);
	if (table.abi != KV_ABI_VERSION || table.fingerprint != view->fingerprint ||
	    !has_our_scope(loaded.readers_fd)) {
		kv_loaded_close(&loaded);
		return kv_err_set(err, -ESTALE,
				  "'%s' was pinned by another build of kview, or before a "
				  "file system's module was loaded",
				  path);
	}
	kv_schema_lack(view->schema, kv_schema_lacks(view->schema, &table));
	view->loaded = loaded;
	view->is_loaded = true;
	return 0;
}

static bool is_program(int fd, const char *name)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
	       strcmp(info.name, name) == 0;
}

/* A program that is no view is pinned as NAME=FINGERPRINT. */
static bool is_own_program(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_free_ char *own = strndup(name, strcspn(name, "="));
	_cleanup_close_ int fd = own && strchr(name, '=') ? bpf_obj_get(path) : -1;

	return is_program(fd, own);
}

/* A pin of kview's, of whatever build. */
static bool is_ours(const char *path)
{
	struct kv_loaded loaded = KV_LOADED_INIT;
	struct kv_table table;
	bool ours = inspect(path, &loaded, &table) == 0;

	kv_loaded_close(&loaded);
	return ours || is_own_program(path);
}

/* What is there under a view's name may be replaced if kview pinned it. */
static int check_free(const char *path, struct kv_err *err)
{
	if (access(path, F_OK) < 0 || is_ours(path))
		return 0;
	kv_err_set(err, -EEXIST, "'%s' is there, and kview did not pin it", path);
	kv_err_hint(err, "look at it with bpftool; --pin-dir DIR chooses another place");
	return -EEXIST;
}

static int replace_pin(const struct kv_view *view, const char *path, const char *new,
		       struct kv_err *err)
{
	int rc = check_free(path, err);

	if (rc)
		return rc;
	unlink(new);
	rc = bpf_obj_pin(view->loaded.link_fd, new);
	if (rc < 0) {
		kv_err_errno(err, rc, "can't pin view '%s' as '%s'", view->name, path);
		kv_err_hint(err,
			    rc == -ENOMEM ? "the kernel is short of memory" : "pinning needs root");
		return rc;
	}
	/* libbpf names no maps if its test for that failed, be it for lack of memory. */
	if (!is_ours(new)) {
		rc = kv_err_set(err, -EIO, "can't pin view '%s': the kernel lost its names",
				view->name);
		kv_err_hint(err, "it may be short of memory: try again");
	} else if (rename(new, path) < 0) {
		rc = kv_err_errno(err, -errno, "can't pin view '%s' as '%s'", view->name, path);
	}
	if (rc)
		unlink(new);
	return rc;
}

int kv_pin_store(const struct kv_pins *pins, const struct kv_view *view, struct kv_err *err)
{
	char path[PATH_MAX], new[PATH_MAX], suffix[16];
	int rc;

	snprintf(suffix, sizeof(suffix), "%c%d", NEW, (int)getpid());
	rc = pin_path(pins, view->name, "", path, err);
	if (!rc)
		rc = pin_path(pins, view->name, suffix, new, err);
	return rc ? rc : replace_pin(view, path, new, err);
}

/* Was it left half pinned by a load that was killed? */
static bool is_abandoned(const char *name, const void *arg)
{
	const char *new = strchr(name, NEW);
	pid_t pid = new ? (pid_t)strtol(new + 1, NULL, 10) : 0;

	(void)arg;
	return new && (pid <= 0 || !kv_kernel_has_process(pid));
}

/* Of another build than the one that is kept. */
static bool is_other_build(const char *name, const void *kept)
{
	size_t n = strcspn(kept, "=") + 1;

	return strncmp(name, kept, n) == 0 && strcmp(name, kept) != 0;
}

static void remove_own(const struct kv_pins *pins, bool (*is_it)(const char *name, const void *arg),
		       const void *arg)
{
	_cleanup_closedir_ DIR *d = opendir(pins->dir);
	const struct dirent *e;
	char path[PATH_MAX];

	while (d && (e = readdir(d)))
		if (is_it(e->d_name, arg) && pin_path(pins, e->d_name, "", path, NULL) == 0 &&
		    is_ours(path))
			unlink(path);
}

void kv_pins_sweep(const struct kv_pins *pins)
{
	remove_own(pins, is_abandoned, NULL);
}

/* --- programs that are no views --- */

static int program_path(const struct kv_pins *pins, const char *name, uint64_t fingerprint,
			char *path, struct kv_err *err)
{
	char suffix[32];

	snprintf(suffix, sizeof(suffix), "=%016llx", (unsigned long long)fingerprint);
	return pin_path(pins, name, suffix, path, err);
}

int kv_pin_use_program(const struct kv_pins *pins, const char *name, uint64_t fingerprint)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	if (program_path(pins, name, fingerprint, path, NULL))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	return is_program(fd, name) ? TAKE_FD(fd) : -ESTALE;
}

int kv_pin_store_program(const struct kv_pins *pins, const char *name, uint64_t fingerprint,
			 int prog_fd, struct kv_err *err)
{
	char path[PATH_MAX];
	int rc = program_path(pins, name, fingerprint, path, err);

	if (rc)
		return rc;
	rc = bpf_obj_pin(prog_fd, path);
	if (rc == -EEXIST)
		return 0;
	if (rc)
		return kv_err_errno(err, rc, "can't pin '%s'", path);
	remove_own(pins, is_other_build, strrchr(path, '/') + 1);
	return 0;
}

/* --- removal --- */

static int remove_pins(const struct kv_pins *pins, DIR *d, unsigned int *left, struct kv_err *err)
{
	const struct dirent *e;

	while ((e = readdir(d))) {
		char path[PATH_MAX];
		int rc;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		rc = pin_path(pins, e->d_name, "", path, err);
		if (rc)
			return rc;
		if (!is_ours(path))
			++*left;
		else if (unlink(path) < 0 && errno != ENOENT)
			return kv_err_errno(err, -errno, "can't remove the pin '%s'", path);
	}
	return 0;
}

int kv_pins_remove(const struct kv_pins *pins, struct kv_err *err)
{
	_cleanup_closedir_ DIR *d = opendir(pins->dir);
	unsigned int left = 0;
	int rc;

	if (!d)
		return kv_err_errno(err, -errno, "can't read the pin directory '%s'", pins->dir);
	rc = remove_pins(pins, d, &left, err);
	if (rc)
		return rc;
	if (left) {
		kv_err_set(err, -ENOTEMPTY, "'%s' holds %u file%s that kview did not pin",
			   pins->dir, left, left == 1 ? "" : "s");
		kv_err_hint(err, "they were left alone; look at them with bpftool");
		return -ENOTEMPTY;
	}
	if (rmdir(pins->dir) < 0 && errno != ENOENT)
		return kv_err_errno(err, -errno, "can't remove the pin directory '%s'", pins->dir);
	return 0;
}
