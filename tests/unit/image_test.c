// SPDX-License-Identifier: GPL-2.0-only
/* Objects in a user's directory: the good are taken, the bad are named. */
#include <sys/stat.h>
#include <unistd.h>

#include "load/image.h"
#include "load/view.h"
#include "unit.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/kview-unit-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void put(const char *name, const void *bytes, size_t n)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void take_away(const char *name)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

static size_t count_builtin(void)
{
	struct kv_images images;
	struct kv_err err = {0};
	size_t n;

	assert_int_equal(kv_images_read(NULL, NULL, &images, &err), 0);
	n = images.n;
	kv_images_free(&images);
	return n;
}

/* The images of @dir, which must be readable, and how many are the user's. */
static size_t read_dir(struct kv_images *images)
{
	struct kv_err err = {0};

	assert_int_equal(kv_images_read(dir, NULL, images, &err), 0);
	return images->n - count_builtin();
}

static void the_builtin_objects_come_without_a_directory(void **state)
{
	struct kv_images images;
	struct kv_err err = {0};

	(void)state;
	assert_int_equal(kv_images_read(NULL, NULL, &images, &err), 0);
	assert_true(images.n >= 4);
	for (size_t i = 0; i < images.n; i++) {
		assert_null(images.list[i].path);
		assert_memory_equal(images.list[i].data,
				    "\x7f"
				    "ELF",
				    4);
	}
	kv_images_free(&images);
	assert_int_equal(images.n, 0);
}

static void an_empty_directory_adds_nothing(void **state)
{
	struct kv_images images;

	(void)state;
	assert_int_equal(read_dir(&images), 0);
	kv_images_free(&images);
}

static void a_missing_directory_is_named(void **state)
{
	struct kv_images images;
	struct kv_err err = {0};

	(void)state;
	assert_int_equal(kv_images_read("/nonexistent/dir", NULL, &images, &err), -ENOENT);
	assert_says(&err, "can't read the directory '/nonexistent/dir'");
	assert_hints(&err, "--iter-dir");
}

static void objects_come_by_name_with_path_and_bytes(void **state)
{
	struct kv_images images;
	const struct kv_image *mine;

	(void)state;
	put("zz.bpf.o", "second", 6);
	put("mine_2.bpf.o", "first", 5);
	put("README", "x", 1);
	put("x.o", "x", 1);
	put(".bpf.o", "x", 1);
	assert_int_equal(read_dir(&images), 2);
	mine = &images.list[images.n - 2];
	assert_string_equal(mine->name, "mine_2");
	assert_non_null(strstr(mine->path, "/mine_2.bpf.o"));
	assert_int_equal(mine->size, 5);
	assert_memory_equal(mine->data, "first", 5);
	assert_string_equal(mine[1].name, "zz");
	kv_images_free(&images);
}

/* In the list with its error, so that the others are served. */
static void expect_bad(const char *file, const char *words)
{
	struct kv_images images;
	const struct kv_image *bad;

	put("good.bpf.o", "x", 1);
	assert_int_equal(read_dir(&images), 2);
	bad = &images.list[images.n - 1];
	if (strcmp(bad->name, "good") == 0)
		bad--;
	assert_null(bad->data);
	assert_says(&bad->err, file);
	assert_says(&bad->err, words);
	kv_images_free(&images);
}

static void a_name_that_is_taken_by_the_mount_is_refused(void **state)
{
	static const char *const files[] = {"json.bpf.o", "csv.bpf.o",	  "pid.bpf.o",
					    "self.bpf.o", "schema.bpf.o", "status.bpf.o"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		put(files[i], "x", 1);
		expect_bad(files[i], "the mount's own");
		take_away(files[i]);
	}
}

static void a_name_of_a_builtin_view_is_refused(void **state)
{
	(void)state;
	put("task.bpf.o", "x", 1);
	expect_bad("task.bpf.o", "there is a view");
}

static void a_name_in_upper_case_is_refused(void **state)
{
	(void)state;
	put("Mine.bpf.o", "x", 1);
	expect_bad("Mine.bpf.o", "a-z, 0-9 and _");
}

static void a_name_with_a_dot_or_newline_is_refused(void **state)
{
	(void)state;
	put("a\nb.bpf.o", "x", 1);
	expect_bad("a\nb.bpf.o", "a-z, 0-9 and _");
}

static void a_name_that_looks_like_a_process_is_refused(void **state)
{
	(void)state;
	put("123.bpf.o", "x", 1);
	expect_bad("123.bpf.o", "begins with a letter");
}

static void a_name_that_is_too_long_is_refused(void **state)
{
	char name[80];

	(void)state;
	memset(name, 'a', 49);
	strcpy(name + 49, ".bpf.o");
	put(name, "x", 1);
	expect_bad(name, "at most 48");
}

static void a_directory_named_like_an_object_is_refused(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/sub.bpf.o", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_bad("sub.bpf.o", "not a regular file");
}

static void a_fifo_named_like_an_object_is_refused(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/pipe.bpf.o", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(10);
	expect_bad("pipe.bpf.o", "not a regular file");
	alarm(0);
}

static void a_dangling_link_is_refused(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/gone.bpf.o", dir);
	assert_int_equal(symlink("/nonexistent", path), 0);
	expect_bad("gone.bpf.o", "No such file");
}

static void a_huge_file_is_refused(void **state)
{
	char path[128];

	(void)state;
	put("big.bpf.o", "x", 1);
	snprintf(path, sizeof(path), "%s/big.bpf.o", dir);
	assert_int_equal(truncate(path, (16 << 20) + 1), 0);
	expect_bad("big.bpf.o", "too large");
}

/* --- as views --- */

static const struct kv_view *find(const struct kv_views *views, const char *name)
{
	struct kv_err err = {0};
	const struct kv_view *view = kv_views_find(views, name, &err);

	assert_non_null(view);
	return view;
}

static void broken_objects_do_not_take_the_others_down(void **state)
{
	const struct kv_embedded *task = kv_embedded_find("task");
	struct kv_views views;
	struct kv_err err = {0};

	(void)state;
	put("cut.bpf.o", task->data, (size_t)(task->end - task->data) / 2);
	put("copy.bpf.o", task->data, (size_t)(task->end - task->data));
	put("text.bpf.o", "hello", 5);
	put("none.bpf.o", "", 0);
	assert_int_equal(kv_views_open(dir, NULL, &views, &err), 0);
	assert_non_null(find(&views, "task")->schema);
	assert_non_null(find(&views, "copy")->schema);
	assert_string_equal(find(&views, "copy")->kind, "task");
	assert_null(find(&views, "cut")->schema);
	assert_says(&find(&views, "cut")->err, "/cut.bpf.o");
	assert_null(find(&views, "text")->schema);
	assert_says(&find(&views, "text")->err, "/text.bpf.o': not a BPF object");
	assert_null(find(&views, "none")->schema);
	assert_says(&find(&views, "none")->err, "/none.bpf.o");
	kv_views_close(&views);
}

/* An iterator, but one that declares no view. */
static void an_object_without_a_view_says_so(void **state)
{
	const struct kv_embedded *tool = kv_embedded_find("identity/processes");
	struct kv_views views;
	struct kv_err err = {0};

	(void)state;
	put("tool.bpf.o", tool->data, (size_t)(tool->end - tool->data));
	assert_int_equal(kv_views_open(dir, NULL, &views, &err), 0);
	assert_null(find(&views, "tool")->schema);
	assert_says(&find(&views, "tool")->err, "declares no view");
	assert_hints(&find(&views, "tool")->err, "KV_VIEW()");
	kv_views_close(&views);
}

static void a_view_that_is_not_there_is_named(void **state)
{
	struct kv_views views;
	struct kv_err err = {0};

	(void)state;
	assert_int_equal(kv_views_open(NULL, NULL, &views, &err), 0);
	assert_null(kv_views_find(&views, "nope", &err));
	assert_string_equal(err.msg, "no view 'nope'");
	assert_hints(&err, "kview list");
	assert_null(kv_views_find(&views, "identity/processes", &err));
	kv_views_close(&views);
}

static void fingerprints_tell_objects_apart(void **state)
{
	const struct kv_image a = {.data = (char *)"abc", .size = 3};
	const struct kv_image b = {.data = (char *)"abd", .size = 3};
	const struct kv_image c = {.data = (char *)"abc", .size = 2};

	(void)state;
	assert_true(kv_image_fingerprint(&a) == kv_image_fingerprint(&a));
	assert_true(kv_image_fingerprint(&a) != kv_image_fingerprint(&b));
	assert_true(kv_image_fingerprint(&a) != kv_image_fingerprint(&c));
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_builtin_objects_come_without_a_directory),
		IN_DIR(an_empty_directory_adds_nothing),
		cmocka_unit_test(a_missing_directory_is_named),
		IN_DIR(objects_come_by_name_with_path_and_bytes),
		IN_DIR(a_name_that_is_taken_by_the_mount_is_refused),
		IN_DIR(a_name_of_a_builtin_view_is_refused),
		IN_DIR(a_name_in_upper_case_is_refused),
		IN_DIR(a_name_with_a_dot_or_newline_is_refused),
		IN_DIR(a_name_that_looks_like_a_process_is_refused),
		IN_DIR(a_name_that_is_too_long_is_refused),
		IN_DIR(a_directory_named_like_an_object_is_refused),
		IN_DIR(a_fifo_named_like_an_object_is_refused),
		IN_DIR(a_dangling_link_is_refused),
		IN_DIR(a_huge_file_is_refused),
		IN_DIR(broken_objects_do_not_take_the_others_down),
		IN_DIR(an_object_without_a_view_says_so),
		cmocka_unit_test(a_view_that_is_not_there_is_named),
		cmocka_unit_test(fingerprints_tell_objects_apart),
	};

	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
