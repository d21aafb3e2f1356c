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
#include "load/pin_collect.h"
#include "schema/table.h"

#define BPFFS "/sys/fs/bpf"
#define MAX_MAPS 16

/* A pin is made as NAME~PID and then renamed. No view's name has a '~'; bpffs allows no dot. */
#define NEW '~'

/* A name in the pin directory, at most NAME_MAX long: kv_pins_open() leaves room for it. */
struct path {
	char text[PATH_MAX];
};

/* --- the directory --- */

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
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
	size_t n = strlen(BPFFS);
	int rc = 0;

	if (strncmp(dir, BPFFS, n) == 0 && (dir[n] == '/' || !dir[n]))
		rc = mount_bpffs(err);
	if (rc)
		return rc;
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
	kv_err_hint(err, rc == -EACCES || rc == -EPERM
				 ? "pinning needs root"
				 : "the directory above it must be in a BPF file system");
	return rc;
}

/* Does @dir still name the directory that @fd has open? */
static bool is_current(int fd, const char *dir)
{
	struct stat held, now;

	return fstat(fd, &held) == 0 && stat(dir, &now) == 0 && now.st_ino == held.st_ino &&
	       now.st_dev == held.st_dev;
}

static int open_dir(const char *dir, struct kv_err *err)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return kv_err_errno(err, -errno, "can't open the pin directory '%s'", dir);
	if (fstatfs(fd, &fs) < 0 || (unsigned long)fs.f_type != BPF_FS_MAGIC)
		return refuse_dir(dir, err);
	return TAKE_FD(fd);
}

/*
 * Makes it, opens and locks. The last user removes the directory under an exclusive lock, so the
 * directory may be gone from the tree when we get our lock: then it is made anew.
 */
static int open_locked(const char *dir, struct kv_err *err)
{
	for (int try = 0; try < 100; try++) {
		_cleanup_close_ int fd = -1;
		int rc = make_dir(dir, err);

		if (rc)
			return rc;
		fd = open_dir(dir, err);
		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return fd;
		if (flock(fd, LOCK_SH) < 0)
			return kv_err_errno(err, -errno, "can't lock the pin directory '%s'", dir);
		if (is_current(fd, dir))
			return TAKE_FD(fd);
	}
	return kv_err_set(err, -EBUSY, "the pin directory '%s' keeps changing", dir);
}

int kv_pins_open(const char *dir, bool create, struct kv_pins *pins, struct kv_err *err)
{
	int rc = pins->fd = create ? open_locked(dir, err) : open_dir(dir, err);

	if (rc < 0) {
		*pins = KV_PINS_INIT;
		return rc;
	}
	/* The daemon changes its directory, so a relative name would change its meaning. */
	pins->dir = realpath(dir, NULL);
	if (pins->dir && strlen(pins->dir) + 1 + NAME_MAX < PATH_MAX)
		return 0;
	rc = pins->dir ? -ENAMETOOLONG : -errno;
	kv_pins_close(pins);
	return kv_err_errno(err, rc, "can't open the pin directory '%s'", dir);
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

/* --- pins of views --- */

/* A pin of a view, of whatever build: its descriptors, and what its maps say of it. */
struct pinned {
	struct kv_loaded loaded;
	struct kv_table table;
	uint32_t reading_size; /* of struct kv_reading, as its programs know it */
};

static struct path path_of(const struct kv_pins *pins, const char *name)
{
	struct path path;

	snprintf(path.text, sizeof(path.text), "%s/%s", pins->dir, name);
	return path;
}

/* Another build's table may have another size: its beginning is the same. */
static bool read_table(int fd, size_t size, struct kv_table *table)
{
	_cleanup_free_ char *value = calloc(1, size);
	uint32_t zero = 0;

	if (!value || bpf_map_lookup_elem(fd, &zero, value) < 0)
		return false;
	memcpy(table, value, size < sizeof(*table) ? size : sizeof(*table));
	return true;
}

/* The column table and the readers of its program: they make a pin kview's. */
static int inspect_maps(struct pinned *p)
{
	uint32_t ids[MAX_MAPS] = {0}, len = sizeof(struct bpf_prog_info);
	struct bpf_prog_info prog = {.nr_map_ids = MAX_MAPS, .map_ids = (uintptr_t)ids};
	bool has_table = false;

	if (bpf_obj_get_info_by_fd(p->loaded.prog_fd, &prog, &len) < 0)
		return -errno;
	for (uint32_t i = 0; i < prog.nr_map_ids && i < MAX_MAPS; i++) {
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(ids[i]);
		struct bpf_map_info map = {0};

		len = sizeof(map);
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &map, &len) < 0)
			continue;
		if (strcmp(map.name, KV_TABLE_MAP) == 0) {
			has_table = read_table(fd, map.value_size, &p->table);
		} else if (strcmp(map.name, KV_READERS_MAP) == 0 && p->loaded.readers_fd < 0) {
			p->reading_size = map.value_size;
			p->loaded.readers_fd = TAKE_FD(fd);
		} else if (strcmp(map.name, KV_SPOOL_MAP) == 0 && p->loaded.spool_fd < 0) {
			p->loaded.spool_fd = TAKE_FD(fd);
		}
	}
	return has_table && p->loaded.readers_fd >= 0 ? 0 : -ESTALE;
}

/* Is it the program of a view without an iterator? */
static bool is_called(int fd)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
	       (info.type == BPF_PROG_TYPE_SYSCALL || info.type == BPF_PROG_TYPE_RAW_TRACEPOINT);
}

/* @p: on success the caller closes its descriptors */
static int inspect(const char *path, struct pinned *p)
{
	_cleanup_close_ int fd = bpf_obj_get(path);
	struct bpf_link_info link = {0};
	uint32_t len = sizeof(link);
	int rc = -ESTALE;

	*p = (struct pinned){.loaded = KV_LOADED_INIT};
	if (fd < 0)
		return -errno;
	if (is_called(fd)) {
		rc = p->loaded.prog_fd = TAKE_FD(fd);
	} else if (bpf_obj_get_info_by_fd(fd, &link, &len) == 0 &&
		   link.type == BPF_LINK_TYPE_ITER) {
		p->loaded.link_fd = TAKE_FD(fd);
		rc = p->loaded.prog_fd = bpf_prog_get_fd_by_id(link.prog_id);
	}
	if (rc >= 0)
		rc = inspect_maps(p);
	if (rc < 0)
		kv_loaded_close(&p->loaded);
	return rc;
}

int kv_pin_use(const struct kv_pins *pins, struct kv_view *view, struct kv_err *err)
{
	struct path path = path_of(pins, view->name);
	struct pinned p;
	int rc;

	if (view->is_loaded)
		return 0;
	rc = inspect(path.text, &p);
	if (rc == -ESTALE || rc == -EINVAL)
		return kv_err_set(err, -ESTALE, "'%s' is not a view's pin", path.text);
	if (rc)
		return kv_err_errno(err, rc, "can't use the pin '%s'", path.text);
	/* A user's object may have the same bytes, and headers that are not ours. */
	if (p.table.abi != KV_ABI_VERSION || p.table.fingerprint != view->fingerprint ||
	    p.reading_size != sizeof(struct kv_reading)) {
		kv_loaded_close(&p.loaded);
		return kv_err_set(err, -ESTALE,
				  "'%s' was pinned by another build of kview, or before a "
				  "file system's module was loaded",
				  path.text);
	}
	rc = kv_pin_use_collectors(pins->dir, view, p.loaded.link_fd);
	if (rc) {
		kv_loaded_close(&p.loaded);
		return kv_err_set(err, -ESTALE, "'%s' was pinned without its collectors",
				  path.text);
	}
	kv_schema_lack(view->schema, kv_schema_lacks(view->schema, &p.table));
	view->loaded = p.loaded;
	view->is_loaded = true;
	return 0;
}

/*
 * A pin of a view or, as NAME=FINGERPRINT, of a query or, as VIEW+NAME, of a collector; of whatever
 * build of kview.
 */
static bool is_ours(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	struct pinned p;

	if (inspect(path, &p) == 0) {
		kv_loaded_close(&p.loaded);
		return true;
	}
	return kv_pin_is_query(path, name) || kv_pin_is_collector(path, name);
}

/* A file under a view's name may be replaced if kview pinned it. */
static int check_free(const char *path, struct kv_err *err)
{
	if (access(path, F_OK) < 0 || is_ours(path))
		return 0;
	kv_err_set(err, -EEXIST, "'%s' is there, and kview did not pin it", path);
	kv_err_hint(err, "look at it with bpftool; --pin-dir DIR chooses another place");
	return -EEXIST;
}

static int replace_pin(const struct kv_view *view, int fd, const char *path, const char *new,
		       struct kv_err *err)
{
	int rc = check_free(path, err);

	if (rc)
		return rc;
	unlink(new);
	rc = bpf_obj_pin(fd, new);
	if (rc < 0) {
		kv_err_errno(err, rc, "can't pin view '%s' as '%s'", view->name, path);
		kv_err_hint(err,
			    rc == -ENOMEM ? "the kernel is short of memory" : "pinning needs root");
		return rc;
	}
	/* libbpf names no maps if its test for names fails, for example for lack of memory. */
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

static int store(const struct kv_pins *pins, const struct kv_view *view, int fd, const char *name,
		 struct kv_err *err)
{
	char new[NAME_MAX + 1];

	snprintf(new, sizeof(new), "%s%c%d", name, NEW, (int)getpid());
	return replace_pin(view, fd, path_of(pins, name).text, path_of(pins, new).text, err);
}

static void drop(const char *path)
{
	if (is_ours(path))
		unlink(path);
}

int kv_pin_store(const struct kv_pins *pins, const struct kv_view *view, struct kv_err *err)
{
	const struct kv_collectors *c = &view->collectors;
	char name[NAME_MAX + 1];
	int rc = 0;

	/* The view last: without its collectors it would be another one. */
	for (size_t i = 0; i < c->n && !rc; i++) {
		kv_pin_collector_name(view, &c->list[i], name);
		if (c->list[i].link_fd >= 0)
			rc = store(pins, view, c->list[i].link_fd, name, err);
		else
			drop(path_of(pins, name).text);
	}
	/* A view without an iterator has its program alone. */
	return rc ? rc
		  : store(pins, view,
			  view->loaded.link_fd >= 0 ? view->loaded.link_fd : view->loaded.prog_fd,
			  view->name, err);
}

void kv_pin_drop(const struct kv_pins *pins, const struct kv_view *view)
{
	char name[NAME_MAX + 1];

	drop(path_of(pins, view->name).text);
	for (size_t i = 0; i < view->collectors.n; i++) {
		kv_pin_collector_name(view, &view->collectors.list[i], name);
		drop(path_of(pins, name).text);
	}
}

/* --- removal --- */

/* Is it half pinned by a load that was killed, or the query @kept of another build? */
static bool is_left_over(const char *name, const char *kept)
{
	const char *new = strchr(name, NEW);

	if (new)
		return !kv_kernel_has_process((pid_t)strtol(new + 1, NULL, 10));
	return strncmp(name, kept, strcspn(kept, "=") + 1) == 0 && strcmp(name, kept) != 0;
}

/*
 * Removes kview's pins, or what is left over beside the query @kept. @others: receives the
 * number of files that kview did not pin.
 */
static int remove_pins(const struct kv_pins *pins, const char *kept, unsigned int *others,
		       struct kv_err *err)
{
	_cleanup_closedir_ DIR *d = opendir(pins->dir);
	const struct dirent *e;

	*others = 0;
	if (!d)
		return kv_err_errno(err, -errno, "can't read the pin directory '%s'", pins->dir);
	while ((e = readdir(d))) {
		struct path path = path_of(pins, e->d_name);

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    (kept && !is_left_over(e->d_name, kept)))
			continue;
		if (!is_ours(path.text))
			++*others;
		else if (unlink(path.text) < 0 && errno != ENOENT)
			return kv_err_errno(err, -errno, "can't remove the pin '%s'", path.text);
	}
	return 0;
}

int kv_pins_remove(const struct kv_pins *pins, struct kv_err *err)
{
	unsigned int others;
	int rc = remove_pins(pins, NULL, &others, err);

	if (rc)
		return rc;
	if (others) {
		kv_err_set(err, -ENOTEMPTY, "'%s' holds %u file%s that kview did not pin",
			   pins->dir, others, others == 1 ? "" : "s");
		kv_err_hint(err, "they were left alone; look at them with bpftool");
		return -ENOTEMPTY;
	}
	if (rmdir(pins->dir) < 0 && errno != ENOENT)
		return kv_err_errno(err, -errno, "can't remove the pin directory '%s'", pins->dir);
	return 0;
}

/* --- queries --- */

static void put_name(char name[NAME_MAX + 1], const char *query, uint64_t fingerprint)
{
	snprintf(name, NAME_MAX + 1, "%s=%016llx", query, (unsigned long long)fingerprint);
}

int kv_pin_use_query(const struct kv_pins *pins, const char *query, uint64_t fingerprint)
{
	_cleanup_close_ int fd = -1;
	char name[NAME_MAX + 1];

	put_name(name, query, fingerprint);
	fd = bpf_obj_get(path_of(pins, name).text);
	if (fd < 0)
		return -errno;
	return kv_pin_is_program(fd, query) ? TAKE_FD(fd) : -ESTALE;
}

int kv_pin_store_query(const struct kv_pins *pins, const char *query, uint64_t fingerprint,
		       int prog_fd, struct kv_err *err)
{
	char name[NAME_MAX + 1];
	unsigned int others;
	int rc;

	put_name(name, query, fingerprint);
	rc = bpf_obj_pin(prog_fd, path_of(pins, name).text);
	if (rc && rc != -EEXIST)
		return kv_err_errno(err, rc, "can't pin '%s/%s'", pins->dir, name);
	remove_pins(pins, name, &others, NULL);
	return 0;
}
