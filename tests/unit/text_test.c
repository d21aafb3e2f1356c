// SPDX-License-Identifier: GPL-2.0-only
/* The text table: byte for byte, and as many fields as the header has. */
#include "rows.h"

static void assert_text(const void *bytes, size_t n, const char *want, size_t len)
{
	assert_string_in(&kv_format_text, bytes, n, want, len);
}

static void plain_names_stay_as_they_are(void **state)
{
	(void)state;
	assert_text(BYTES("bash"), BYTES("bash\n"));
	assert_text(BYTES("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"),
		    BYTES("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~\n"));
}

static void a_newline_forges_no_row(void **state)
{
	(void)state;
	assert_text(BYTES("a\n1 root"), BYTES("a\\0121\\040root\n"));
}

static void a_tab_makes_no_field(void **state)
{
	(void)state;
	assert_text(BYTES("a\tb"), BYTES("a\\011b\n"));
}

static void a_blank_makes_no_field(void **state)
{
	(void)state;
	assert_text(BYTES(" a b "), BYTES("\\040a\\040b\\040\n"));
}

static void an_escape_code_reaches_no_terminal(void **state)
{
	(void)state;
	assert_text(BYTES("\x1b[31m"), BYTES("\\033[31m\n"));
}

static void a_backslash_is_told_from_an_escape(void **state)
{
	(void)state;
	assert_text(BYTES("\\012"), BYTES("\\134012\n"));
}

static void del_is_escaped(void **state)
{
	(void)state;
	assert_text(BYTES("\x7f"), BYTES("\\177\n"));
}

static void nul_is_escaped(void **state)
{
	(void)state;
	assert_text(BYTES("a\0b"), BYTES("a\\000b\n"));
}

static void a_quote_stays(void **state)
{
	(void)state;
	assert_text(BYTES("\"'"), BYTES("\"'\n"));
}

static void every_single_byte_is_spelled_as_promised(void **state)
{
	(void)state;
	for (unsigned int c = 0; c < 256; c++) {
		char b = (char)c, want[8];
		int n;

		if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '-')
			n = snprintf(want, sizeof(want), "\\%03o\n", c);
		else
			n = snprintf(want, sizeof(want), "%c\n", c);
		assert_text(&b, 1, want, (size_t)n);
	}
}

/* Words are copied whole, whatever the length: the byte behind them is none of theirs. */
static void a_blank_is_found_at_every_place_of_every_length(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 40; n++) {
		for (size_t at = 0; at <= n; at++) {
			char bytes[48], want[64];

			memset(bytes, 'x', sizeof(bytes));
			memset(want, 'x', sizeof(want));
			bytes[at] = ' '; /* at @n it lies behind */
			if (at < n)
				memcpy(want + at, "\\040", 4);
			want[at < n ? n + 3 : n] = '\n';
			assert_text(bytes, n, want, (at < n ? n + 3 : n) + 1);
		}
	}
}

static void characters_of_other_scripts_stay(void **state)
{
	(void)state;
	assert_text(BYTES("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
		    BYTES("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n"));
}

static void bytes_that_are_not_utf8_are_escaped_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_utf8); i++) {
		char bytes[16], want[64] = "a";

		memcpy(bytes + 1, bad_utf8[i].bytes, bad_utf8[i].n);
		bytes[0] = 'a';
		bytes[bad_utf8[i].n + 1] = 'z';
		for (size_t j = 0; j < bad_utf8[i].n; j++)
			sprintf(want + strlen(want), "\\%03o", (unsigned char)bad_utf8[i].bytes[j]);
		strcat(want, "z\n");
		assert_text(bytes, bad_utf8[i].n + 2, want, strlen(want));
	}
}

static void a_character_cut_by_the_end_is_escaped(void **state)
{
	(void)state;
	assert_text(BYTES("a\xe2\x82"), BYTES("a\\342\\202\n"));
}

static void no_value_is_a_dash(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_str_at(&r, "s", KV_STR_NONE, 0);
	row_chars(&r, "c", 4, "", 0);
	row_number(&r, "n", KV_TYPE_UINT, 4, 7)->has_none = true;
	r.schema.columns[2].none = 7;
	assert_row(&r, &kv_format_text, BYTES("- - -\n"));
}

static void an_empty_string_is_a_dash(void **state)
{
	(void)state;
	assert_text("", 0, BYTES("-\n"));
}

static void a_dash_is_told_from_no_value(void **state)
{
	(void)state;
	assert_text(BYTES("-"), BYTES("\\055\n"));
	assert_text(BYTES("--"), BYTES("--\n"));
	assert_text(BYTES("-a"), BYTES("-a\n"));
}

static void a_dash_of_chars_is_told_from_no_value(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_chars(&r, "c", 4, BYTES("-"));
	assert_row(&r, &kv_format_text, BYTES("\\055\n"));
}

static void markers_of_lost_strings_are_one_field(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_str_at(&r, "s", KV_STR_TOO_LONG, 0);
	row_str_at(&r, "t", KV_STR_UNREADABLE, 0);
	assert_row(&r, &kv_format_text, BYTES("(too\\040long) (unreadable)\n"));
}

static void a_very_long_string_is_whole(void **state)
{
	enum { N = KV_RECORD_MAX - KV_FIXED_MAX };
	char *bytes = malloc(N), *want = malloc(N * 4 + 1);

	(void)state;
	memset(bytes, '\n', N);
	for (size_t i = 0; i < N; i++)
		memcpy(want + i * 4, "\\012", 4);
	want[N * 4] = '\n';
	assert_text(bytes, N, want, N * 4 + 1);
	free(bytes);
	free(want);
}

/* --- the table --- */

static void row_of_four(struct row *r, uint64_t n, const char *s, const char *last)
{
	row_init(r);
	row_number(r, "pid", KV_TYPE_INT, 4, n)->width = 7;
	row_str(r, "s", s, strlen(s))->width = 5;
	row_number(r, "x", KV_TYPE_UINT, 8, 5)->width = 3;
	row_str(r, "comm", last, strlen(last))->width = 15;
}

static void numbers_are_right_and_strings_left(void **state)
{
	struct row r;

	(void)state;
	row_of_four(&r, 42, "ab", "init");
	assert_row(&r, &kv_format_text, BYTES("     42 ab      5 init\n"));
	assert_header(&r, &kv_format_text, "    PID S       X COMM\n");
}

static void a_value_wider_than_its_column_shifts_only_its_line(void **state)
{
	struct row r;

	(void)state;
	row_of_four(&r, (uint64_t)-2147483648, "abcdefghij", "a_name_of_twenty_char");
	assert_row(&r, &kv_format_text,
		   BYTES("-2147483648 abcdefghij   5 a_name_of_twenty_char\n"));
}

static void padding_counts_characters_not_bytes(void **state)
{
	struct row r;

	(void)state;
	row_of_four(&r, 1, "\xc3\xa4\xc3\xb6", "x");
	assert_row(&r, &kv_format_text, BYTES("      1 \xc3\xa4\xc3\xb6      5 x\n"));
}

static void escapes_count_as_what_they_show(void **state)
{
	struct row r;

	(void)state;
	row_of_four(&r, 1, "\n", "x");
	assert_row(&r, &kv_format_text, BYTES("      1 \\012    5 x\n"));
	row_of_four(&r, 1, "-", "x");
	assert_row(&r, &kv_format_text, BYTES("      1 \\055    5 x\n"));
	row_of_four(&r, 1, "", "x");
	assert_row(&r, &kv_format_text, BYTES("      1 -       5 x\n"));
}

static void no_line_ends_with_a_blank(void **state)
{
	struct row r;

	(void)state;
	row_of_four(&r, 1, "s", "");
	assert_row(&r, &kv_format_text, BYTES("      1 s       5 -\n"));
}

static void a_number_may_be_last(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_str(&r, "name", BYTES("a"))->width = 6;
	row_number(&r, "n", KV_TYPE_UINT, 8, 1)->width = 4;
	assert_row(&r, &kv_format_text, BYTES("a         1\n"));
	assert_header(&r, &kv_format_text, "NAME      N\n");
}

static void numbers_are_shown_as_their_columns_say(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_number(&r, "h", KV_TYPE_UINT, 8, 0x1000)->show = KV_SHOW_HEX;
	row_number(&r, "o", KV_TYPE_UINT, 4, 0100)->show = KV_SHOW_OCT;
	row_number(&r, "t", KV_TYPE_UINT, 8, 1500000000)->show = KV_SHOW_SECONDS;
	row_number(&r, "d", KV_TYPE_UINT, 4, 8 << 20)->show = KV_SHOW_DEV;
	assert_row(&r, &kv_format_text, BYTES("00001000 0100 1.500000000 08:00\n"));
}

static size_t count_fields(const char *line, size_t n)
{
	size_t fields = 0;

	for (size_t i = 0; i < n; i++)
		fields += line[i] != ' ' && line[i] != '\n' && (!i || line[i - 1] == ' ');
	return fields;
}

static void random_strings_never_change_the_number_of_fields(void **state)
{
	uint64_t seed = 99;
	struct row r;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		unsigned char bytes[3][24];
		size_t n;
		char *out;

		row_init(&r);
		row_number(&r, "pid", KV_TYPE_INT, 8, noise(&seed));
		for (int i = 0; i < 3; i++) {
			for (size_t j = 0; j < sizeof(bytes[i]); j++)
				bytes[i][j] = (unsigned char)noise(&seed);
			row_str(&r, "s", bytes[i], noise(&seed) % sizeof(bytes[i]))->width = 9;
		}
		out = row_render(&r, &kv_format_text, NULL, &n);
		assert_int_equal(count_fields(out, n), 4);
		assert_ptr_equal(memchr(out, '\n', n), out + n - 1);
		assert_int_not_equal(out[n - 2], ' ');
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_names_stay_as_they_are),
		cmocka_unit_test(a_newline_forges_no_row),
		cmocka_unit_test(a_tab_makes_no_field),
		cmocka_unit_test(a_blank_makes_no_field),
		cmocka_unit_test(an_escape_code_reaches_no_terminal),
		cmocka_unit_test(a_backslash_is_told_from_an_escape),
		cmocka_unit_test(del_is_escaped),
		cmocka_unit_test(nul_is_escaped),
		cmocka_unit_test(a_quote_stays),
		cmocka_unit_test(every_single_byte_is_spelled_as_promised),
		cmocka_unit_test(a_blank_is_found_at_every_place_of_every_length),
		cmocka_unit_test(characters_of_other_scripts_stay),
		cmocka_unit_test(bytes_that_are_not_utf8_are_escaped_each),
		cmocka_unit_test(a_character_cut_by_the_end_is_escaped),
		cmocka_unit_test(no_value_is_a_dash),
		cmocka_unit_test(an_empty_string_is_a_dash),
		cmocka_unit_test(a_dash_is_told_from_no_value),
		cmocka_unit_test(a_dash_of_chars_is_told_from_no_value),
		cmocka_unit_test(markers_of_lost_strings_are_one_field),
		cmocka_unit_test(a_very_long_string_is_whole),
		cmocka_unit_test(numbers_are_right_and_strings_left),
		cmocka_unit_test(a_value_wider_than_its_column_shifts_only_its_line),
		cmocka_unit_test(padding_counts_characters_not_bytes),
		cmocka_unit_test(escapes_count_as_what_they_show),
		cmocka_unit_test(no_line_ends_with_a_blank),
		cmocka_unit_test(a_number_may_be_last),
		cmocka_unit_test(numbers_are_shown_as_their_columns_say),
		cmocka_unit_test(random_strings_never_change_the_number_of_fields),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
