// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects on their way into the kernel, which is not reached: what is refused
 * before, what the column table says, and how a failure is explained.
 */
#include <bpf/libbpf.h>
#include <unistd.h>

#include "load/kernel.h"
#include "load/view.h"
#include "unit.h"

/* Stands before libbpf's: the table as it would be loaded, and a refusal. */
static struct {
	int rc;
	unsigned int calls;
	struct kv_table table;
} load;

int bpf_object__load(struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, KV_TABLE_MAP);
	size_t size = 0;
	const void *table = map ? bpf_map__initial_value(map, &size) : NULL;

	load.calls++;
	if (table && size == sizeof(load.table))
		memcpy(&load.table, table, size);
	return load.rc;
}

static struct kv_views views;

static int open_views(void **state)
{
	struct kv_err err = {0};

	(void)state;
	memset(&load, 0, sizeof(load));
	load.rc = -EPERM;
	return kv_views_open(NULL, NULL, &views, &err);
}

static int close_views(void **state)
{
	(void)state;
	kv_views_close(&views);
	return 0;
}

static struct bpf_object *open_bytes(const char *data, size_t size)
{
	struct bpf_object *object = NULL;
	struct kv_err err = {0};

	if (kv_object_open("x", NULL, data, size, NULL, &object, &err))
		fail_msg("%s", err.msg);
	return object;
}

static struct bpf_object *open_embedded(const char *name)
{
	const struct kv_embedded *e = kv_embedded_find(name);

	assert_non_null(e);
	return open_bytes(e->data, e->size);
}

static const struct kv_schema *schema_of(const char *name)
{
	struct kv_err err = {0};
	const struct kv_view *view = kv_views_find(&views, name, &err);

	assert_non_null(view);
	return view->schema;
}

/* As the view `task`; the object is closed. */
static int try_load(struct bpf_object *object, struct kv_err *err)
{
	struct kv_loaded loaded = KV_LOADED_INIT;
	int rc;

	*err = (struct kv_err){0};
	rc = kv_object_load(object, schema_of("task"), 0x1234, &loaded, err);
	bpf_object__close(object);
	assert_int_equal(loaded.prog_fd, -1);
	assert_int_equal(loaded.link_fd, -1);
	assert_int_equal(loaded.readers_fd, -1);
	return rc;
}

static void refuse(struct bpf_object *object)
{
	struct kv_err err;

	assert_int_equal(try_load(object, &err), -EINVAL);
	assert_says(&err, "built with other headers");
	assert_hints(&err, "build it again");
	assert_int_equal(load.calls, 0);
}

/* --- objects of other builds --- */

static void an_object_of_this_build_goes_to_the_kernel(void **state)
{
	struct kv_err err;

	(void)state;
	assert_int_equal(try_load(open_embedded("task"), &err), -EPERM);
	assert_int_equal(load.calls, 1);
}

static struct bpf_object *with_abi(uint32_t abi)
{
	struct bpf_object *object = open_embedded("task");
	struct bpf_map *map = bpf_object__find_map_by_name(object, KV_TABLE_MAP);
	struct kv_table table;
	size_t size;

	memcpy(&table, bpf_map__initial_value(map, &size), sizeof(table));
	assert_int_equal(size, sizeof(table));
	assert_int_equal(table.abi, KV_ABI_VERSION);
	table.abi = abi;
	assert_int_equal(bpf_map__set_initial_value(map, &table, sizeof(table)), 0);
	return object;
}

static void an_object_of_another_abi_is_refused(void **state)
{
	(void)state;
	refuse(with_abi(KV_ABI_VERSION - 1));
	refuse(with_abi(KV_ABI_VERSION + 1));
	refuse(with_abi(0));
	refuse(with_abi(UINT32_MAX));
}

static struct bpf_object *with_scope(uint32_t size)
{
	struct bpf_object *object = open_embedded("task");
	struct bpf_map *map = bpf_object__find_map_by_name(object, KV_READERS_MAP);

	assert_non_null(map);
	assert_int_equal(bpf_map__value_size(map), sizeof(struct kv_reading));
	assert_int_equal(bpf_map__set_value_size(map, size), 0);
	return object;
}

/* It would take a field for another, and show a reader what it must not. */
static void an_object_with_another_scope_is_refused(void **state)
{
	(void)state;
	refuse(with_scope(sizeof(struct kv_reading) - 8));
	refuse(with_scope(sizeof(struct kv_reading) + 8));
	refuse(with_scope(8));
}

/* The object `task` with a name in it that is another, of the same length. */
static struct bpf_object *renamed(const char *from, const char *to)
{
	const struct kv_embedded *e = kv_embedded_find("task");
	size_t size = e->size, len = strlen(from), n = 0;
	char *data = malloc(size);
	struct bpf_object *object;

	assert_non_null(data);
	memcpy(data, e->data, size);
	for (char *at; (at = memmem(data, size, from, len)); n++)
		memcpy(at, to, len);
	assert_true(n > 0);
	object = open_bytes(data, size);
	free(data);
	return object;
}

/* It would show everybody everything. */
static void an_object_that_knows_of_no_readers_is_refused(void **state)
{
	(void)state;
	refuse(renamed(KV_READERS_MAP, "kv_writers"));
}

static void an_object_without_a_table_is_refused(void **state)
{
	(void)state;
	refuse(renamed(KV_TABLE_MAP, ".rodata.kvieW"));
	refuse(open_embedded("identity/processes"));
}

/* --- the table --- */

static void the_table_is_filled_in_before(void **state)
{
	const struct kv_schema *schema = schema_of("task");
	struct kv_err err;

	(void)state;
	assert_int_equal(try_load(open_embedded("task"), &err), -EPERM);
	assert_int_equal(load.table.abi, KV_ABI_VERSION);
	assert_int_equal(load.table.fingerprint, 0x1234);
	assert_int_equal(load.table.ncolumns, schema->ncolumns);
	assert_string_equal(load.table.columns[0].name, "PID");
	assert_int_equal(1u << load.table.page_shift, sysconf(_SC_PAGESIZE));
	assert_true(load.table.nr_nodes >= 1);
}

static void a_query_needs_no_table(void **state)
{
	struct kv_loaded loaded = KV_LOADED_INIT;
	struct bpf_object *object = open_embedded("identity/reader");
	struct kv_err err = {0};

	(void)state;
	assert_int_equal(kv_object_load(object, NULL, 0, &loaded, &err), -EPERM);
	assert_int_equal(load.calls, 1);
	bpf_object__close(object);
}

/* --- failures --- */

static void a_lack_of_rights_is_explained(void **state)
{
	struct kv_err err;

	(void)state;
	assert_int_equal(try_load(open_embedded("task"), &err), -EPERM);
	assert_hints(&err, "CAP_BPF");
	/* ... even where the kernel has no such iterator: that is not known then */
	assert_int_equal(try_load(renamed("iter/task", "iter/tusk"), &err), -EPERM);
}

static void a_kind_that_the_kernel_lacks_is_explained(void **state)
{
	struct kv_err err;

	(void)state;
	load.rc = -EINVAL;
	assert_int_equal(try_load(renamed("iter/task", "iter/tusk"), &err), -EOPNOTSUPP);
	assert_says(&err, "no 'tusk' iterator");
	assert_hints(&err, schema_of("task")->since);
}

static void another_failure_is_what_the_kernel_says(void **state)
{
	struct kv_err err;

	(void)state;
	load.rc = -ENOMEM;
	assert_int_equal(try_load(open_embedded("task"), &err), -ENOMEM);
	assert_says(&err, strerror(ENOMEM));
}

#define WITH_VIEWS(f) cmocka_unit_test_setup_teardown(f, open_views, close_views)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_VIEWS(an_object_of_this_build_goes_to_the_kernel),
		WITH_VIEWS(an_object_of_another_abi_is_refused),
		WITH_VIEWS(an_object_with_another_scope_is_refused),
		WITH_VIEWS(an_object_that_knows_of_no_readers_is_refused),
		WITH_VIEWS(an_object_without_a_table_is_refused),
		WITH_VIEWS(the_table_is_filled_in_before),
		WITH_VIEWS(a_query_needs_no_table),
		WITH_VIEWS(a_lack_of_rights_is_explained),
		WITH_VIEWS(a_kind_that_the_kernel_lacks_is_explained),
		WITH_VIEWS(another_failure_is_what_the_kernel_says),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
