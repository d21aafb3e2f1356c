// SPDX-License-Identifier: GPL-2.0-only
/* Columns read from a record struct's BTF. */
#include "make_btf.h"
#include "render/render.h"
#include "schema/record.h"
#include "schema/table.h"

static void check_type(int type_of(struct made *), uint32_t size, enum kv_type want)
{
	struct kv_schema *s;
	struct made m;

	make_base(&m);
	make_one(&m, "x", type_of(&m), size);
	s = schema_of(&m);
	assert_int_equal(s->ncolumns, 1);
	assert_int_equal(s->columns[0].type, want);
	assert_int_equal(s->columns[0].size, size);
	assert_int_equal(s->columns[0].off, 4);
	assert_int_equal(s->fixed, 4 + size);
	kv_schema_free(s);
}

#define INTEGER(name, bytes, want)                      \
	static int type_##name(struct made *m)          \
	{                                               \
		return m->name;                         \
	}                                               \
	static void name##_is_an_integer(void **state)  \
	{                                               \
		(void)state;                            \
		check_type(type_##name, bytes, (want)); \
	}

INTEGER(u8, 1, KV_TYPE_UINT)
INTEGER(s8, 1, KV_TYPE_INT)
INTEGER(u16, 2, KV_TYPE_UINT)
INTEGER(s16, 2, KV_TYPE_INT)
INTEGER(u32, 4, KV_TYPE_UINT)
INTEGER(s32, 4, KV_TYPE_INT)
INTEGER(u64, 8, KV_TYPE_UINT)
INTEGER(s64, 8, KV_TYPE_INT)

static int type_wrapped(struct made *m)
{
	int id = btf__add_typedef(m->btf, "__s32", m->s32);

	id = btf__add_const(m->btf, id);
	id = btf__add_volatile(m->btf, id);
	return btf__add_typedef(m->btf, "mine_t", id);
}

static void typedefs_and_qualifiers_are_seen_through(void **state)
{
	(void)state;
	check_type(type_wrapped, 4, KV_TYPE_INT);
}

static int type_enum(struct made *m)
{
	int id = btf__add_enum(m->btf, "mode", 4);

	btf__add_enum_value(m->btf, "ZERO", 0);
	return id;
}

static void an_enum_is_an_integer_inside(void **state)
{
	(void)state;
	check_type(type_enum, 4, KV_TYPE_UINT);
}

static int type_signed_enum64(struct made *m)
{
	int id = btf__add_enum64(m->btf, "big", 8, true);

	btf__add_enum64_value(m->btf, "MINUS", (uint64_t)-1);
	return id;
}

static void a_signed_enum64_is_a_signed_integer(void **state)
{
	(void)state;
	check_type(type_signed_enum64, 8, KV_TYPE_INT);
}

static int type_chars(struct made *m)
{
	return array_of(m, m->chr, 16);
}

static void a_char_array_is_a_string(void **state)
{
	(void)state;
	check_type(type_chars, 16, KV_TYPE_CHARS);
}

static int type_longest_chars(struct made *m)
{
	return array_of(m, m->chr, 64);
}

static void a_char_array_may_have_64_bytes(void **state)
{
	(void)state;
	check_type(type_longest_chars, 64, KV_TYPE_CHARS);
}

static int type_str(struct made *m)
{
	return m->str;
}

static void a_kv_str_is_a_string(void **state)
{
	(void)state;
	check_type(type_str, 4, KV_TYPE_STR);
}

/* --- the shape of the record --- */

static void columns_keep_the_order_of_the_fields(void **state)
{
	struct kv_schema *s;
	struct made m;

	(void)state;
	make_base(&m);
	make_record(&m, 24);
	field(&m, "b", m.s32, 4);
	field(&m, "a", m.u64, 8);
	field(&m, "c", m.str, 4);
	field(&m, "_pad", m.u32, 4);
	declare(&m);
	s = schema_of(&m);
	assert_int_equal(s->ncolumns, 3);
	assert_string_equal(s->columns[0].name, "b");
	assert_string_equal(s->columns[1].name, "a");
	assert_string_equal(s->columns[2].name, "c");
	assert_int_equal(s->columns[1].off, 8);
	assert_int_equal(s->columns[2].off, 16);
	assert_int_equal(s->fixed, 24);
	kv_schema_free(s);
}

static void a_tag_finds_its_column_past_hidden_fields(void **state)
{
	struct kv_schema *s;
	struct made m;

	(void)state;
	make_base(&m);
	make_record(&m, 16);
	field(&m, "_pad", m.u32, 4);
	field(&m, "a", m.u32, 4);
	field(&m, "b", m.u32, 4);
	declare(&m);
	tag(&m, 1, "means:nothing");
	tag(&m, 3, "means:the second");
	tag(&m, 2, "means:the first");
	s = schema_of(&m);
	assert_string_equal(s->columns[0].meaning, "the first");
	assert_string_equal(s->columns[1].meaning, "the second");
	kv_schema_free(s);
}

static void tags_of_other_structs_do_not_matter(void **state)
{
	struct kv_schema *s;
	struct made m;
	int other;

	(void)state;
	make_base(&m);
	other = btf__add_struct(m.btf, "other", 8);
	btf__add_field(m.btf, "x", m.u32, 0, 0);
	btf__add_field(m.btf, "y", m.u32, 32, 0);
	make_one(&m, "x", m.u32, 4);
	assert_true(btf__add_decl_tag(m.btf, "means:wrong", other, 1) > 0);
	assert_true(btf__add_decl_tag(m.btf, "show:wrong", other, 1) > 0);
	s = schema_of(&m);
	assert_string_equal(s->columns[0].meaning, "");
	kv_schema_free(s);
}

static void as_many_columns_as_there_may_be(void **state)
{
	struct kv_schema *s;
	struct made m;
	char name[16];

	(void)state;
	make_base(&m);
	make_record(&m, 4 + KV_MAX_COLUMNS);
	for (int i = 0; i < KV_MAX_COLUMNS; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		field(&m, name, m.u8, 1);
	}
	declare(&m);
	s = schema_of(&m);
	assert_int_equal(s->ncolumns, KV_MAX_COLUMNS);
	kv_schema_free(s);
}

static void the_longest_name_and_the_largest_record(void **state)
{
	static const char name[] = "abcdefghijklmnopq_12345";
	struct kv_schema *s;
	struct made m;

	(void)state;
	assert_int_equal(strlen(name), KV_COLUMN_NAME - 1);
	make_base(&m);
	make_record(&m, KV_FIXED_MAX);
	m.at = KV_FIXED_MAX - 8;
	field(&m, name, m.u64, 8);
	declare(&m);
	s = schema_of(&m);
	assert_int_equal(s->fixed, KV_FIXED_MAX);
	assert_int_equal(s->columns[0].off, KV_FIXED_MAX - 8);
	assert_int_equal(kv_schema_find(s, name, strlen(name)), 0);
	kv_schema_free(s);
}

/* --- finding and the kernel's table --- */

static void columns_are_found_by_whole_names_only(void **state)
{
	struct kv_schema *s;
	struct made m;

	(void)state;
	make_base(&m);
	make_record(&m, 12);
	field(&m, "pid", m.u32, 4);
	field(&m, "pidns", m.u32, 4);
	declare(&m);
	s = schema_of(&m);
	assert_int_equal(kv_schema_find(s, "pid,pidns", 3), 0);
	assert_int_equal(kv_schema_find(s, "pidns", 5), 1);
	assert_int_equal(kv_schema_find(s, "pidn", 4), -1);
	assert_int_equal(kv_schema_find(s, "PID", 3), -1);
	assert_int_equal(kv_schema_find(s, "", 0), -1);
	assert_int_equal(kv_schema_find(s, "_head", 5), -1);
	kv_schema_free(s);
}

static struct kv_schema *schema_of_tid_and_start(void)
{
	struct made m;

	make_base(&m);
	make_record(&m, 16);
	field(&m, "tid_2", m.s32, 4);
	field(&m, "start", m.u64, 8);
	declare(&m);
	tag(&m, 1, "none:-5");
	tag(&m, 2, "show:seconds");
	return schema_of(&m);
}

static void the_kernels_table_is_the_schema(void **state)
{
	struct kv_table table = {.abi = 7, .fingerprint = 8};
	struct kv_schema *s = schema_of_tid_and_start();

	(void)state;
	kv_schema_table(s, &table);
	assert_int_equal(table.ncolumns, 2);
	assert_string_equal(table.columns[0].name, "TID_2");
	assert_int_equal(table.columns[0].none, -5);
	assert_int_equal(table.columns[0].has_none, 1);
	assert_int_equal(table.columns[0].type, KV_TYPE_INT);
	assert_int_equal(table.columns[0].off, 4);
	assert_int_equal(table.columns[1].off, 8);
	assert_int_equal(table.columns[1].size, 8);
	assert_int_equal(table.columns[1].show, KV_SHOW_SECONDS);
	assert_int_equal(table.columns[1].has_none, 0);
	assert_int_equal(table.abi, 7);
	assert_int_equal(table.fingerprint, 8);
	kv_schema_free(s);
}

static void what_is_lacking_has_no_value(void **state)
{
	static struct kv_table table;
	struct kv_schema *s = schema_of_tid_and_start();
	char names[64];

	(void)state;
	kv_schema_lack(s, 1);
	kv_schema_table(s, &table);
	assert_int_equal(table.lacks[4], 1);
	assert_int_equal(table.lacks[8], 0);
	assert_int_equal(kv_schema_lacks(s, &table), 1);
	/* Whatever is in the field. */
	assert_true(kv_record_is_none(&s->columns[0], 7));
	assert_false(kv_record_is_none(&s->columns[1], 0));
	kv_schema_lack(s, 3);
	kv_schema_table(s, &table);
	assert_int_equal(kv_schema_lacks(s, &table), 3);
	assert_true(kv_schema_put_lacking(s, names, sizeof(names)));
	assert_string_equal(names, "tid_2, start");
	/* A table that was written before, and a kernel that has it all. */
	kv_schema_lack(s, 0);
	kv_schema_table(s, &table);
	assert_int_equal(kv_schema_lacks(s, &table), 0);
	assert_false(kv_schema_put_lacking(s, names, sizeof(names)));
	assert_false(kv_record_is_none(&s->columns[0], 7));
	kv_schema_free(s);
}

static void no_schema_can_be_freed(void **state)
{
	(void)state;
	kv_schema_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(u8_is_an_integer),
		cmocka_unit_test(s8_is_an_integer),
		cmocka_unit_test(u16_is_an_integer),
		cmocka_unit_test(s16_is_an_integer),
		cmocka_unit_test(u32_is_an_integer),
		cmocka_unit_test(s32_is_an_integer),
		cmocka_unit_test(u64_is_an_integer),
		cmocka_unit_test(s64_is_an_integer),
		cmocka_unit_test(typedefs_and_qualifiers_are_seen_through),
		cmocka_unit_test(an_enum_is_an_integer_inside),
		cmocka_unit_test(a_signed_enum64_is_a_signed_integer),
		cmocka_unit_test(a_char_array_is_a_string),
		cmocka_unit_test(a_char_array_may_have_64_bytes),
		cmocka_unit_test(a_kv_str_is_a_string),
		cmocka_unit_test(columns_keep_the_order_of_the_fields),
		cmocka_unit_test(a_tag_finds_its_column_past_hidden_fields),
		cmocka_unit_test(tags_of_other_structs_do_not_matter),
		cmocka_unit_test(as_many_columns_as_there_may_be),
		cmocka_unit_test(the_longest_name_and_the_largest_record),
		cmocka_unit_test(columns_are_found_by_whole_names_only),
		cmocka_unit_test(the_kernels_table_is_the_schema),
		cmocka_unit_test(what_is_lacking_has_no_value),
		cmocka_unit_test(no_schema_can_be_freed),
	};

	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
