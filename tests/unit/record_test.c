// SPDX-License-Identifier: GPL-2.0-only
/* Where a record ends and what is in it, when it is cut, lies or is hostile. */
#include "rows.h"

static int check(const struct row *r, size_t avail)
{
	/* Exactly that much memory: a sanitizer sees a step too far. */
	void *p = malloc(avail ? avail : 1);
	struct kv_err err = {0};
	int rc;

	memcpy(p, r->record, avail);
	rc = kv_record_check(&r->schema, p, avail, &err);
	if (rc < 0) {
		assert_int_equal(rc, -EBADMSG);
		assert_says(&err, "malformed record");
	}
	free(p);
	return rc;
}

static void row_of_two(struct row *r)
{
	row_init(r);
	row_number(r, "a", KV_TYPE_UINT, 8, 1);
	row_str(r, "s", BYTES("hello"));
}

static void a_whole_record_has_its_length(void **state)
{
	struct row r;

	(void)state;
	row_of_two(&r);
	assert_int_equal(check(&r, r.len), KV_FIXED_MAX + 5);
}

static void a_record_ends_where_the_next_begins(void **state)
{
	struct row r;

	(void)state;
	row_of_two(&r);
	assert_int_equal(check(&r, r.len + 3), KV_FIXED_MAX + 5);
}

static void every_cut_of_a_record_asks_for_more(void **state)
{
	struct row r;

	(void)state;
	row_of_two(&r);
	for (size_t avail = 0; avail < r.len; avail++)
		assert_int_equal(check(&r, avail), 0);
}

static void check_len(uint32_t len, int want)
{
	struct row r;

	row_init(&r);
	row_number(&r, "a", KV_TYPE_UINT, 8, 1);
	row_set_len(&r, len);
	assert_int_equal(check(&r, 20000), want);
}

static void a_length_below_the_fixed_part_is_a_lie(void **state)
{
	(void)state;
	check_len(0, -EBADMSG);
	check_len(1, -EBADMSG);
	check_len(KV_FIXED_MAX - 1, -EBADMSG);
	check_len(KV_FIXED_MAX, KV_FIXED_MAX);
}

static void a_length_above_the_limit_is_a_lie(void **state)
{
	(void)state;
	check_len(KV_RECORD_MAX, KV_RECORD_MAX);
	check_len(KV_RECORD_MAX + 1, -EBADMSG);
	check_len(0x7fffffff, -EBADMSG);
	check_len(0x80000000, -EBADMSG);
	check_len(0xffffffff, -EBADMSG);
}

/* A lie is told at once: waiting for the rest would hang the reader. */
static void a_lie_is_seen_before_the_rest_is_there(void **state)
{
	struct row r;

	(void)state;
	row_of_two(&r);
	row_set_len(&r, 0xffffffff);
	assert_int_equal(check(&r, sizeof(struct kv_head)), -EBADMSG);
}

static void check_str(uint16_t off, uint16_t len, int want)
{
	struct row r;

	row_init(&r);
	row_str_at(&r, "s", off, len);
	row_set_len(&r, KV_FIXED_MAX + 100);
	assert_int_equal(check(&r, r.len), want);
}

static void a_string_may_reach_the_end_but_not_beyond(void **state)
{
	(void)state;
	check_str(KV_FIXED_MAX, 100, KV_FIXED_MAX + 100);
	check_str(KV_FIXED_MAX + 100, 0, KV_FIXED_MAX + 100);
	check_str(KV_FIXED_MAX, 101, -EBADMSG);
	check_str(KV_FIXED_MAX + 100, 1, -EBADMSG);
	check_str(KV_FIXED_MAX + 101, 0, -EBADMSG);
}

static void a_string_cannot_wrap_around(void **state)
{
	(void)state;
	check_str(0xfffc, 0xffff, -EBADMSG);
	check_str(0xfffc, 4, -EBADMSG);
	check_str(KV_FIXED_MAX, 0xffff, -EBADMSG);
	check_str(1, 0xffff, -EBADMSG);
}

/* Their length says nothing. */
static void special_strings_are_sound_with_any_length(void **state)
{
	(void)state;
	check_str(KV_STR_NONE, 0xffff, KV_FIXED_MAX + 100);
	check_str(KV_STR_TOO_LONG, 0xffff, KV_FIXED_MAX + 100);
	check_str(KV_STR_UNREADABLE, 0xffff, KV_FIXED_MAX + 100);
	check_str(KV_STR_BUSY, 0xffff, KV_FIXED_MAX + 100);
}

static void every_string_of_a_record_is_checked(void **state)
{
	struct row r;
	struct kv_err err = {0};

	(void)state;
	row_init(&r);
	row_str(&r, "good", BYTES("x"));
	row_str_at(&r, "bad", 5000, 1);
	assert_int_equal(kv_record_check(&r.schema, r.record, r.len, &err), -EBADMSG);
	assert_says(&err, "column 'bad' points outside");
}

/*
 * Many strings that share one place would make a row far longer than its
 * record, and kv_row_bound() knows the record's length only.
 */
static void shared_bytes_do_not_break_the_bound_of_a_row(void **state)
{
	const size_t room = (size_t)KV_MAX_COLUMNS * KV_RECORD_MAX * 6 + (1 << 20);
	struct kv_err err = {0};
	struct kv_plan plan;
	struct row *r = malloc(sizeof(*r));
	char *out = malloc(room);
	int rc;

	(void)state;
	row_init(r);
	memset(r->record + KV_FIXED_MAX, 1, KV_RECORD_MAX - KV_FIXED_MAX);
	for (int i = 0; i < KV_MAX_COLUMNS; i++)
		row_str_at(r, "s", KV_FIXED_MAX, KV_RECORD_MAX - KV_FIXED_MAX);
	row_set_len(r, KV_RECORD_MAX);
	rc = kv_record_check(&r->schema, r->record, r->len, &err);
	kv_plan_all(&plan, &r->schema);
	for (const struct kv_format *const *f = kv_formats; *f && rc > 0; f++) {
		size_t n = (size_t)((*f)->row(&plan, r->record, out) - out);

		assert_true(n <= room);
		assert_true(n <= kv_row_bound(&plan, r->len));
	}
	if (rc < 0)
		assert_int_equal(rc, -EBADMSG);
	free(out);
	free(r);
}

static volatile unsigned char touched; /* so that the reads are not left out */

static void random_records_are_never_read_outside(void **state)
{
	struct row *r = malloc(sizeof(*r));
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint32_t len = KV_FIXED_MAX + noise(&seed) % 600;
		unsigned char *p = malloc(len);
		struct kv_err err = {0};

		row_init(r);
		for (int i = 0; i < 3; i++)
			row_str_at(r, "s", (uint16_t)noise(&seed) % 2000,
				   (uint16_t)noise(&seed) % 700);
		row_set_len(r, len);
		memcpy(p, r->record, len);
		if (kv_record_check(&r->schema, p, len, &err) > 0) {
			unsigned char sum = 0;
			char value[KV_VALUE_MAX];

			for (int i = 0; i < 3; i++) {
				struct kv_string s =
					kv_record_string(&r->schema.columns[i], p, value);

				for (size_t j = 0; s.data && j < s.len; j++)
					sum ^= s.data[j];
			}
			touched = sum;
		}
		free(p);
	}
	free(r);
}

/* --- values --- */

static void check_number(enum kv_type type, uint16_t size, uint64_t raw, uint64_t want)
{
	struct row r;

	row_init(&r);
	row_number(&r, "pad", KV_TYPE_UINT, 1, 0xa5); /* so that it is not aligned */
	row_number(&r, "x", type, size, raw);
	row_number(&r, "next", KV_TYPE_UINT, 8, UINT64_MAX);
	assert_true(kv_record_number(&r.schema.columns[1], r.record) == want);
}

static void unsigned_numbers_are_not_sign_extended(void **state)
{
	(void)state;
	check_number(KV_TYPE_UINT, 1, 0xff, 0xff);
	check_number(KV_TYPE_UINT, 2, 0xffff, 0xffff);
	check_number(KV_TYPE_UINT, 4, 0xffffffff, 0xffffffff);
	check_number(KV_TYPE_UINT, 8, UINT64_MAX, UINT64_MAX);
	check_number(KV_TYPE_UINT, 1, 0x80, 0x80);
	check_number(KV_TYPE_UINT, 2, 0x8000, 0x8000);
	check_number(KV_TYPE_UINT, 4, 0x80000000, 0x80000000);
}

static void signed_numbers_are_sign_extended(void **state)
{
	(void)state;
	check_number(KV_TYPE_INT, 1, 0xff, UINT64_MAX);
	check_number(KV_TYPE_INT, 2, 0xffff, UINT64_MAX);
	check_number(KV_TYPE_INT, 4, 0xffffffff, UINT64_MAX);
	check_number(KV_TYPE_INT, 8, UINT64_MAX, UINT64_MAX);
	check_number(KV_TYPE_INT, 1, 0x80, (uint64_t)INT8_MIN);
	check_number(KV_TYPE_INT, 2, 0x8000, (uint64_t)INT16_MIN);
	check_number(KV_TYPE_INT, 4, 0x80000000, (uint64_t)INT32_MIN);
	check_number(KV_TYPE_INT, 8, (uint64_t)INT64_MIN, (uint64_t)INT64_MIN);
}

static void positive_numbers_are_the_same_in_every_type(void **state)
{
	(void)state;
	for (int type = KV_TYPE_UINT; type <= KV_TYPE_INT; type++) {
		check_number((enum kv_type)type, 1, 0x7f, 0x7f);
		check_number((enum kv_type)type, 2, 0x7fff, 0x7fff);
		check_number((enum kv_type)type, 4, 0x7fffffff, 0x7fffffff);
		check_number((enum kv_type)type, 8, INT64_MAX, INT64_MAX);
		check_number((enum kv_type)type, 8, 0, 0);
	}
}

static void no_value_is_only_what_the_column_says(void **state)
{
	struct kv_column col = {.has_none = true, .none = -1};

	(void)state;
	assert_true(kv_record_is_none(&col, UINT64_MAX));
	assert_false(kv_record_is_none(&col, 0xffffffff));
	assert_false(kv_record_is_none(&col, 0));
	col.has_none = false;
	assert_false(kv_record_is_none(&col, UINT64_MAX));
}

static void check_string(const struct row *r, const char *want, size_t len)
{
	char value[KV_VALUE_MAX];
	struct kv_string s = kv_record_string(&r->schema.columns[0], r->record, value);

	if (!want) {
		assert_null(s.data);
		return;
	}
	assert_non_null(s.data);
	assert_bytes(s.data, s.len, want, len);
}

static void chars_end_at_the_first_nul(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_chars(&r, "c", 8, BYTES("ab\0cd"));
	check_string(&r, BYTES("ab"));
}

static void chars_without_a_nul_end_with_their_field(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_chars(&r, "c", 4, BYTES("abcd"));
	row_chars(&r, "d", 4, BYTES("efgh"));
	check_string(&r, BYTES("abcd"));
}

static void empty_chars_are_no_value(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_chars(&r, "c", 4, BYTES("\0xyz"));
	check_string(&r, NULL, 0);
}

static void a_string_of_offset_0_is_no_value(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_str_at(&r, "s", KV_STR_NONE, 5);
	check_string(&r, NULL, 0);
}

static void an_empty_string_is_a_value(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_str(&r, "s", "", 0);
	check_string(&r, "", 0);
}

static void a_string_may_hold_nuls(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_str(&r, "s", BYTES("a\0b"));
	check_string(&r, BYTES("a\0b"));
}

static void a_string_that_was_too_long_says_so(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_str_at(&r, "s", KV_STR_TOO_LONG, 0xffff);
	check_string(&r, BYTES("(too long)"));
}

static void a_string_that_was_unreadable_says_so(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_str_at(&r, "s", KV_STR_UNREADABLE, 0);
	check_string(&r, BYTES("(unreadable)"));
}

static void a_string_that_could_not_be_had_says_so(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	row_str_at(&r, "s", KV_STR_BUSY, 0);
	check_string(&r, BYTES("(busy)"));
}

/* A program's record is no longer than before, and what is put in makes it longer. */
static void a_record_with_arguments_may_be_longer(void **state)
{
	struct kv_err err = {0};
	struct row r;

	(void)state;
	row_init(&r);
	row_set_len(&r, KV_RECORD_MAX + 1);
	assert_int_equal(kv_record_check(&r.schema, r.record, 100, &err), -EBADMSG);
	r.schema.whose = 8;
	assert_int_equal(kv_record_check(&r.schema, r.record, 100, &err), 0);
	row_set_len(&r, KV_FILLED_MAX + 1);
	assert_int_equal(kv_record_check(&r.schema, r.record, 100, &err), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_record_has_its_length),
		cmocka_unit_test(a_record_ends_where_the_next_begins),
		cmocka_unit_test(every_cut_of_a_record_asks_for_more),
		cmocka_unit_test(a_length_below_the_fixed_part_is_a_lie),
		cmocka_unit_test(a_length_above_the_limit_is_a_lie),
		cmocka_unit_test(a_lie_is_seen_before_the_rest_is_there),
		cmocka_unit_test(a_string_may_reach_the_end_but_not_beyond),
		cmocka_unit_test(a_string_cannot_wrap_around),
		cmocka_unit_test(special_strings_are_sound_with_any_length),
		cmocka_unit_test(every_string_of_a_record_is_checked),
		cmocka_unit_test(shared_bytes_do_not_break_the_bound_of_a_row),
		cmocka_unit_test(random_records_are_never_read_outside),
		cmocka_unit_test(unsigned_numbers_are_not_sign_extended),
		cmocka_unit_test(signed_numbers_are_sign_extended),
		cmocka_unit_test(positive_numbers_are_the_same_in_every_type),
		cmocka_unit_test(no_value_is_only_what_the_column_says),
		cmocka_unit_test(chars_end_at_the_first_nul),
		cmocka_unit_test(chars_without_a_nul_end_with_their_field),
		cmocka_unit_test(empty_chars_are_no_value),
		cmocka_unit_test(a_string_of_offset_0_is_no_value),
		cmocka_unit_test(an_empty_string_is_a_value),
		cmocka_unit_test(a_string_may_hold_nuls),
		cmocka_unit_test(a_string_that_was_too_long_says_so),
		cmocka_unit_test(a_string_that_was_unreadable_says_so),
		cmocka_unit_test(a_string_that_could_not_be_had_says_so),
		cmocka_unit_test(a_record_with_arguments_may_be_longer),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
