// SPDX-License-Identifier: GPL-2.0-only
/* The embedded objects: their BTF is what users were promised. No kernel is touched. */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>

#include "load/view.h"
#include "render/render.h"
#include "schema/table.h"
#include "unit.h"

static struct kv_views views;

static int open_views(void **state)
{
	struct kv_err err = {0};

	(void)state;
	return kv_views_open(NULL, NULL, &views, &err);
}

static int close_views(void **state)
{
	(void)state;
	kv_views_close(&views);
	return 0;
}

static const struct kv_view *view_of(const char *name)
{
	struct kv_err err = {0};
	const struct kv_view *view = kv_views_find(&views, name, &err);

	assert_non_null(view);
	assert_non_null(view->schema);
	return view;
}

/* --- what holds for every view --- */

static void no_view_is_broken(void **state)
{
	(void)state;
	assert_true(views.n > 0);
	for (size_t i = 0; i < views.n; i++) {
		assert_non_null(views.list[i].schema);
		assert_int_equal(views.list[i].rc, 0);
		assert_false(views.list[i].is_loaded);
	}
}

static void views_of_tasks_know_that_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < views.n; i++)
		assert_int_equal(views.list[i].param == KV_PARAM_TASK,
				 strncmp(views.list[i].kind, "task", 4) == 0);
}

#define COLLECTING 10  /* views */
#define OF_PROCESSES 5 /* of them, with rows of one's own for everyone */

/* Their rows are of one map, which the object itself has: it is no parameter. */
static void views_that_collect_have_a_map_and_collectors(void **state)
{
	unsigned int n = 0, open = 0;

	(void)state;
	for (size_t i = 0; i < views.n; i++) {
		const struct kv_view *view = &views.list[i];

		assert_int_equal(*view->schema->rows != '\0', view->collectors.n > 0);
		assert_int_equal(kv_view_is_off(view), view->collectors.n > 0);
		if (!view->collectors.n)
			continue;
		n++;
		assert_string_equal(view->kind, "bpf_map_elem");
		assert_int_equal(view->param, KV_PARAM_NONE);
		assert_int_equal(kv_view_is_wide(view), !view->schema->for_all);
		open += view->schema->for_all;
		assert_string_equal(view->others, "");
		for (size_t j = 0; j < view->collectors.n; j++)
			assert_int_equal(view->collectors.list[j].link_fd, -1);
	}
	assert_int_equal(n, COLLECTING);
	assert_int_equal(open, OF_PROCESSES);
}

static unsigned int count_wanted(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < views.n; i++)
		n += views.list[i].collectors.wanted == KV_COLLECT_RUN;
	return n;
}

static void want_none(void)
{
	for (size_t i = 0; i < views.n; i++)
		views.list[i].collectors.wanted = KV_COLLECT_NOT;
}

static void collectors_are_asked_for_by_their_views_names(void **state)
{
	struct kv_err err;

	(void)state;
	assert_int_equal(kv_views_collect(&views, "exits", &err), 0);
	assert_int_equal(count_wanted(), 1);
	assert_false(kv_view_is_off(view_of("exits")));
	assert_true(kv_view_is_off(view_of("exit_totals")));
	assert_int_equal(kv_views_collect(&views, "exit_totals+exits", &err), 0);
	assert_int_equal(count_wanted(), 2);
	want_none();
	assert_int_equal(kv_views_collect(&views, "all", &err), 0);
	assert_int_equal(count_wanted(), COLLECTING);
	want_none();
}

static void names_that_nothing_is_collected_for_are_refused(void **state)
{
	static const char *const none[] = {"nope",   "task", "exits+task",
					   "exits+", "+",    "raw/exits,"};
	struct kv_err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		err = (struct kv_err){0};
		assert_int_equal(kv_views_collect(&views, none[i], &err), -EINVAL);
		assert_true(err.msg[0] && err.hint[0]);
		want_none();
	}
}

static void queries_are_no_views(void **state)
{
	(void)state;
	assert_non_null(kv_embedded_find("identity/processes"));
	assert_non_null(kv_embedded_find("identity/reader"));
	for (size_t i = 0; i < views.n; i++)
		assert_null(strchr(views.list[i].name, '/'));
}

static void every_view_says_what_it_shows_and_since_when(void **state)
{
	(void)state;
	for (size_t i = 0; i < views.n; i++) {
		const char *since = views.list[i].schema->since;

		assert_true(views.list[i].schema->shows[0]);
		assert_true(isdigit((unsigned char)since[0]));
		assert_int_equal(strspn(since, "0123456789."), strlen(since));
	}
}

static void every_column_has_a_meaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < views.n; i++) {
		const struct kv_schema *s = views.list[i].schema;

		for (unsigned int j = 0; j < s->ncolumns; j++)
			if (!s->columns[j].meaning[0])
				fail_msg("%s.%s", views.list[i].name, s->columns[j].name);
	}
}

static void every_column_of_seconds_has_their_unit(void **state)
{
	(void)state;
	for (size_t i = 0; i < views.n; i++) {
		const struct kv_schema *s = views.list[i].schema;

		for (unsigned int j = 0; j < s->ncolumns; j++)
			if ((s->columns[j].show == KV_SHOW_SECONDS) !=
			    (strcmp(s->columns[j].unit, "s") == 0))
				fail_msg("%s.%s", views.list[i].name, s->columns[j].name);
	}
}

static const struct kv_column *column_of(const char *view, const char *name)
{
	const struct kv_schema *s = view_of(view)->schema;
	int i = kv_schema_find(s, name, strlen(name));

	assert_true(i >= 0);
	return &s->columns[i];
}

static void sizes_and_memory_are_in_bytes(void **state)
{
	(void)state;
	assert_string_equal(column_of("task", "vsize")->unit, "bytes");
	assert_string_equal(column_of("task", "rss")->unit, "bytes");
	assert_string_equal(column_of("task_file", "size")->unit, "bytes");
	assert_string_equal(column_of("kmem_cache", "memory")->unit, "bytes");
	assert_string_equal(column_of("kmem_cache", "objsize")->unit, "bytes");
}

static void every_views_tables_are_distinct_builds(void **state)
{
	(void)state;
	for (size_t i = 0; i < views.n; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(views.list[i].fingerprint != views.list[j].fingerprint);
}

/* --- the record structs themselves --- */

static struct bpf_object *open_object(const struct kv_view *view)
{
	struct bpf_object *object = NULL;
	struct kv_err err = {0};

	assert_int_equal(
		kv_object_open(view->name, NULL, view->data, view->size, NULL, &object, &err), 0);
	return object;
}

/* The struct whose first member is `struct kv_head _head`. */
static const struct btf_type *find_record(const struct btf *btf)
{
	const struct btf_type *found = NULL;

	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (!btf_is_struct(t) || !btf_vlen(t) ||
		    strcmp(btf__name_by_offset(btf, btf_members(t)->name_off), "_head") != 0)
			continue;
		assert_null(found);
		found = t;
	}
	assert_non_null(found);
	return found;
}

/* A hole would be bytes that nobody meant to show. */
static void check_holes(const struct kv_view *view, const struct btf *btf)
{
	const struct btf_type *record = find_record(btf);
	const struct btf_member *m = btf_members(record);
	uint32_t at = 0;

	for (uint32_t i = 0; i < btf_vlen(record); i++) {
		if (btf_member_bit_offset(record, i) != at * 8)
			fail_msg("%s: a hole before '%s'", view->name,
				 btf__name_by_offset(btf, m[i].name_off));
		at += (uint32_t)btf__resolve_size(btf, m[i].type);
	}
	if (at != record->size)
		fail_msg("%s: a hole at the end", view->name);
	assert_int_equal(view->schema->fixed, record->size);
}

static void no_record_has_padding_holes(void **state)
{
	(void)state;
	for (size_t i = 0; i < views.n; i++) {
		struct bpf_object *object = open_object(&views.list[i]);

		check_holes(&views.list[i], bpf_object__btf(object));
		bpf_object__close(object);
	}
}

static void every_member_of_a_record_is_a_column_or_hidden(void **state)
{
	(void)state;
	for (size_t i = 0; i < views.n; i++) {
		struct bpf_object *object = open_object(&views.list[i]);
		const struct btf *btf = bpf_object__btf(object);
		const struct btf_type *record = find_record(btf);
		const struct btf_member *m = btf_members(record);
		unsigned int shown = 0;

		for (uint32_t j = 0; j < btf_vlen(record); j++)
			shown += btf__name_by_offset(btf, m[j].name_off)[0] != '_';
		assert_int_equal(shown, views.list[i].schema->ncolumns);
		bpf_object__close(object);
	}
}

static void the_loaders_table_fits_the_objects_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < views.n; i++) {
		struct bpf_object *object = open_object(&views.list[i]);
		struct bpf_map *map = bpf_object__find_map_by_name(object, KV_TABLE_MAP);
		struct kv_table table = {0};

		assert_non_null(map);
		kv_schema_table(views.list[i].schema, &table);
		assert_int_equal(bpf_map__set_initial_value(map, &table, sizeof(table)), 0);
		bpf_object__close(object);
	}
}

/* --- objects that are none --- */

static void refuse_object(const void *data, size_t size, const char *words)
{
	struct bpf_object *object = NULL;
	struct kv_err err = {0};

	assert_true(kv_object_open("x", NULL, data, size, NULL, &object, &err) < 0);
	assert_null(object);
	assert_says(&err, words);
	assert_true(err.hint[0]);
}

static void bytes_that_are_no_object_are_refused(void **state)
{
	(void)state;
	refuse_object("", 0, "not a BPF object");
	refuse_object("\x7f"
		      "ELF",
		      4, "not a BPF object");
	refuse_object("hello, world", 12, "not a BPF object");
}

static void every_cut_of_an_object_is_refused_or_whole(void **state)
{
	const struct kv_embedded *e = kv_embedded_find("identity/reader");
	size_t size = e->size;

	(void)state;
	for (size_t cut = 0; cut < size; cut += size / 64 + 1) {
		struct bpf_object *object = NULL;
		char *data = malloc(cut + 1);
		struct kv_err err = {0};

		memcpy(data, e->data, cut);
		assert_true(kv_object_open("x", NULL, data, cut, NULL, &object, &err) < 0);
		assert_true(err.msg[0]);
		free(data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_view_is_broken),
		cmocka_unit_test(views_of_tasks_know_that_they_are),
		cmocka_unit_test(views_that_collect_have_a_map_and_collectors),
		cmocka_unit_test(collectors_are_asked_for_by_their_views_names),
		cmocka_unit_test(names_that_nothing_is_collected_for_are_refused),
		cmocka_unit_test(queries_are_no_views),
		cmocka_unit_test(every_view_says_what_it_shows_and_since_when),
		cmocka_unit_test(every_column_has_a_meaning),
		cmocka_unit_test(every_column_of_seconds_has_their_unit),
		cmocka_unit_test(sizes_and_memory_are_in_bytes),
		cmocka_unit_test(every_views_tables_are_distinct_builds),
		cmocka_unit_test(no_record_has_padding_holes),
		cmocka_unit_test(every_member_of_a_record_is_a_column_or_hidden),
		cmocka_unit_test(the_loaders_table_fits_the_objects_own),
		cmocka_unit_test(bytes_that_are_no_object_are_refused),
		cmocka_unit_test(every_cut_of_an_object_is_refused_or_whole),
	};

	return cmocka_run_group_tests_name("builtin", tests, open_views, close_views);
}
