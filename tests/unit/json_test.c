// SPDX-License-Identifier: GPL-2.0-only
/* JSON Lines, byte for byte. */
#include "rows.h"

/* @want is the value alone, with its quotes. */
static void assert_json(const void *bytes, size_t n, const char *want, size_t len)
{
	char *row = malloc(len + 16);
	int all = sprintf(row, "{\"s\":%.*s}\n", (int)len, want);

	assert_string_in(&kv_format_json, bytes, n, row, (size_t)all);
	free(row);
}

static void plain_names_stay_as_they_are(void **state)
{
	(void)state;
	assert_json(BYTES("bash"), BYTES("\"bash\""));
	assert_json(BYTES("a b/<>&'"), BYTES("\"a b/<>&'\""));
}

static void a_newline_ends_no_line(void **state)
{
	(void)state;
	assert_json(BYTES("a\nb"), BYTES("\"a\\nb\""));
}

static void a_quote_ends_no_string(void **state)
{
	(void)state;
	assert_json(BYTES("a\",\"pid\":1"), BYTES("\"a\\\",\\\"pid\\\":1\""));
}

static void a_backslash_is_doubled(void **state)
{
	(void)state;
	assert_json(BYTES("\\"), BYTES("\"\\\\\""));
	assert_json(BYTES("\\n"), BYTES("\"\\\\n\""));
}

static void short_escapes_are_used_where_json_has_them(void **state)
{
	(void)state;
	assert_json(BYTES("\b\t\n\f\r"), BYTES("\"\\b\\t\\n\\f\\r\""));
}

static void other_control_characters_are_numbered(void **state)
{
	(void)state;
	assert_json(BYTES("\x1b[1m"), BYTES("\"\\u001b[1m\""));
	assert_json(BYTES("\x01\x0b\x1f"), BYTES("\"\\u0001\\u000b\\u001f\""));
}

static void del_is_escaped(void **state)
{
	(void)state;
	assert_json(BYTES("\x7f"), BYTES("\"\\u007f\""));
}

static void nul_is_escaped(void **state)
{
	(void)state;
	assert_json(BYTES("a\0b"), BYTES("\"a\\u0000b\""));
}

static void every_single_byte_is_spelled_as_promised(void **state)
{
	(void)state;
	for (unsigned int c = 0; c < 256; c++) {
		char b = (char)c, want[16];

		if (c == '"' || c == '\\')
			sprintf(want, "\"\\%c\"", c);
		else if (c && strchr("\b\t\n\f\r", (int)c))
			sprintf(want, "\"\\%c\"", "btn\vfr"[c - '\b']);
		else if (c < 0x20 || c == 0x7f)
			sprintf(want, "\"\\u%04x\"", c);
		else if (c < 0x80)
			sprintf(want, "\"%c\"", c);
		else
			strcpy(want, "\"\xef\xbf\xbd\"");
		assert_json(&b, 1, want, strlen(want));
	}
}

static void characters_of_other_scripts_stay(void **state)
{
	(void)state;
	assert_json(BYTES("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
		    BYTES("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""));
}

static void bytes_that_are_not_utf8_are_replaced_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_utf8); i++) {
		char bytes[16], want[64] = "\"a";

		memcpy(bytes + 1, bad_utf8[i].bytes, bad_utf8[i].n);
		bytes[0] = 'a';
		bytes[bad_utf8[i].n + 1] = '\n';
		for (size_t j = 0; j < bad_utf8[i].n; j++)
			strcat(want, "\xef\xbf\xbd");
		strcat(want, "\\n\"");
		assert_json(bytes, bad_utf8[i].n + 2, want, strlen(want));
	}
}

/* A cut character must not swallow the quote behind it. */
static void a_character_cut_by_the_end_is_replaced(void **state)
{
	(void)state;
	assert_json(BYTES("a\xf0\x9f\x98"), BYTES("\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
}

static void an_empty_string_is_told_from_no_value(void **state)
{
	struct row r;

	(void)state;
	assert_json("", 0, BYTES("\"\""));
	row_init(&r);
	row_str_at(&r, "s", KV_STR_NONE, 0);
	assert_row(&r, &kv_format_json, BYTES("{\"s\":null}\n"));
}

static void empty_chars_are_null(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_chars(&r, "c", 8, "", 0);
	assert_row(&r, &kv_format_json, BYTES("{\"c\":null}\n"));
}

static void a_dash_is_a_string_like_any(void **state)
{
	(void)state;
	assert_json(BYTES("-"), BYTES("\"-\""));
}

static void markers_of_lost_strings_are_strings(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_str_at(&r, "s", KV_STR_TOO_LONG, 0);
	row_str_at(&r, "t", KV_STR_UNREADABLE, 0);
	assert_row(&r, &kv_format_json, BYTES("{\"s\":\"(too long)\",\"t\":\"(unreadable)\"}\n"));
}

static void a_very_long_string_is_whole(void **state)
{
	enum { N = KV_RECORD_MAX - KV_FIXED_MAX };
	char *bytes = malloc(N), *want = malloc(N * 6 + 2);

	(void)state;
	memset(bytes, 1, N);
	want[0] = want[N * 6 + 1] = '"';
	for (size_t i = 0; i < N; i++)
		memcpy(want + 1 + i * 6, "\\u0001", 6);
	assert_json(bytes, N, want, N * 6 + 2);
	free(bytes);
	free(want);
}

static void numbers_are_exact(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_number(&r, "u", KV_TYPE_UINT, 8, UINT64_MAX);
	row_number(&r, "i", KV_TYPE_INT, 8, (uint64_t)INT64_MIN);
	row_number(&r, "z", KV_TYPE_UINT, 1, 0);
	assert_row(&r, &kv_format_json,
		   BYTES("{\"u\":18446744073709551615,\"i\":-9223372036854775808,\"z\":0}\n"));
}

static void seconds_are_numbers(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_number(&r, "t", KV_TYPE_INT, 8, (uint64_t)-1500000000)->show = KV_SHOW_SECONDS;
	assert_row(&r, &kv_format_json, BYTES("{\"t\":-1.500000000}\n"));
}

/* JSON numbers have no leading zeros and no hex. */
static void hex_octal_and_devices_are_strings(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_number(&r, "h", KV_TYPE_UINT, 8, 0x1000)->show = KV_SHOW_HEX;
	row_number(&r, "o", KV_TYPE_UINT, 4, 0100)->show = KV_SHOW_OCT;
	row_number(&r, "d", KV_TYPE_UINT, 4, 8 << 20)->show = KV_SHOW_DEV;
	assert_row(&r, &kv_format_json,
		   BYTES("{\"h\":\"00001000\",\"o\":\"0100\",\"d\":\"08:00\"}\n"));
}

static void a_number_that_is_no_value_is_null(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_number(&r, "n", KV_TYPE_UINT, 4, 0)->has_none = true;
	row_number(&r, "h", KV_TYPE_UINT, 4, 0)->has_none = true;
	r.schema.columns[1].show = KV_SHOW_HEX;
	row_number(&r, "m", KV_TYPE_UINT, 4, 0);
	assert_row(&r, &kv_format_json, BYTES("{\"n\":null,\"h\":null,\"m\":0}\n"));
}

static void keys_keep_the_order_that_is_asked_for(void **state)
{
	struct row r;
	size_t n;
	char *out;

	(void)state;
	row_init(&r);
	row_number(&r, "a", KV_TYPE_UINT, 4, 1);
	row_number(&r, "b", KV_TYPE_UINT, 4, 2);
	row_number(&r, "c", KV_TYPE_UINT, 4, 3);
	out = row_render(&r, &kv_format_json, "c,a", &n);
	assert_bytes(out, n, BYTES("{\"c\":3,\"a\":1}\n"));
	free(out);
}

static void there_is_no_header(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_number(&r, "a", KV_TYPE_UINT, 4, 1);
	assert_header(&r, &kv_format_json, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_names_stay_as_they_are),
		cmocka_unit_test(a_newline_ends_no_line),
		cmocka_unit_test(a_quote_ends_no_string),
		cmocka_unit_test(a_backslash_is_doubled),
		cmocka_unit_test(short_escapes_are_used_where_json_has_them),
		cmocka_unit_test(other_control_characters_are_numbered),
		cmocka_unit_test(del_is_escaped),
		cmocka_unit_test(nul_is_escaped),
		cmocka_unit_test(every_single_byte_is_spelled_as_promised),
		cmocka_unit_test(characters_of_other_scripts_stay),
		cmocka_unit_test(bytes_that_are_not_utf8_are_replaced_each),
		cmocka_unit_test(a_character_cut_by_the_end_is_replaced),
		cmocka_unit_test(an_empty_string_is_told_from_no_value),
		cmocka_unit_test(empty_chars_are_null),
		cmocka_unit_test(a_dash_is_a_string_like_any),
		cmocka_unit_test(markers_of_lost_strings_are_strings),
		cmocka_unit_test(a_very_long_string_is_whole),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(seconds_are_numbers),
		cmocka_unit_test(hex_octal_and_devices_are_strings),
		cmocka_unit_test(a_number_that_is_no_value_is_null),
		cmocka_unit_test(keys_keep_the_order_that_is_asked_for),
		cmocka_unit_test(there_is_no_header),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
