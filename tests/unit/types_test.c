// SPDX-License-Identifier: GPL-2.0-only
/* Excerpts of the kernel's types: of a kernel made here, and of the running one. */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "load/load.h"
#include "load/types.h"
#include "unit.h"

#define VMLINUX "/sys/kernel/btf/vmlinux"

/*
 * struct outer { struct inner in; struct far *far; number list[4]; };
 * struct inner { int x; }; struct far { int y; }; typedef int number;
 * and twice struct twin, of 4 and of 8 bytes; struct outer___old
 */
static struct btf *make_kernel(void)
{
	struct btf *btf = btf__new_empty();
	int i32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED), in, far, number, list;

	btf__add_func(btf, "outer", BTF_FUNC_GLOBAL, btf__add_func_proto(btf, i32));
	in = btf__add_struct(btf, "inner", 4);
	btf__add_field(btf, "x", i32, 0, 0);
	far = btf__add_struct(btf, "far", 4);
	btf__add_field(btf, "y", i32, 0, 0);
	number = btf__add_typedef(btf, "number", i32);
	list = btf__add_array(btf, i32, number, 4);
	far = btf__add_ptr(btf, far);
	btf__add_struct(btf, "outer", 32);
	btf__add_field(btf, "in", in, 0, 0);
	btf__add_field(btf, "far", far, 64, 0);
	btf__add_field(btf, "list", list, 128, 0);
	btf__add_struct(btf, "outer___old", 1);
	btf__add_struct(btf, "twin", 4);
	btf__add_struct(btf, "twin", 8);
	return btf;
}

/* The excerpt for an object that has one struct of that name. */
static struct btf *excerpt_for(const char *name)
{
	struct kv_types *types = kv_types_new(make_kernel());
	struct btf *wanted = btf__new_empty(), *excerpt;

	assert_non_null(types);
	btf__add_struct(wanted, name, 0);
	excerpt = kv_types_excerpt(types, wanted);
	assert_non_null(excerpt);
	btf__free(wanted);
	kv_types_free(types);
	return excerpt;
}

static int find_struct(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
}

static void a_type_comes_with_what_it_consists_of(void **state)
{
	struct btf *btf = excerpt_for("outer");
	int id = find_struct(btf, "outer");
	const struct btf_member *m;
	const struct btf_type *t;

	(void)state;
	assert_true(id > 0);
	m = btf_members(btf__type_by_id(btf, id));
	assert_int_equal(m[0].type, find_struct(btf, "inner"));
	assert_int_equal(m[1].offset, 64);
	t = btf__type_by_id(btf, m[2].type);
	assert_true(btf_is_array(t));
	assert_int_equal(btf_array(t)->type,
			 btf__find_by_name_kind(btf, "number", BTF_KIND_TYPEDEF));
	assert_int_equal(btf_array(t)->index_type,
			 btf__find_by_name_kind(btf, "int", BTF_KIND_INT));
	assert_int_equal(btf__resolve_size(btf, m[2].type), 16);
	btf__free(btf);
}

static void what_a_pointer_points_to_stays_out(void **state)
{
	struct btf *btf = excerpt_for("outer");
	int id = find_struct(btf, "outer");
	const struct btf_type *t;

	(void)state;
	assert_true(id > 0);
	t = btf__type_by_id(btf, btf_members(btf__type_by_id(btf, id))[1].type);
	assert_true(btf_is_ptr(t));
	assert_int_equal(t->type, 0);
	assert_int_equal(find_struct(btf, "far"), -ENOENT);
	btf__free(btf);
}

static void a_flavour_is_the_same_name(void **state)
{
	static const char *const names[] = {"outer", "outer___new", "outer___old"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct btf *btf = excerpt_for(names[i]);

		assert_true(find_struct(btf, "outer") > 0);
		assert_true(find_struct(btf, "outer___old") > 0);
		assert_int_equal(find_struct(btf, "twin"), -ENOENT);
		btf__free(btf);
	}
}

static void of_a_name_that_is_there_twice_both_come(void **state)
{
	struct btf *btf = excerpt_for("twin");

	(void)state;
	assert_int_equal(btf__type_cnt(btf), 3);
	assert_int_equal(btf__type_by_id(btf, 1)->size, 4);
	assert_int_equal(btf__type_by_id(btf, 2)->size, 8);
	btf__free(btf);
}

static void of_a_name_that_is_not_there_nothing_comes(void **state)
{
	static const char *const names[] = {"nothing", "oute", "outer_", "outer__", "___outer"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct btf *btf = excerpt_for(names[i]);

		assert_int_equal(btf__type_cnt(btf), 1);
		btf__free(btf);
	}
}

/* struct s { u32 plain; u64 wide; u32 bits : 3; struct { u32 nested; }; struct in { u32 deep; } in; } */
static struct btf *make_numbers(int size)
{
	struct btf *btf = btf__new_empty();
	int number = btf__add_int(btf, "u32", (size_t)size, 0);
	int wide = btf__add_int(btf, "u64", 8, 0), anonymous, in;

	anonymous = btf__add_struct(btf, "", 8);
	btf__add_field(btf, "nested", number, 0, 0);
	in = btf__add_struct(btf, "in", 8);
	btf__add_field(btf, "deep", number, 0, 0);
	btf__add_struct(btf, "s", 64);
	btf__add_field(btf, "plain", number, 0, 0);
	btf__add_field(btf, "wide", wide, 64, 0);
	btf__add_field(btf, "bits", number, 128, 3);
	btf__add_field(btf, "", anonymous, 192, 0);
	btf__add_field(btf, "in", in, 256, 0);
	return btf;
}

static bool has_name(const struct btf *btf, const char *name)
{
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		for (uint32_t i = 0; btf_is_composite(t) && i < btf_vlen(t); i++)
			if (strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), name) == 0)
				return true;
	}
	return false;
}

/* Of a program that knows numbers of @wanted bytes, on a kernel that has @size. */
static struct btf *excerpt_of_numbers(int wanted, int size)
{
	struct kv_types *types = kv_types_new(make_numbers(size));
	struct btf *want = make_numbers(wanted), *excerpt = kv_types_excerpt(types, want);

	assert_non_null(excerpt);
	btf__free(want);
	kv_types_free(types);
	return excerpt;
}

static void numbers_of_another_size_have_no_name(void **state)
{
	struct btf *same = excerpt_of_numbers(4, 4), *other = excerpt_of_numbers(4, 2);
	static const char *const names[] = {"plain", "nested", "deep"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_true(has_name(same, names[i]));
		assert_false(has_name(other, names[i]));
	}
	assert_true(has_name(other, "wide"));
	assert_true(has_name(other, "in"));
	assert_true(has_name(other, "bits")); /* read as a bit-field is, whatever it lies in */
	btf__free(same);
	btf__free(other);
}

static void a_bit_field_is_no_whole_number(void **state)
{
	struct kv_types *types = kv_types_new(make_numbers(4));
	struct btf *want = btf__new_empty(), *excerpt;

	(void)state;
	btf__add_int(want, "u32", 4, 0);
	btf__add_struct(want, "s___flavour", 8);
	btf__add_field(want, "bits", 1, 0, 0);
	btf__add_field(want, "plain", 1, 32, 0);
	excerpt = kv_types_excerpt(types, want);
	assert_non_null(excerpt);
	assert_false(has_name(excerpt, "bits"));
	assert_true(has_name(excerpt, "plain"));
	btf__free(excerpt);
	btf__free(want);
	kv_types_free(types);
}

static void the_file_holds_the_excerpt_asked_for_last(void **state)
{
	static const char *const names[] = {"outer", "twin", "outer"};
	struct kv_types *types = kv_types_new(make_kernel());

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *path = kv_types_path(types);
		struct btf *wanted = btf__new_empty(), *found;

		assert_non_null(path);
		btf__add_struct(wanted, names[i], 0);
		assert_int_equal(kv_types_offer(types, wanted), 0);
		found = btf__parse(path, NULL);
		assert_int_equal(libbpf_get_error(found), 0);
		assert_true(find_struct(found, names[i]) > 0);
		assert_int_equal(find_struct(found, i == 1 ? "outer" : "twin"), -ENOENT);
		btf__free(wanted);
		btf__free(found);
	}
	kv_types_free(types);
}

/* --- the running kernel --- */

static const char *name_of(const struct btf *btf, const struct btf_type *t)
{
	return btf__name_by_offset(btf, t->name_off);
}

/* The next struct of that name behind @id, 0 for none. */
static uint32_t next_struct(const struct btf *btf, const char *name, uint32_t id)
{
	while (++id < btf__type_cnt(btf)) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (btf_is_struct(t) && strcmp(name_of(btf, t), name) == 0)
			return id;
	}
	return 0;
}

static void assert_same_struct(const struct btf *a, uint32_t a_id, const struct btf *b,
			       uint32_t b_id)
{
	const struct btf_type *x = btf__type_by_id(a, a_id), *y = btf__type_by_id(b, b_id);

	assert_int_equal(x->size, y->size);
	assert_int_equal(x->info, y->info);
	for (uint32_t i = 0; i < btf_vlen(x); i++) {
		const struct btf_member *m = &btf_members(x)[i], *n = &btf_members(y)[i];

		assert_int_equal(m->offset, n->offset);
		assert_string_equal(btf__name_by_offset(a, m->name_off),
				    btf__name_by_offset(b, n->name_off));
		assert_int_equal(btf__resolve_size(a, m->type), btf__resolve_size(b, n->type));
	}
}

/* How many structs of the object's names there are; each as the kernel has it. */
static unsigned int compare_all(const struct btf *kernel, const struct btf *excerpt,
				const struct btf *wanted)
{
	unsigned int n = 0;

	for (uint32_t id = 1; id < btf__type_cnt(wanted); id++) {
		const struct btf_type *t = btf__type_by_id(wanted, id);
		const char *name = name_of(wanted, t);
		uint32_t a = 0, b = 0;

		if (!btf_is_struct(t) || !*name)
			continue;
		for (;;) {
			a = next_struct(kernel, name, a);
			b = next_struct(excerpt, name, b);
			assert_int_equal(!a, !b);
			if (!a)
				break;
			assert_same_struct(kernel, a, excerpt, b);
			n++;
		}
	}
	return n;
}

static void excerpts_for_what_is_built_in_are_the_kernels_truth(void **state)
{
	struct btf *kernel = btf__parse(VMLINUX, NULL); /* CONFIG_DEBUG_INFO_BTF */
	struct kv_types *types;

	(void)state;
	assert_non_null(kernel);
	types = kv_types_new(btf__parse(VMLINUX, NULL));
	assert_non_null(types);
	for (const struct kv_embedded *e = kv_embedded; e->name; e++) {
		struct bpf_object *object = bpf_object__open_mem(e->data, e->size, NULL);
		struct btf *excerpt;

		assert_non_null(object);
		excerpt = kv_types_excerpt(types, bpf_object__btf(object));
		assert_non_null(excerpt);
		assert_true(compare_all(kernel, excerpt, bpf_object__btf(object)) > 5);
		assert_true(btf__type_cnt(excerpt) < btf__type_cnt(kernel) / 10);
		btf__free(excerpt);
		bpf_object__close(object);
	}
	kv_types_free(types);
	btf__free(kernel);
}

static void what_was_dropped_is_read_anew(void **state)
{
	struct kv_types *types = kv_types_new(NULL);
	struct btf *wanted = btf__new_empty();

	(void)state;
	btf__add_struct(wanted, "task_struct", 0);
	for (int i = 0; i < 2; i++) {
		struct btf *found;

		assert_non_null(kv_types_path(types));
		assert_int_equal(kv_types_offer(types, wanted), 0);
		found = btf__parse(kv_types_path(types), NULL);
		assert_true(find_struct(found, "task_struct") > 0);
		btf__free(found);
		kv_types_drop(types);
	}
	btf__free(wanted);
	kv_types_free(types);
	kv_types_drop(NULL);
	kv_types_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_type_comes_with_what_it_consists_of),
		cmocka_unit_test(what_a_pointer_points_to_stays_out),
		cmocka_unit_test(a_flavour_is_the_same_name),
		cmocka_unit_test(of_a_name_that_is_there_twice_both_come),
		cmocka_unit_test(of_a_name_that_is_not_there_nothing_comes),
		cmocka_unit_test(numbers_of_another_size_have_no_name),
		cmocka_unit_test(a_bit_field_is_no_whole_number),
		cmocka_unit_test(the_file_holds_the_excerpt_asked_for_last),
		cmocka_unit_test(excerpts_for_what_is_built_in_are_the_kernels_truth),
		cmocka_unit_test(what_was_dropped_is_read_anew),
	};

	return cmocka_run_group_tests_name("kernel types", tests, NULL, NULL);
}
