// SPDX-License-Identifier: GPL-2.0-only
/* Columns picked, formats found, bounds that hold, the text of schema/VIEW. */
#include "rows.h"

static void row_of_three(struct row *r)
{
	row_init(r);
	row_number(r, "pid", KV_TYPE_INT, 4, 1);
	row_number(r, "pidns", KV_TYPE_UINT, 4, 2);
	row_str(r, "comm", BYTES("x"));
}

static void all_columns_are_in_order(void **state)
{
	struct kv_plan plan;
	struct row r;

	(void)state;
	row_of_three(&r);
	kv_plan_all(&plan, &r.schema);
	assert_int_equal(plan.ncolumns, 3);
	for (unsigned int i = 0; i < 3; i++)
		assert_ptr_equal(plan.columns[i], &r.schema.columns[i]);
}

static void picked_columns_are_in_the_order_asked_for(void **state)
{
	struct kv_err err = {0};
	struct kv_plan plan;
	struct row r;

	(void)state;
	row_of_three(&r);
	assert_int_equal(kv_plan_pick(&plan, &r.schema, "comm,pid", &err), 0);
	assert_int_equal(plan.ncolumns, 2);
	assert_ptr_equal(plan.columns[0], &r.schema.columns[2]);
	assert_ptr_equal(plan.columns[1], &r.schema.columns[0]);
}

static void one_column_may_be_picked(void **state)
{
	struct kv_err err = {0};
	struct kv_plan plan;
	struct row r;

	(void)state;
	row_of_three(&r);
	assert_int_equal(kv_plan_pick(&plan, &r.schema, "pidns", &err), 0);
	assert_int_equal(plan.ncolumns, 1);
	assert_string_equal(plan.columns[0]->name, "pidns");
}

static void refuse(const char *list, const char *words)
{
	struct kv_err err = {0};
	struct kv_plan plan;
	struct row r;

	row_of_three(&r);
	assert_int_equal(kv_plan_pick(&plan, &r.schema, list, &err), -EINVAL);
	assert_says(&err, words);
}

static void an_unknown_column_is_named_with_a_hint(void **state)
{
	struct kv_err err = {0};
	struct kv_plan plan;
	struct row r;

	(void)state;
	row_of_three(&r);
	assert_int_equal(kv_plan_pick(&plan, &r.schema, "pid,nope", &err), -EINVAL);
	assert_string_equal(err.msg, "no column 'nope'");
	assert_hints(&err, "kview schema");
}

static void parts_of_names_are_no_names(void **state)
{
	(void)state;
	refuse("pi", "no column 'pi'");
	refuse("PID", "no column 'PID'");
	refuse("pid ", "no column 'pid '");
	refuse(" pid", "no column ' pid'");
}

static void empty_names_are_refused(void **state)
{
	(void)state;
	refuse("", "no column ''");
	refuse(",", "no column ''");
	refuse("pid,", "no column ''");
	refuse(",pid", "no column ''");
	refuse("pid,,comm", "no column ''");
}

static void a_column_named_twice_is_refused(void **state)
{
	(void)state;
	refuse("pid,comm,pid", "column 'pid' is named twice");
}

static void a_very_long_name_is_cut_in_the_message(void **state)
{
	char *list = malloc(100001);

	(void)state;
	memset(list, 'x', 100000);
	list[100000] = '\0';
	refuse(list, "no column 'xxx");
	free(list);
}

/* --- formats --- */

static void formats_are_found_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(kv_format_find("text"), &kv_format_text);
	assert_ptr_equal(kv_format_find("json"), &kv_format_json);
	assert_ptr_equal(kv_format_find("csv"), &kv_format_csv);
	assert_null(kv_format_find("xml"));
	assert_null(kv_format_find(""));
	assert_null(kv_format_find("JSON"));
	assert_null(kv_format_find("tex"));
}

static void formats_have_the_names_of_the_tree(void **state)
{
	(void)state;
	assert_string_equal(kv_format_text.dir, "");
	assert_string_equal(kv_format_text.suffix, "");
	assert_string_equal(kv_format_json.dir, "json");
	assert_string_equal(kv_format_json.suffix, ".json");
	assert_string_equal(kv_format_csv.dir, "csv");
	assert_string_equal(kv_format_csv.suffix, ".csv");
}

/* --- bounds: row_render() has a canary behind them --- */

static void check_bounds(const struct row *r)
{
	size_t n;

	for (const struct kv_format *const *f = kv_formats; *f; f++) {
		free(row_render(r, *f, NULL, &n));
		free(row_header(r, *f, &n));
	}
}

static void the_bound_holds_for_the_longest_numbers(void **state)
{
	for (int show = KV_SHOW_DEC; show <= KV_SHOW_DEV; show++) {
		struct row r;

		(void)state;
		row_init(&r);
		for (int i = 0; i < KV_MAX_COLUMNS; i++) {
			struct kv_column *col =
				row_number(&r, "a_name_of_23_bytes_in_a", KV_TYPE_INT, 8,
					   (uint64_t)(i % 2 ? -1 : INT64_MIN));

			col->show = (enum kv_show)show;
			col->width = i % 3 ? 200 : 23;
		}
		check_bounds(&r);
	}
}

static void the_bound_holds_for_the_worst_bytes(void **state)
{
	static const char worst[] = {1, '"', '\\', '\n', (char)0xff, ' ', ',', 0, 0x7f, '-'};

	for (size_t w = 0; w < sizeof(worst); w++) {
		char bytes[KV_RECORD_MAX];
		struct row r;

		(void)state;
		memset(bytes, worst[w], sizeof(bytes));
		row_init(&r);
		for (int i = 0; i < KV_MAX_COLUMNS - 1; i++)
			row_str(&r, "a_name_of_23_bytes_in_a", bytes, (size_t)i % 3)->width = 200;
		row_str(&r, "z", bytes, KV_RECORD_MAX - r.len);
		assert_int_equal(r.len, KV_RECORD_MAX);
		check_bounds(&r);
	}
}

static void the_bound_holds_for_the_worst_chars(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	for (int i = 0; i < 15; i++) {
		char bytes[64];

		memset(bytes, i % 2 ? 1 : 0xff, sizeof(bytes));
		row_chars(&r, "a_name_of_23_bytes_in_a", 64, bytes, sizeof(bytes))->width = 200;
	}
	check_bounds(&r);
}

static void the_bound_holds_for_lost_strings(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	r.schema.fixed = r.len = 4 + KV_MAX_COLUMNS * 4;
	for (int i = 0; i < KV_MAX_COLUMNS; i++)
		row_str_at(&r, "x", i % 2 ? KV_STR_TOO_LONG : KV_STR_UNREADABLE, 0)->width = 1;
	check_bounds(&r);
}

static void the_bound_holds_for_the_smallest_record(void **state)
{
	struct row r;

	(void)state;
	row_init(&r);
	r.schema.fixed = r.len = 5;
	row_number(&r, "x", KV_TYPE_INT, 1, 0x80)->show = KV_SHOW_OCT;
	check_bounds(&r);
}

/* --- schema/VIEW --- */

static void the_schema_is_five_fields_a_line(void **state)
{
	struct row r;
	char *text;

	(void)state;
	row_of_three(&r);
	r.schema.columns[0].meaning = (char *)"process id";
	r.schema.columns[1].unit = (char *)"bytes";
	r.schema.columns[1].show = KV_SHOW_HEX;
	r.schema.columns[0].role = KV_ROLE_KEY;
	text = kv_schema_put(&r.schema);
	assert_string_equal(text, "pid\tinteger\t-\tprocess id\tkey\n"
				  "pidns\thex\tbytes\t-\t-\n"
				  "comm\tstring\t-\t-\t-\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_columns_are_in_order),
		cmocka_unit_test(picked_columns_are_in_the_order_asked_for),
		cmocka_unit_test(one_column_may_be_picked),
		cmocka_unit_test(an_unknown_column_is_named_with_a_hint),
		cmocka_unit_test(parts_of_names_are_no_names),
		cmocka_unit_test(empty_names_are_refused),
		cmocka_unit_test(a_column_named_twice_is_refused),
		cmocka_unit_test(a_very_long_name_is_cut_in_the_message),
		cmocka_unit_test(formats_are_found_by_name),
		cmocka_unit_test(formats_have_the_names_of_the_tree),
		cmocka_unit_test(the_bound_holds_for_the_longest_numbers),
		cmocka_unit_test(the_bound_holds_for_the_worst_bytes),
		cmocka_unit_test(the_bound_holds_for_the_worst_chars),
		cmocka_unit_test(the_bound_holds_for_lost_strings),
		cmocka_unit_test(the_bound_holds_for_the_smallest_record),
		cmocka_unit_test(the_schema_is_five_fields_a_line),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
