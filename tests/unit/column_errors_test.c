// SPDX-License-Identifier: GPL-2.0-only
/* Columns and tags that can't be shown: refused, with a word that says why. */
#include "make_btf.h"

static int u32_type(struct made *m)
{
	return m->u32;
}

/* --- a column --- */

static void refuse_name(const char *name, const char *words)
{
	struct kv_err err;
	struct made m;

	make_base(&m);
	make_one(&m, name, m.u32, 4);
	assert_refused(&m, -EINVAL, words, &err);
}

static void names_are_in_lower_case(void **state)
{
	(void)state;
	refuse_name("Pid", "column 'Pid' is not in lower case");
	refuse_name("pi d", "'pi d'");
	refuse_name("p\xc3\xa4", "p\xc3\xa4");
	refuse_name("a,b", "a,b");
	refuse_name("a\"b", "a\"b");
}

static void a_name_may_be_neither_empty_nor_too_long(void **state)
{
	(void)state;
	refuse_name(NULL, "is empty or longer than 23");
	refuse_name("abcdefghijklmnopqrstuvwx", "is empty or longer than 23");
}

static void a_name_may_be_there_only_once(void **state)
{
	struct kv_err err;
	struct made m;

	(void)state;
	make_base(&m);
	make_record(&m, 12);
	field(&m, "x", m.u32, 4);
	field(&m, "x", m.u32, 4);
	declare(&m);
	assert_refused(&m, -EINVAL, "column 'x' is there twice", &err);
}

static void refuse_type(int type_of(struct made *), uint32_t size)
{
	struct kv_err err;
	struct made m;

	make_base(&m);
	make_one(&m, "x", type_of(&m), size);
	assert_refused(&m, -EINVAL, "column 'x' has a type that can't be shown", &err);
	assert_hints(&err, "integers of 1 to 8 bytes");
}

static int pointer_type(struct made *m)
{
	return btf__add_ptr(m->btf, m->u32);
}

static int float_type(struct made *m)
{
	return btf__add_float(m->btf, "double", 8);
}

static int wide_type(struct made *m)
{
	return btf__add_int(m->btf, "__int128", 16, 0);
}

static int long_chars_type(struct made *m)
{
	return array_of(m, m->chr, 65);
}

static int no_chars_type(struct made *m)
{
	return array_of(m, m->chr, 0);
}

static int ints_type(struct made *m)
{
	return array_of(m, m->u32, 4);
}

static int grid_type(struct made *m)
{
	return array_of(m, array_of(m, m->chr, 4), 4);
}

static int other_struct_type(struct made *m)
{
	int id = btf__add_struct(m->btf, "my_str", 4);

	btf__add_field(m->btf, "off", m->u16, 0, 0);
	return id;
}

static int wrong_str_type(struct made *m)
{
	int id = btf__add_struct(m->btf, "kv_str", 8);

	btf__add_field(m->btf, "off", m->u32, 0, 0);
	return id;
}

static int missing_type(struct made *m)
{
	(void)m;
	return 0x123456;
}

static int void_type(struct made *m)
{
	(void)m;
	return 0;
}

#define REFUSED(what, bytes)                             \
	static void what##_cannot_be_shown(void **state) \
	{                                                \
		(void)state;                             \
		refuse_type(what##_type, bytes);         \
	}

REFUSED(pointer, 8)
REFUSED(float, 8)
REFUSED(wide, 16)
REFUSED(long_chars, 65)
REFUSED(no_chars, 0)
REFUSED(ints, 16)
REFUSED(grid, 16)
REFUSED(other_struct, 4)
REFUSED(wrong_str, 8)
REFUSED(missing, 8)
REFUSED(void, 8)

static void a_bit_field_is_refused(void **state)
{
	struct kv_err err;
	struct made m;

	(void)state;
	make_base(&m);
	make_record(&m, 8);
	assert_int_equal(btf__add_field(m.btf, "x", m.u32, 32, 3), 0);
	declare(&m);
	assert_refused(&m, -EINVAL, "column 'x' is a bit field", &err);
}

static void a_field_between_bytes_is_refused(void **state)
{
	struct kv_err err;
	struct made m;

	(void)state;
	make_base(&m);
	make_record(&m, 8);
	field(&m, "x", m.u8, 1);
	/* libbpf would not add it so, a forger does */
	((struct btf_member *)btf_members(btf__type_by_id(m.btf, (uint32_t)m.record)))[1].offset =
		33;
	declare(&m);
	assert_refused(&m, -EINVAL, "column 'x' is a bit field", &err);
}

static void refuse_offset(uint32_t at)
{
	struct kv_err err;
	struct made m;

	make_base(&m);
	make_record(&m, 12);
	m.at = at;
	field(&m, "x", m.u64, 8);
	declare(&m);
	assert_refused(&m, -EINVAL, "column 'x' lies outside its record", &err);
}

static void a_column_outside_its_record_is_refused(void **state)
{
	(void)state;
	refuse_offset(5);
	refuse_offset(12);
	refuse_offset(0xfff8);
	refuse_offset(0x10004); /* would fit if cut to 16 bits */
}

/* --- tags --- */

static void refuse_tag(int type_of(struct made *), uint32_t size, const char *text,
		       const char *words)
{
	struct kv_err err;
	struct made m;

	make_base(&m);
	make_one(&m, "x", type_of(&m), size);
	tag(&m, 1, text);
	assert_refused(&m, -EINVAL, words, &err);
}

static void an_unknown_way_to_show_is_refused(void **state)
{
	(void)state;
	refuse_tag(u32_type, 4, "show:roman", "shown as 'roman'");
	refuse_tag(u32_type, 4, "show:", "shown as ''");
	refuse_tag(u32_type, 4, "show:hexx", "shown as 'hexx'");
}

static int str_type(struct made *m)
{
	return m->str;
}

static void strings_are_not_shown_in_hex(void **state)
{
	(void)state;
	refuse_tag(str_type, 4, "show:hex", "'x' has a type that can't be shown as 'hex'");
}

static void a_none_that_is_no_number_is_refused(void **state)
{
	(void)state;
	refuse_tag(u32_type, 4, "none:", "'' is not a number");
	refuse_tag(u32_type, 4, "none:nil", "'nil' is not a number");
	refuse_tag(u32_type, 4, "none:1x", "'1x' is not a number");
	refuse_tag(u32_type, 4, "none:99999999999999999999", "not a number it can take");
}

static int u8_type(struct made *m)
{
	return m->u8;
}

static int s8_type(struct made *m)
{
	return m->s8;
}

/* Cut to the field's width, 300 would make 44 mean "no value". */
static void a_none_that_its_field_cannot_hold_is_refused(void **state)
{
	(void)state;
	refuse_tag(u8_type, 1, "none:300", "not a number it can take");
	refuse_tag(u8_type, 1, "none:-129", "not a number it can take");
	refuse_tag(s8_type, 1, "none:300", "not a number it can take");
	refuse_tag(u32_type, 4, "none:0x100000000", "not a number it can take");
}

static void a_width_out_of_range_is_refused(void **state)
{
	(void)state;
	refuse_tag(u32_type, 4, "width:0", "not a number it can take");
	refuse_tag(u32_type, 4, "width:201", "not a number it can take");
	refuse_tag(u32_type, 4, "width:-1", "not a number it can take");
	refuse_tag(u32_type, 4, "width:wide", "not a number it can take");
}

static void a_refusal_needs_nobody_to_listen(void **state)
{
	struct kv_schema *schema = NULL;
	struct made m;

	(void)state;
	make_base(&m);
	make_one(&m, "BAD", m.u32, 4);
	assert_int_equal(kv_schema_from_btf(m.btf, &schema, NULL), -EINVAL);
	assert_null(schema);
	btf__free(m.btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_in_lower_case),
		cmocka_unit_test(a_name_may_be_neither_empty_nor_too_long),
		cmocka_unit_test(a_name_may_be_there_only_once),
		cmocka_unit_test(pointer_cannot_be_shown),
		cmocka_unit_test(float_cannot_be_shown),
		cmocka_unit_test(wide_cannot_be_shown),
		cmocka_unit_test(long_chars_cannot_be_shown),
		cmocka_unit_test(no_chars_cannot_be_shown),
		cmocka_unit_test(ints_cannot_be_shown),
		cmocka_unit_test(grid_cannot_be_shown),
		cmocka_unit_test(other_struct_cannot_be_shown),
		cmocka_unit_test(wrong_str_cannot_be_shown),
		cmocka_unit_test(missing_cannot_be_shown),
		cmocka_unit_test(void_cannot_be_shown),
		cmocka_unit_test(a_bit_field_is_refused),
		cmocka_unit_test(a_field_between_bytes_is_refused),
		cmocka_unit_test(a_column_outside_its_record_is_refused),
		cmocka_unit_test(an_unknown_way_to_show_is_refused),
		cmocka_unit_test(strings_are_not_shown_in_hex),
		cmocka_unit_test(a_none_that_is_no_number_is_refused),
		cmocka_unit_test(a_none_that_its_field_cannot_hold_is_refused),
		cmocka_unit_test(a_width_out_of_range_is_refused),
		cmocka_unit_test(a_refusal_needs_nobody_to_listen),
	};

	return cmocka_run_group_tests_name("column errors", tests, NULL, NULL);
}
