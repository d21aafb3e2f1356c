// SPDX-License-Identifier: GPL-2.0-only
/* Errors with hints, small files read whole, and other small things. */
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "unit.h"

/* --- errors --- */

static void an_error_returns_its_code(void **state)
{
	struct kv_err err = {0};

	(void)state;
	assert_int_equal(kv_err_set(&err, -EINVAL, "no %s", "good"), -EINVAL);
	assert_string_equal(err.msg, "no good");
	assert_int_equal(kv_err_errno(&err, -ENOENT, "can't open '%s'", "x"), -ENOENT);
}

static void an_errno_error_ends_with_its_words(void **state)
{
	struct kv_err err = {0};

	(void)state;
	kv_err_errno(&err, -EACCES, "can't open '%s'", "x");
	assert_string_equal(err.msg, "can't open 'x': Permission denied");
}

static void nobody_need_listen_to_an_error(void **state)
{
	(void)state;
	assert_int_equal(kv_err_set(NULL, -EIO, "%d", 1), -EIO);
	assert_int_equal(kv_err_errno(NULL, -EIO, "%d", 1), -EIO);
	kv_err_hint(NULL, "%d", 1);
}

static void a_new_error_forgets_the_old_hint(void **state)
{
	struct kv_err err = {0};

	(void)state;
	kv_err_set(&err, -EIO, "first");
	kv_err_hint(&err, "try %d", 2);
	assert_string_equal(err.hint, "try 2");
	kv_err_set(&err, -EIO, "second");
	assert_string_equal(err.hint, "");
	kv_err_hint(&err, "try %d", 3);
	kv_err_errno(&err, -EIO, "third");
	assert_string_equal(err.hint, "");
}

static void a_long_error_is_cut_inside_its_buffer(void **state)
{
	struct {
		struct kv_err err;
		char canary[8];
	} e = {.canary = "canary"};
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	kv_err_errno(&e.err, -EIO, "%s", text);
	kv_err_hint(&e.err, "%s", text);
	assert_int_equal(strlen(e.err.msg), sizeof(e.err.msg) - 1);
	assert_int_equal(strlen(e.err.hint), sizeof(e.err.hint) - 1);
	assert_string_equal(e.canary, "canary");
}

/* --- files --- */

struct place {
	char dir[64];
	char file[128];
};

static int make_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/kview-unit-XXXXXX");
	if (!mkdtemp(p->dir))
		return -1;
	snprintf(p->file, sizeof(p->file), "%s/file", p->dir);
	*state = p;
	return 0;
}

static int remove_place(void **state)
{
	struct place *p = *state;

	unlink(p->file);
	rmdir(p->dir);
	free(p);
	return 0;
}

static void put_file(const char *path, size_t n, char fill)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		fputc(fill, f);
	assert_int_equal(fclose(f), 0);
}

static void check_whole(const struct place *p, size_t n)
{
	struct kv_err err = {0};
	char *data = NULL;
	size_t len = 99;

	put_file(p->file, n, 'z');
	assert_int_equal(kv_read_file(p->file, n, &data, &len, &err), 0);
	assert_int_equal(len, n);
	assert_int_equal(data[n], '\0');
	assert_int_equal(strspn(data, "z"), n);
	free(data);
}

static void files_of_every_size_are_read_whole(void **state)
{
	static const size_t sizes[] = {0, 1, 4094, 4095, 4096, 4097, 8191, 8192, 100000, 1 << 20};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		check_whole(*state, sizes[i]);
}

static void a_file_of_the_size_of_its_limit_is_read(void **state)
{
	check_whole(*state, 5000);
}

static void a_file_above_its_limit_is_refused(void **state)
{
	const struct place *p = *state;
	struct kv_err err = {0};
	char *data = NULL;
	size_t len;

	put_file(p->file, 5001, 'z');
	assert_int_equal(kv_read_file(p->file, 5000, &data, &len, &err), -EFBIG);
	assert_null(data);
	assert_says(&err, p->file);
}

static void a_missing_file_is_named(void **state)
{
	const struct place *p = *state;
	struct kv_err err = {0};
	char *data;
	size_t len;

	assert_int_equal(kv_read_file(p->file, 10, &data, &len, &err), -ENOENT);
	assert_says(&err, p->file);
	assert_says(&err, "No such file");
}

static void a_directory_is_no_file(void **state)
{
	const struct place *p = *state;
	struct kv_err err = {0};
	char *data;
	size_t len;

	assert_int_equal(kv_read_file(p->dir, 10, &data, &len, &err), -EINVAL);
	assert_says(&err, "not a regular file");
}

static void a_fifo_does_not_hang_the_reader(void **state)
{
	const struct place *p = *state;
	struct kv_err err = {0};
	char *data;
	size_t len;

	assert_int_equal(mkfifo(p->file, 0600), 0);
	alarm(10);
	assert_int_equal(kv_read_file(p->file, 10, &data, &len, &err), -EINVAL);
	alarm(0);
	assert_says(&err, "not a regular file");
}

static void a_file_in_proc_is_read_whole(void **state)
{
	struct kv_err err = {0};
	char *data = NULL, want[16];
	size_t len;

	(void)state;
	assert_int_equal(kv_read_file("/proc/self/stat", 1 << 16, &data, &len, &err), 0);
	snprintf(want, sizeof(want), "%d (", (int)getpid());
	assert_memory_equal(data, want, strlen(want));
	assert_int_equal(strlen(data), len);
	free(data);
}

static void no_descriptor_stays_open(void **state)
{
	const struct place *p = *state;
	struct kv_err err = {0};
	char *data;
	size_t len;
	int before = open_fds();

	assert_int_equal(kv_read_file(p->dir, 10, &data, &len, &err), -EINVAL);
	check_whole(p, 100);
	assert_int_equal(kv_read_file(p->file, 5, &data, &len, &err), -EFBIG);
	assert_int_equal(open_fds(), before);
}

/* --- hash --- */

/* Vectors of the FNV authors' own test suite. */
static void hashes_are_fnv_1a(void **state)
{
	(void)state;
	assert_true(kv_hash("", 0) == 0xcbf29ce484222325);
	assert_true(kv_hash("a", 1) == 0xaf63dc4c8601ec8c);
	assert_true(kv_hash("foobar", 6) == 0x85944171f73967e8);
}

#define WITH_PLACE(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_returns_its_code),
		cmocka_unit_test(an_errno_error_ends_with_its_words),
		cmocka_unit_test(nobody_need_listen_to_an_error),
		cmocka_unit_test(a_new_error_forgets_the_old_hint),
		cmocka_unit_test(a_long_error_is_cut_inside_its_buffer),
		WITH_PLACE(files_of_every_size_are_read_whole),
		WITH_PLACE(a_file_of_the_size_of_its_limit_is_read),
		WITH_PLACE(a_file_above_its_limit_is_refused),
		WITH_PLACE(a_missing_file_is_named),
		WITH_PLACE(a_directory_is_no_file),
		WITH_PLACE(a_fifo_does_not_hang_the_reader),
		cmocka_unit_test(a_file_in_proc_is_read_whole),
		WITH_PLACE(no_descriptor_stays_open),
		cmocka_unit_test(hashes_are_fnv_1a),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
