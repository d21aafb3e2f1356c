// SPDX-License-Identifier: GPL-2.0-only
/* What tags say of columns and views. */
#include "make_btf.h"

static int type_u8(struct made *m)
{
	return m->u8;
}

static int type_s8(struct made *m)
{
	return m->s8;
}

static int type_u16(struct made *m)
{
	return m->u16;
}

static int type_s16(struct made *m)
{
	return m->s16;
}

static int type_u32(struct made *m)
{
	return m->u32;
}

static int type_s32(struct made *m)
{
	return m->s32;
}

static int type_u64(struct made *m)
{
	return m->u64;
}

static int type_s64(struct made *m)
{
	return m->s64;
}

static int type_chars(struct made *m)
{
	return array_of(m, m->chr, 16);
}

static int type_str(struct made *m)
{
	return m->str;
}

static struct kv_schema *with_tag(int type_of(struct made *), uint32_t size, const char *text)
{
	struct made m;

	make_base(&m);
	make_one(&m, "x", type_of(&m), size);
	tag(&m, 1, text);
	return schema_of(&m);
}

static void tags_give_unit_and_meaning(void **state)
{
	struct kv_schema *s;
	struct made m;

	(void)state;
	make_base(&m);
	make_one(&m, "x", m.u64, 8);
	tag(&m, 1, "unit:bytes");
	tag(&m, 1, "means:what: it, holds");
	s = schema_of(&m);
	assert_string_equal(s->columns[0].unit, "bytes");
	assert_string_equal(s->columns[0].meaning, "what: it, holds");
	kv_schema_free(s);
}

static void without_tags_there_are_empty_texts(void **state)
{
	struct kv_schema *s;
	struct made m;

	(void)state;
	make_base(&m);
	make_one(&m, "x", m.u64, 8);
	s = schema_of(&m);
	assert_string_equal(s->columns[0].unit, "");
	assert_string_equal(s->columns[0].meaning, "");
	assert_string_equal(s->shows, "");
	assert_string_equal(s->since, "");
	assert_false(s->columns[0].has_none);
	kv_schema_free(s);
}

static void tags_of_the_view_give_its_line_and_kernel(void **state)
{
	struct kv_schema *s;
	struct made m;

	(void)state;
	make_base(&m);
	make_one(&m, "x", m.u64, 8);
	tag(&m, -1, "shows:a row per thing");
	tag(&m, -1, "since:6.13");
	s = schema_of(&m);
	assert_string_equal(s->shows, "a row per thing");
	assert_string_equal(s->since, "6.13");
	kv_schema_free(s);
}

static void unknown_tags_are_left_alone(void **state)
{
	struct kv_schema *s = with_tag(type_u32, 4, "somebody:else");

	(void)state;
	assert_string_equal(s->columns[0].meaning, "");
	kv_schema_free(s);
}

/* One line of five fields in schema/VIEW, whatever an author writes. */
static void control_characters_in_a_meaning_become_blanks(void **state)
{
	struct kv_schema *s = with_tag(type_u32, 4, "means:one\ttwo\nthree\x1b[1m");

	(void)state;
	assert_string_equal(s->columns[0].meaning, "one two three [1m");
	kv_schema_free(s);
}

static void every_way_to_show_is_known(void **state)
{
	static const struct {
		const char *tag;
		enum kv_show show;
		const char *type;
		bool number;
	} t[] = {
		{"show:dec", KV_SHOW_DEC, "integer", true},
		{"show:hex", KV_SHOW_HEX, "hex", false},
		{"show:oct", KV_SHOW_OCT, "octal", false},
		{"show:seconds", KV_SHOW_SECONDS, "decimal", true},
		{"show:dev", KV_SHOW_DEV, "device", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct kv_schema *s = with_tag(type_u64, 8, t[i].tag);

		assert_int_equal(s->columns[0].show, t[i].show);
		assert_string_equal(kv_column_type_name(&s->columns[0]), t[i].type);
		assert_int_equal(kv_column_is_number(&s->columns[0]), t[i].number);
		kv_schema_free(s);
	}
}

static void strings_are_strings_by_type_name(void **state)
{
	struct kv_schema *s = with_tag(type_str, 4, "means:x");

	(void)state;
	assert_string_equal(kv_column_type_name(&s->columns[0]), "string");
	assert_false(kv_column_is_number(&s->columns[0]));
	kv_schema_free(s);
}

static void check_none(int type_of(struct made *), uint32_t size, const char *text, int64_t want)
{
	struct kv_schema *s = with_tag(type_of, size, text);

	assert_true(s->columns[0].has_none);
	assert_true(s->columns[0].none == want);
	kv_schema_free(s);
}

static void none_is_held_as_wide_as_the_field(void **state)
{
	(void)state;
	check_none(type_u8, 1, "none:-1", 0xff);
	check_none(type_u16, 2, "none:-1", 0xffff);
	check_none(type_u32, 4, "none:-1", 0xffffffff);
	check_none(type_u64, 8, "none:-1", -1);
	check_none(type_s8, 1, "none:-1", -1);
	check_none(type_s16, 2, "none:-1", -1);
	check_none(type_s32, 4, "none:-1", -1);
	check_none(type_s64, 8, "none:-1", -1);
}

static void none_may_be_hex_or_at_the_edge(void **state)
{
	(void)state;
	check_none(type_u32, 4, "none:0xffffffff", 0xffffffff);
	check_none(type_u32, 4, "none:0", 0);
	check_none(type_s64, 8, "none:-9223372036854775808", INT64_MIN);
	check_none(type_u64, 8, "none:9223372036854775807", INT64_MAX);
}

static void width_is_taken_from_its_tag(void **state)
{
	struct kv_schema *s = with_tag(type_u32, 4, "width:17");

	(void)state;
	assert_int_equal(s->columns[0].width, 17);
	kv_schema_free(s);
}

static void a_column_is_never_narrower_than_its_name(void **state)
{
	struct kv_schema *s;
	struct made m;

	(void)state;
	make_base(&m);
	make_one(&m, "a_name_of_some_length", m.u8, 1);
	tag(&m, 1, "width:1");
	s = schema_of(&m);
	assert_int_equal(s->columns[0].width, strlen("a_name_of_some_length"));
	kv_schema_free(s);
}

static void every_column_has_a_width(void **state)
{
	int (*const types[])(struct made *) = {type_u8,	 type_u16,   type_u32,
					       type_u64, type_chars, type_str};
	const uint32_t sizes[] = {1, 2, 4, 8, 16, 4};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct kv_schema *s = with_tag(types[i], sizes[i], "means:x");

		assert_in_range(s->columns[0].width, 3, 64);
		kv_schema_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_give_unit_and_meaning),
		cmocka_unit_test(without_tags_there_are_empty_texts),
		cmocka_unit_test(tags_of_the_view_give_its_line_and_kernel),
		cmocka_unit_test(unknown_tags_are_left_alone),
		cmocka_unit_test(control_characters_in_a_meaning_become_blanks),
		cmocka_unit_test(every_way_to_show_is_known),
		cmocka_unit_test(strings_are_strings_by_type_name),
		cmocka_unit_test(none_is_held_as_wide_as_the_field),
		cmocka_unit_test(none_may_be_hex_or_at_the_edge),
		cmocka_unit_test(width_is_taken_from_its_tag),
		cmocka_unit_test(a_column_is_never_narrower_than_its_name),
		cmocka_unit_test(every_column_has_a_width),
	};

	return cmocka_run_group_tests_name("schema tags", tests, NULL, NULL);
}
