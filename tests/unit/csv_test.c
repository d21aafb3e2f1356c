// SPDX-License-Identifier: GPL-2.0-only
/* CSV, byte for byte. */
#include "rows.h"

static void assert_csv(const void *bytes, size_t n, const char *want, size_t len)
{
	assert_string_in(&kv_format_csv, bytes, n, want, len);
}

static void plain_names_have_no_quotes(void **state)
{
	(void)state;
	assert_csv(BYTES("bash"), BYTES("bash\n"));
	assert_csv(BYTES("a b"), BYTES("a b\n"));
	assert_csv(BYTES("it's;fine"), BYTES("it's;fine\n"));
}

static void a_comma_makes_no_field(void **state)
{
	(void)state;
	assert_csv(BYTES("a,b"), BYTES("\"a,b\"\n"));
}

static void a_newline_makes_no_row(void **state)
{
	(void)state;
	assert_csv(BYTES("a\nb"), BYTES("\"a\nb\"\n"));
	assert_csv(BYTES("a\rb"), BYTES("\"a\rb\"\n"));
	assert_csv(BYTES("a\r\nb"), BYTES("\"a\r\nb\"\n"));
}

static void a_quote_is_doubled(void **state)
{
	(void)state;
	assert_csv(BYTES("\""), BYTES("\"\"\"\"\n"));
	assert_csv(BYTES("a\"b"), BYTES("\"a\"\"b\"\n"));
	assert_csv(BYTES("\"\""), BYTES("\"\"\"\"\"\"\n"));
}

static void blanks_at_the_ends_are_kept_in_quotes(void **state)
{
	(void)state;
	assert_csv(BYTES(" a"), BYTES("\" a\"\n"));
	assert_csv(BYTES("a "), BYTES("\"a \"\n"));
	assert_csv(BYTES(" "), BYTES("\" \"\n"));
}

static void strings_are_byte_for_byte(void **state)
{
	(void)state;
	assert_csv(BYTES("\x1b[1m\t\\\x7f"), BYTES("\x1b[1m\t\\\x7f\n"));
	assert_csv(BYTES("\xc3\xa4\xf0\x9f\x98\x80"), BYTES("\xc3\xa4\xf0\x9f\x98\x80\n"));
	assert_csv(BYTES("a\0b"), BYTES("a\0b\n"));
	assert_csv(BYTES("-"), BYTES("-\n"));
}

static void bytes_that_are_not_utf8_stay(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_utf8); i++) {
		char want[16];

		memcpy(want, bad_utf8[i].bytes, bad_utf8[i].n);
		want[bad_utf8[i].n] = '\n';
		assert_csv(bad_utf8[i].bytes, bad_utf8[i].n, want, bad_utf8[i].n + 1);
	}
}

static void every_single_byte_is_spelled_as_promised(void **state)
{
	(void)state;
	for (unsigned int c = 0; c < 256; c++) {
		char b = (char)c, want[8] = {'"', (char)c, '"', '\n'};

		if (c == '"')
			assert_csv(&b, 1, "\"\"\"\"\n", 5);
		else if (c && strchr(",\n\r ", (int)c))
			assert_csv(&b, 1, want, 4);
		else
			assert_csv(&b, 1, (char[]){(char)c, '\n'}, 2);
	}
}

static void no_value_is_an_empty_field(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_str_at(&r, "s", KV_STR_NONE, 0);
	row_chars(&r, "c", 4, "", 0);
	row_number(&r, "n", KV_TYPE_UINT, 4, 0)->has_none = true;
	row_number(&r, "m", KV_TYPE_UINT, 4, 0);
	assert_row(&r, &kv_format_csv, BYTES(",,,0\n"));
}

/* A bare line end would be skipped by most readers. */
static void a_row_of_one_empty_field_is_a_row(void **state)
{
	struct row r;

	(void)state;
	assert_csv("", 0, BYTES("\"\"\n"));
	row_init(&r);
	row_number(&r, "n", KV_TYPE_UINT, 4, 0)->has_none = true;
	assert_row(&r, &kv_format_csv, BYTES("\"\"\n"));
}

static void a_very_long_string_is_whole(void **state)
{
	enum { N = KV_RECORD_MAX - KV_FIXED_MAX };
	char *bytes = malloc(N), *want = malloc(N * 2 + 3);

	(void)state;
	memset(bytes, '"', N);
	memset(want, '"', N * 2 + 2);
	want[N * 2 + 2] = '\n';
	assert_csv(bytes, N, want, N * 2 + 3);
	free(bytes);
	free(want);
}

static void numbers_are_as_in_the_table(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_number(&r, "u", KV_TYPE_UINT, 8, UINT64_MAX);
	row_number(&r, "i", KV_TYPE_INT, 8, (uint64_t)INT64_MIN);
	row_number(&r, "h", KV_TYPE_UINT, 8, 0x1000)->show = KV_SHOW_HEX;
	row_number(&r, "o", KV_TYPE_UINT, 4, 0100)->show = KV_SHOW_OCT;
	row_number(&r, "t", KV_TYPE_UINT, 8, 1500000000)->show = KV_SHOW_SECONDS;
	row_number(&r, "d", KV_TYPE_UINT, 4, 8 << 20)->show = KV_SHOW_DEV;
	assert_row(&r, &kv_format_csv,
		   BYTES("18446744073709551615,-9223372036854775808,00001000,0100,1.500000000,"
			 "08:00\n"));
}

static void the_header_has_the_names(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_number(&r, "pid", KV_TYPE_UINT, 4, 1)->width = 20;
	row_str(&r, "comm", BYTES("x"))->width = 20;
	assert_header(&r, &kv_format_csv, "pid,comm\n");
	assert_row(&r, &kv_format_csv, BYTES("1,x\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_names_have_no_quotes),
		cmocka_unit_test(a_comma_makes_no_field),
		cmocka_unit_test(a_newline_makes_no_row),
		cmocka_unit_test(a_quote_is_doubled),
		cmocka_unit_test(blanks_at_the_ends_are_kept_in_quotes),
		cmocka_unit_test(strings_are_byte_for_byte),
		cmocka_unit_test(bytes_that_are_not_utf8_stay),
		cmocka_unit_test(every_single_byte_is_spelled_as_promised),
		cmocka_unit_test(no_value_is_an_empty_field),
		cmocka_unit_test(a_row_of_one_empty_field_is_a_row),
		cmocka_unit_test(a_very_long_string_is_whole),
		cmocka_unit_test(numbers_are_as_in_the_table),
		cmocka_unit_test(the_header_has_the_names),
	};

	return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
