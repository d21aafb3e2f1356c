// SPDX-License-Identifier: GPL-2.0-only
/* Record structs that can't be a view: refused, with a word that says why. */
#include "make_btf.h"

static void without_a_view_nothing_is_found(void **state)
{
	struct kv_err err;
	struct made m;

	(void)state;
	make_base(&m);
	assert_refused(&m, -ENOENT, "declares no view", &err);
	assert_hints(&err, "KV_VIEW()");
}

static void empty_btf_has_no_view(void **state)
{
	struct made m = {.btf = btf__new_empty()};
	struct kv_err err;

	(void)state;
	assert_refused(&m, -ENOENT, "declares no view", &err);
}

static void a_function_of_that_name_is_no_view(void **state)
{
	struct kv_err err;
	struct made m;

	(void)state;
	make_base(&m);
	btf__add_func(m.btf, KV_VIEW_VAR, BTF_FUNC_GLOBAL, btf__add_func_proto(m.btf, m.u32));
	assert_refused(&m, -ENOENT, "declares no view", &err);
}

/* --- the variable --- */

static void refuse_var(struct made *m, int type)
{
	struct kv_err err;

	assert_true(btf__add_var(m->btf, KV_VIEW_VAR, BTF_VAR_GLOBAL_ALLOCATED, type) > 0);
	assert_refused(m, -EINVAL, "names no record struct", &err);
}

static void a_variable_that_is_a_number_names_no_record(void **state)
{
	struct made m;

	(void)state;
	make_base(&m);
	refuse_var(&m, m.u32);
}

static void a_variable_with_one_member_names_no_record(void **state)
{
	struct made m;
	int s;

	(void)state;
	make_base(&m);
	s = btf__add_struct(m.btf, NULL, 4);
	btf__add_field(m.btf, "record", m.u32, 0, 0);
	refuse_var(&m, s);
}

static void a_record_member_that_is_no_array_names_no_record(void **state)
{
	struct made m;
	int s;

	(void)state;
	make_base(&m);
	s = btf__add_struct(m.btf, NULL, 8);
	btf__add_field(m.btf, "record", m.u32, 0, 0);
	btf__add_field(m.btf, "table", m.u32, 32, 0);
	refuse_var(&m, s);
}

static void refuse_anchor(const char *member, bool by_pointer)
{
	struct kv_err err;
	struct made m;

	make_base(&m);
	make_record(&m, 8);
	field(&m, "x", m.u32, 4);
	make_anchor(&m, member, by_pointer ? btf__add_ptr(m.btf, m.record) : m.record);
	assert_refused(&m, -EINVAL, "names no record struct", &err);
}

static void a_member_of_another_name_names_no_record(void **state)
{
	(void)state;
	refuse_anchor("rows", true);
}

static void an_array_of_no_pointers_names_no_record(void **state)
{
	(void)state;
	refuse_anchor("record", false);
}

static void refuse_pointer_to(struct made *m, int type)
{
	struct kv_err err = {0};
	struct kv_schema *schema = NULL;

	make_anchor(m, "record", btf__add_ptr(m->btf, type));
	assert_int_equal(kv_schema_from_btf(m->btf, &schema, &err), -EINVAL);
	assert_null(schema);
	assert_true(err.msg[0]);
	btf__free(m->btf);
}

static void a_record_that_is_void_is_refused(void **state)
{
	struct made m;

	(void)state;
	make_base(&m);
	refuse_pointer_to(&m, 0);
}

static void a_record_that_is_an_integer_is_refused(void **state)
{
	struct made m;

	(void)state;
	make_base(&m);
	refuse_pointer_to(&m, m.u64);
}

static void a_record_that_is_only_declared_is_refused(void **state)
{
	struct made m;

	(void)state;
	make_base(&m);
	refuse_pointer_to(&m, btf__add_fwd(m.btf, "row", BTF_FWD_STRUCT));
}

static void a_record_that_is_a_union_is_refused(void **state)
{
	struct made m;
	int u;

	(void)state;
	make_base(&m);
	u = btf__add_union(m.btf, "row", 8);
	btf__add_field(m.btf, "_head", m.head, 0, 0);
	btf__add_field(m.btf, "x", m.u64, 0, 0);
	refuse_pointer_to(&m, u);
}

/* Ids that lead nowhere or in circles: only a forger writes them. */
static void a_type_that_does_not_exist_is_refused(void **state)
{
	struct made m;

	(void)state;
	make_base(&m);
	refuse_pointer_to(&m, 0x123456);
}

static void a_typedef_of_itself_is_refused(void **state)
{
	struct made m;
	int id;

	(void)state;
	make_base(&m);
	id = (int)btf__type_cnt(m.btf);
	assert_int_equal(btf__add_typedef(m.btf, "loop", id), id);
	refuse_pointer_to(&m, id);
}

/* --- the record --- */

static void refuse_record(uint32_t size, const char *first, int type_of(struct made *),
			  const char *words)
{
	struct kv_err err;
	struct made m;
	int type;

	make_base(&m);
	type = type_of(&m);
	m.record = btf__add_struct(m.btf, "row", size);
	if (first)
		btf__add_field(m.btf, first, type, 0, 0);
	declare(&m);
	assert_refused(&m, size > KV_FIXED_MAX ? -E2BIG : -EINVAL, words, &err);
}

static int head_type(struct made *m)
{
	return m->head;
}

static int u32_type(struct made *m)
{
	return m->u32;
}

static void a_record_without_fields_is_refused(void **state)
{
	(void)state;
	refuse_record(8, NULL, head_type, "does not begin with struct kv_head");
}

static void a_record_without_a_head_is_refused(void **state)
{
	(void)state;
	refuse_record(8, "_head", u32_type, "does not begin with struct kv_head");
}

static void a_record_of_a_head_alone_has_no_columns(void **state)
{
	(void)state;
	refuse_record(4, "_head", head_type, "has no columns");
}

static void a_record_above_its_limit_is_refused(void **state)
{
	(void)state;
	refuse_record(KV_FIXED_MAX + 1, "_head", head_type, "larger than 1024 bytes");
}

static void a_head_that_is_not_at_the_start_is_refused(void **state)
{
	struct kv_err err;
	struct made m;

	(void)state;
	make_base(&m);
	m.record = btf__add_struct(m.btf, "row", 12);
	btf__add_field(m.btf, "_head", m.head, 32, 0);
	btf__add_field(m.btf, "x", m.u32, 64, 0);
	declare(&m);
	assert_refused(&m, -EINVAL, "does not begin with struct kv_head", &err);
}

static void hidden_fields_alone_are_no_columns(void **state)
{
	struct kv_err err;
	struct made m;

	(void)state;
	make_base(&m);
	make_one(&m, "_hidden", m.u32, 4);
	assert_refused(&m, -EINVAL, "has no columns", &err);
}

static void one_column_too_many_is_refused(void **state)
{
	struct kv_err err;
	struct made m;
	char name[16];

	(void)state;
	make_base(&m);
	make_record(&m, 4 + KV_MAX_COLUMNS + 1);
	for (int i = 0; i <= KV_MAX_COLUMNS; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		field(&m, name, m.u8, 1);
	}
	declare(&m);
	assert_refused(&m, -E2BIG, "more than 64 columns", &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_view_nothing_is_found),
		cmocka_unit_test(empty_btf_has_no_view),
		cmocka_unit_test(a_function_of_that_name_is_no_view),
		cmocka_unit_test(a_variable_that_is_a_number_names_no_record),
		cmocka_unit_test(a_variable_with_one_member_names_no_record),
		cmocka_unit_test(a_record_member_that_is_no_array_names_no_record),
		cmocka_unit_test(a_member_of_another_name_names_no_record),
		cmocka_unit_test(an_array_of_no_pointers_names_no_record),
		cmocka_unit_test(a_record_that_is_void_is_refused),
		cmocka_unit_test(a_record_that_is_an_integer_is_refused),
		cmocka_unit_test(a_record_that_is_only_declared_is_refused),
		cmocka_unit_test(a_record_that_is_a_union_is_refused),
		cmocka_unit_test(a_type_that_does_not_exist_is_refused),
		cmocka_unit_test(a_typedef_of_itself_is_refused),
		cmocka_unit_test(a_record_without_fields_is_refused),
		cmocka_unit_test(a_record_without_a_head_is_refused),
		cmocka_unit_test(a_record_of_a_head_alone_has_no_columns),
		cmocka_unit_test(a_record_above_its_limit_is_refused),
		cmocka_unit_test(a_head_that_is_not_at_the_start_is_refused),
		cmocka_unit_test(hidden_fields_alone_are_no_columns),
		cmocka_unit_test(one_column_too_many_is_refused),
	};

	return cmocka_run_group_tests_name("schema errors", tests, NULL, NULL);
}
