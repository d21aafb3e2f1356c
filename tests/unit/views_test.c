// SPDX-License-Identifier: GPL-2.0-only
/* The views of a user's directory. Which names and files are refused is in cases/iterdir.bats. */
#include <unistd.h>

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
	put("cut.bpf.o", task->data, task->size / 2);
	put("copy.bpf.o", task->data, task->size);
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

static void an_iterator_without_a_view_is_raw(void **state)
{
	const struct kv_embedded *query = kv_embedded_find("identity/processes");
	const struct kv_view *view;
	struct kv_views views;
	struct kv_err err = {0};

	(void)state;
	put("query.bpf.o", query->data, query->size);
	assert_int_equal(kv_views_open(dir, NULL, &views, &err), 0);
	view = find(&views, "query.processes");
	assert_null(view->schema);
	assert_string_equal(view->program, "processes");
	assert_string_equal(view->kind, "task");
	assert_int_equal(view->param, KV_PARAM_TASK);
	assert_ptr_equal(find(&views, "raw/query.processes"), view);
	assert_null(kv_views_find(&views, "query", &err));
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
	(void)state;
	assert_true(kv_object_fingerprint("abc", 3) == kv_object_fingerprint("abc", 3));
	assert_true(kv_object_fingerprint("abc", 3) != kv_object_fingerprint("abd", 3));
	assert_true(kv_object_fingerprint("abc", 3) != kv_object_fingerprint("abc", 2));
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(broken_objects_do_not_take_the_others_down),
		IN_DIR(an_iterator_without_a_view_is_raw),
		cmocka_unit_test(a_view_that_is_not_there_is_named),
		cmocka_unit_test(fingerprints_tell_objects_apart),
	};

	return cmocka_run_group_tests_name("views", tests, NULL, NULL);
}
