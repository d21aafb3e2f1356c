// SPDX-License-Identifier: GPL-2.0-only
/* Enums, bytes, addresses and lists: from BTF, and in every format. */
#include <arpa/inet.h>

#include "make_btf.h"
#include "rows.h"
#include "schema/names.h"

/* --- names of an enum --- */

static struct kv_schema *enum_schema(struct made *m, int type, uint32_t size)
{
	make_one(m, "x", type, size);
	return schema_of(m);
}

static void assert_name(const struct kv_schema *s, uint64_t bits, const char *want)
{
	const char *got = kv_names_find(s->columns[0].names, bits);

	if (!want) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(got, want);
}

static void names_lose_what_all_begin_with(void **state)
{
	struct kv_schema *s;
	struct made m;
	int id;

	(void)state;
	make_base(&m);
	id = btf__add_enum(m.btf, "bpf_map_type", 4);
	btf__add_enum_value(m.btf, "BPF_MAP_TYPE_UNSPEC", 0);
	btf__add_enum_value(m.btf, "BPF_MAP_TYPE_HASH", 1);
	btf__add_enum_value(m.btf, "BPF_MAP_TYPE_HASH_OF_MAPS", 13);
	btf__add_enum_value(m.btf, "BPF_MAP_TYPE_HASH_ALIAS", 1);
	btf__add_enum_value(m.btf, "__MAX_BPF_MAP_TYPE", 14);
	btf__add_enum_value(m.btf, "MAX_BPF_MAP_TYPE", 15);
	s = enum_schema(&m, id, 4);
	assert_string_equal(kv_column_type_name(&s->columns[0]), "enum");
	assert_true(kv_column_is_text(&s->columns[0]));
	assert_false(kv_column_is_number(&s->columns[0]));
	assert_name(s, 0, "unspec");
	assert_name(s, 1, "hash");
	assert_name(s, 13, "hash_of_maps");
	assert_name(s, 14, NULL);
	assert_name(s, 15, NULL);
	assert_int_equal(s->columns[0].width, strlen("hash_of_maps"));
	kv_schema_free(s);
}

static void a_name_is_never_empty(void **state)
{
	struct kv_schema *s;
	struct made m;
	int id;

	(void)state;
	make_base(&m);
	id = btf__add_enum(m.btf, "e", 4);
	btf__add_enum_value(m.btf, "A_B_", 0);
	btf__add_enum_value(m.btf, "A_B_C", 1);
	s = enum_schema(&m, id, 4);
	assert_name(s, 0, "b_");
	assert_name(s, 1, "b_c");
	kv_schema_free(s);
}

static void names_without_a_common_word_are_whole(void **state)
{
	struct kv_schema *s;
	struct made m;
	int id;

	(void)state;
	make_base(&m);
	id = btf__add_enum(m.btf, "color", 4);
	btf__add_enum_value(m.btf, "RED", 0);
	btf__add_enum_value(m.btf, "REDDISH", 1);
	s = enum_schema(&m, id, 4);
	assert_name(s, 0, "red");
	assert_name(s, 1, "reddish");
	kv_schema_free(s);
}

static void a_single_name_loses_its_first_words(void **state)
{
	struct kv_schema *s;
	struct made m;
	int id;

	(void)state;
	make_base(&m);
	id = btf__add_enum(m.btf, "e", 4);
	btf__add_enum_value(m.btf, "STATE_ON", 1);
	s = enum_schema(&m, id, 4);
	assert_name(s, 1, "on");
	kv_schema_free(s);
}

/* No compiler makes them, and no name may forge a row. */
static void names_that_are_no_identifiers_are_left_out(void **state)
{
	struct kv_schema *s;
	struct made m;
	int id;

	(void)state;
	make_base(&m);
	id = btf__add_enum(m.btf, "e", 4);
	btf__add_enum_value(m.btf, "A_X\n1", 1);
	btf__add_enum_value(m.btf, "A_\"", 2);
	btf__add_enum_value(m.btf, "A_Y", 3);
	btf__add_enum_value(m.btf, "A_Z", 4);
	s = enum_schema(&m, id, 4);
	assert_name(s, 1, NULL);
	assert_name(s, 2, NULL);
	assert_name(s, 3, "y");
	kv_schema_free(s);
}

static void packed_and_long_enums_are_found_by_their_bits(void **state)
{
	struct kv_schema *s;
	struct made m;
	int id;

	(void)state;
	make_base(&m);
	id = btf__add_enum(m.btf, "e", 1);
	btf__add_enum_value(m.btf, "E_MINUS", -1);
	btf__add_enum_value(m.btf, "E_ONE", 1);
	s = enum_schema(&m, id, 1);
	assert_name(s, 0xff, "minus");
	kv_schema_free(s);
	make_base(&m);
	id = btf__add_enum64(m.btf, "e", 8, true);
	btf__add_enum64_value(m.btf, "E_MINUS", (uint64_t)-1);
	btf__add_enum64_value(m.btf, "E_BIG", 1ULL << 40);
	s = enum_schema(&m, id, 8);
	assert_name(s, UINT64_MAX, "minus");
	assert_name(s, 1ULL << 40, "big");
	kv_schema_free(s);
}

static void an_enum_may_be_shown_as_a_number(void **state)
{
	struct kv_schema *s;
	struct made m;
	int id;

	(void)state;
	make_base(&m);
	id = btf__add_enum(m.btf, "e", 4);
	btf__add_enum_value(m.btf, "E_ONE", 1);
	make_one(&m, "x", id, 4);
	tag(&m, 1, "show:dec");
	s = schema_of(&m);
	assert_string_equal(kv_column_type_name(&s->columns[0]), "integer");
	assert_true(kv_column_is_number(&s->columns[0]));
	kv_schema_free(s);
}

/* --- what can't be shown, or not so --- */

static void refuse(struct made *m, int type, uint32_t size, const char *text, const char *words,
		   const char *hint)
{
	struct kv_err err;

	make_one(m, "x", type, size);
	if (text)
		tag(m, 1, text);
	assert_refused(m, -EINVAL, words, &err);
	assert_hints(&err, hint);
}

static void bytes_say_how_they_are_shown(void **state)
{
	struct made m;

	(void)state;
	make_base(&m);
	refuse(&m, array_of(&m, m.u8, 16), 16, NULL, "column 'x' has bytes", "KV_SHOW(hex)");
	make_base(&m);
	refuse(&m, array_of(&m, m.s8, 16), 16, NULL, "column 'x' has bytes", "struct kv_ip");
	make_base(&m);
	refuse(&m, array_of(&m, m.u8, 16), 16, "show:oct", "can't be shown as 'oct'", "__u8[N]");
}

static void tags_go_with_their_types(void **state)
{
	static const struct {
		const char *tag;
		bool ip;
	} t[] = {{"show:list", true},
		 {"show:hex", true},
		 {"show:list", false},
		 {"show:name", false}};
	struct made m;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		make_base(&m);
		refuse(&m, t[i].ip ? m.ip : m.u32, t[i].ip ? 20 : 4, t[i].tag,
		       "has a type that can't be shown as", "list for struct kv_str");
	}
}

static void check_type(const char *text, int type_of(struct made *), uint32_t size,
		       enum kv_type type, const char *name)
{
	struct kv_schema *s;
	struct made m;

	make_base(&m);
	make_one(&m, "x", type_of(&m), size);
	if (text)
		tag(&m, 1, text);
	s = schema_of(&m);
	assert_int_equal(s->columns[0].type, type);
	assert_int_equal(s->columns[0].size, size);
	assert_string_equal(kv_column_type_name(&s->columns[0]), name);
	assert_true(kv_column_is_text(&s->columns[0]));
	kv_schema_free(s);
}

static int ip_type(struct made *m)
{
	return m->ip;
}

static int str_type(struct made *m)
{
	return m->str;
}

static int bytes_type(struct made *m)
{
	return array_of(m, m->u8, 64);
}

static void types_have_names(void **state)
{
	(void)state;
	check_type(NULL, ip_type, sizeof(struct kv_ip), KV_TYPE_IP, "address");
	check_type("show:list", str_type, 4, KV_TYPE_STR, "list");
	check_type("show:hex", bytes_type, 64, KV_TYPE_BYTES, "hex");
}

/* --- rows --- */

static void check_address(uint8_t family, const void *address, const char *text, const char *json,
			  const char *csv)
{
	struct kv_ip ip = {.family = family};
	struct row r;

	memcpy(ip.bytes, address, sizeof(ip.bytes));
	row_init(&r);
	memcpy(r.record + row_column(&r, "x", KV_TYPE_IP, sizeof(ip))->off, &ip, sizeof(ip));
	assert_rows(&r, text, json, csv);
}

static void addresses_have_their_usual_form(void **state)
{
	static const char mapped[16] = "\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4";
	static const char loopback[16] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1";
	static const char ones[17] =
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";

	(void)state;
	check_address(4, "\x7f\0\0\1\x99\x99\x99\x99\x99\x99\x99\x99\x99\x99\x99\x99",
		      "127.0.0.1\n", "{\"x\":\"127.0.0.1\"}\n", "127.0.0.1\n");
	check_address(4, ones, "255.255.255.255\n", "{\"x\":\"255.255.255.255\"}\n",
		      "255.255.255.255\n");
	check_address(6, loopback, "::1\n", "{\"x\":\"::1\"}\n", "::1\n");
	check_address(6, mapped, "::ffff:1.2.3.4\n", "{\"x\":\"::ffff:1.2.3.4\"}\n",
		      "::ffff:1.2.3.4\n");
	check_address(6, ones, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n",
		      "{\"x\":\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\"}\n",
		      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n");
	check_address(KV_IP_NUMBER, ones, "4294967295\n", "{\"x\":\"4294967295\"}\n",
		      "4294967295\n");
	check_address(0, ones, "-\n", "{\"x\":null}\n", "\"\"\n");
	check_address(KV_IP_UNREADABLE, ones, "(unreadable)\n", "{\"x\":\"(unreadable)\"}\n",
		      "(unreadable)\n");
}

/* Each byte in each place, as the C library writes it. */
static void ipv4_addresses_are_as_those_of_inet_ntop(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4 * 256; i++) {
		char bytes[16] = {1, 22, (char)133, 4}, text[INET_ADDRSTRLEN + 1], json[64];

		bytes[i / 256] = (char)i;
		inet_ntop(AF_INET, bytes, text, INET_ADDRSTRLEN);
		snprintf(json, sizeof(json), "{\"x\":\"%s\"}\n", text);
		strcat(text, "\n");
		check_address(4, bytes, text, json, text);
	}
}

static void bytes_are_two_digits_each(void **state)
{
	struct row r;
	struct kv_column *col;

	(void)state;
	row_init(&r);
	col = row_column(&r, "x", KV_TYPE_BYTES, 4);
	col->show = KV_SHOW_HEX;
	memcpy(r.record + col->off, "\0\x0a\xff\"", 4);
	assert_rows(&r, "000aff22\n", "{\"x\":\"000aff22\"}\n", "000aff22\n");
	col->lacks = true;
	assert_rows(&r, "-\n", "{\"x\":null}\n", "\"\"\n");
}

static struct kv_names two_names = {2, 5, {{1, "one"}, {0xff, "minus"}}};

static void check_enum(enum kv_type type, uint64_t value, const char *text, const char *json,
		       const char *csv)
{
	struct row r;
	struct kv_column *col;

	row_init(&r);
	col = row_number(&r, "x", type, 1, value);
	col->show = KV_SHOW_NAME;
	col->names = &two_names;
	col->has_none = true;
	col->none = 5;
	assert_rows(&r, text, json, csv);
}

static void enums_are_shown_by_name_or_by_number(void **state)
{
	(void)state;
	check_enum(KV_TYPE_UINT, 1, "one\n", "{\"x\":\"one\"}\n", "one\n");
	check_enum(KV_TYPE_INT, 0xff, "minus\n", "{\"x\":\"minus\"}\n", "minus\n");
	check_enum(KV_TYPE_UINT, 0xff, "minus\n", "{\"x\":\"minus\"}\n", "minus\n");
	check_enum(KV_TYPE_UINT, 0xfe, "254\n", "{\"x\":\"254\"}\n", "254\n");
	check_enum(KV_TYPE_INT, 0xfe, "-2\n", "{\"x\":\"-2\"}\n", "-2\n");
	check_enum(KV_TYPE_UINT, 5, "-\n", "{\"x\":null}\n", "\"\"\n");
}

static void check_list(const void *bytes, size_t n, const char *text, const char *json,
		       const char *csv)
{
	struct row r;

	row_init(&r);
	row_str(&r, "x", bytes, n)->show = KV_SHOW_LIST;
	assert_rows(&r, text, json, csv);
}

static void lists_are_arrays_or_joined_by_spaces(void **state)
{
	struct row r;

	(void)state;
	check_list(BYTES("ls\0-l\0"), "ls\\040-l\n", "{\"x\":[\"ls\",\"-l\"]}\n", "\"ls -l\"\n");
	check_list(BYTES("ls\0-l"), "ls\\040-l\n", "{\"x\":[\"ls\",\"-l\"]}\n", "\"ls -l\"\n");
	check_list(BYTES(""), "-\n", "{\"x\":[]}\n", "\"\"\n");
	check_list(BYTES("\0"), "-\n", "{\"x\":[\"\"]}\n", "\"\"\n");
	check_list(BYTES("\0\0a"), "\\040\\040a\n", "{\"x\":[\"\",\"\",\"a\"]}\n", "\"  a\"\n");
	check_list(BYTES("-\0"), "\\055\n", "{\"x\":[\"-\"]}\n", "\"-\"\n");
	check_list(BYTES("a \"\n\0\xff,\0"), "a\\040\"\\012\\040\\377,\n",
		   "{\"x\":[\"a \\\"\\n\",\"\xef\xbf\xbd,\"]}\n", "\"a \"\"\n \xff,\"\n");
	row_init(&r);
	row_str_at(&r, "x", KV_STR_NONE, 0)->show = KV_SHOW_LIST;
	assert_rows(&r, "-\n", "{\"x\":null}\n", "\"\"\n");
	row_init(&r);
	row_str_at(&r, "x", KV_STR_UNREADABLE, 0)->show = KV_SHOW_LIST;
	assert_rows(&r, "(unreadable)\n", "{\"x\":[\"(unreadable)\"]}\n", "\"(unreadable)\"\n");
}

/* Names are not in the record: a long one must fit as well. */
static void a_row_has_room_for_the_longest_name(void **state)
{
	static char name[251];
	static struct kv_names names = {1, 250, {{1, name}}};
	struct kv_column *col;
	struct row r;
	size_t n;

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	row_init(&r);
	r.schema.fixed = 8;
	row_set_len(&r, 8);
	col = row_number(&r, "x", KV_TYPE_UINT, 4, 1);
	col->show = KV_SHOW_NAME;
	col->names = &names;
	for (const struct kv_format *const *f = kv_formats; *f; f++)
		free(row_render(&r, *f, NULL, &n));
}

static void text_columns_line_up_to_the_left(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_number(&r, "n", KV_TYPE_UINT, 1, 1)->width = 3;
	row_column(&r, "ip", KV_TYPE_IP, sizeof(struct kv_ip))->width = 4;
	row_number(&r, "m", KV_TYPE_UINT, 1, 2)->width = 3;
	assert_header(&r, &kv_format_text, "  N IP     M\n");
	assert_row(&r, &kv_format_text, BYTES("  1 -      2\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_lose_what_all_begin_with),
		cmocka_unit_test(a_name_is_never_empty),
		cmocka_unit_test(names_without_a_common_word_are_whole),
		cmocka_unit_test(a_single_name_loses_its_first_words),
		cmocka_unit_test(names_that_are_no_identifiers_are_left_out),
		cmocka_unit_test(packed_and_long_enums_are_found_by_their_bits),
		cmocka_unit_test(an_enum_may_be_shown_as_a_number),
		cmocka_unit_test(bytes_say_how_they_are_shown),
		cmocka_unit_test(tags_go_with_their_types),
		cmocka_unit_test(types_have_names),
		cmocka_unit_test(addresses_have_their_usual_form),
		cmocka_unit_test(ipv4_addresses_are_as_those_of_inet_ntop),
		cmocka_unit_test(bytes_are_two_digits_each),
		cmocka_unit_test(enums_are_shown_by_name_or_by_number),
		cmocka_unit_test(lists_are_arrays_or_joined_by_spaces),
		cmocka_unit_test(a_row_has_room_for_the_longest_name),
		cmocka_unit_test(text_columns_line_up_to_the_left),
	};

	return cmocka_run_group_tests_name("column types", tests, NULL, NULL);
}
