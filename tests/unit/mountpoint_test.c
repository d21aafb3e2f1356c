// SPDX-License-Identifier: GPL-2.0-only
/* Directories to mount on, as far as that can be told without mounting. */
#include <sys/stat.h>
#include <unistd.h>

#include "fuse/mount/mountpoint.h"
#include "unit.h"

static char dir[64], path[128];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/kview-unit-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/mnt", dir);
	return 0;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void prepare(const char *where, const char *want)
{
	struct kv_err err = {0};
	char *resolved = NULL;
	struct stat st;
	int lock = -1;

	assert_int_equal(kv_mountpoint_prepare(where, &resolved, &lock, &err), 0);
	assert_true(lock >= 0);
	close(lock);
	assert_string_equal(resolved, want);
	assert_int_equal(stat(resolved, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	free(resolved);
}

static void refuse(const char *where, int code, const char *words, const char *hint)
{
	struct kv_err err = {0};
	char *resolved = NULL;
	int lock = -1;

	assert_int_equal(kv_mountpoint_prepare(where, &resolved, &lock, &err), code);
	assert_null(resolved);
	assert_int_equal(lock, -1);
	assert_says(&err, words);
	assert_hints(&err, hint);
}

static void a_directory_is_taken(void **state)
{
	(void)state;
	prepare(dir, dir);
}

static void a_missing_directory_is_made(void **state)
{
	(void)state;
	prepare(path, path);
}

static void a_relative_path_becomes_absolute(void **state)
{
	char *back = getcwd(NULL, 0);

	(void)state;
	assert_int_equal(chdir(dir), 0);
	prepare("mnt", path);
	prepare("./mnt/../mnt/", path);
	assert_int_equal(chdir(back), 0);
	free(back);
}

static void a_link_is_followed(void **state)
{
	char link[128];

	(void)state;
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(symlink("mnt", link), 0);
	prepare(link, path);
}

static void a_file_is_refused(void **state)
{
	FILE *f;

	(void)state;
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	refuse(path, -ENOTDIR, "is not a directory", "");
}

static void a_missing_parent_is_named_with_a_hint(void **state)
{
	char deep[160];

	(void)state;
	snprintf(deep, sizeof(deep), "%s/x/y", path);
	refuse(deep, -ENOENT, deep, "mkdir -p");
}

static void what_others_mounted_is_refused(void **state)
{
	(void)state;
	refuse("/proc", -EBUSY, "something of type proc is mounted there", "another directory");
}

static void no_mount_is_found_where_there_is_none(void **state)
{
	struct kv_err err = {0};
	char *resolved = NULL;

	(void)state;
	assert_int_equal(kv_mountpoint_find(dir, &resolved, &err), -EINVAL);
	assert_says(&err, "no kview is mounted on");
	assert_says(&err, dir);
	assert_int_equal(kv_mountpoint_find("/proc", &resolved, &err), -EINVAL);
	assert_int_equal(kv_mountpoint_find(path, &resolved, &err), -EINVAL);
	assert_null(resolved);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(a_directory_is_taken),
		IN_DIR(a_missing_directory_is_made),
		IN_DIR(a_relative_path_becomes_absolute),
		IN_DIR(a_link_is_followed),
		IN_DIR(a_file_is_refused),
		IN_DIR(a_missing_parent_is_named_with_a_hint),
		cmocka_unit_test(what_others_mounted_is_refused),
		IN_DIR(no_mount_is_found_where_there_is_none),
	};

	return cmocka_run_group_tests_name("mountpoint", tests, NULL, NULL);
}
