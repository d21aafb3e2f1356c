// SPDX-License-Identifier: GPL-2.0-only
/* The bytes of a run: a header and rows, or all rows of one column after those of another. */
#include "fake_iter.h"
#include "stream/run.h"

static const struct kv_reader reader = {.holds = {-1, -1, -1, -1, -1}};

static struct kv_schema schema; /* row_schema with roles; the number is there twice */

/* Made up: the name of the column, then a line of key and value per row. */
static char *metric_header(const struct kv_plan *plan, char *out)
{
	return out + sprintf(out, "# %s\n", plan->columns[plan->ncolumns - 1]->name);
}

static char *metric_row(const struct kv_plan *plan, const void *record, char *out)
{
	char value[KV_VALUE_MAX];
	const struct kv_string key = kv_record_string(plan->columns[0], record, value);

	assert_int_equal(plan->ncolumns, 2);
	return out + sprintf(out, "%.*s %llu\n", (int)key.len, key.data,
			     (unsigned long long)kv_record_number(plan->columns[1], record));
}

static const struct kv_format metrics = {
	.name = "metrics", .header = metric_header, .row = metric_row, .by_column = true};

static void begin(struct kv_rows *rows, const struct kv_format *format, const struct kv_plan *plan,
		  bool (*cancelled)(void *arg))
{
	const struct kv_run_opts opts = {.reader = &reader, .cancelled = cancelled};
	struct kv_run *run = NULL;
	struct kv_err err;

	assert_int_equal(kv_run_new(&fake_view, &opts, &run, &err), 0);
	kv_rows_init(rows, run, format, plan);
}

static int next(struct kv_rows *rows, char **to)
{
	struct kv_err err = {0};
	size_t n;
	int rc = kv_rows_next(rows, &n, &err);

	if (rc > 0)
		memcpy(*to, rows->text, n);
	*to += rc > 0 ? n : 0;
	**to = '\0';
	return rc;
}

static void make_plan(struct kv_plan *plan)
{
	schema = row_schema;
	schema.columns[0].role = KV_ROLE_GAUGE;
	schema.columns[1].role = KV_ROLE_KEY;
	schema.columns[2] = schema.columns[0];
	schema.columns[2].name = (char *)"m";
	schema.columns[2].role = KV_ROLE_COUNTER;
	schema.ncolumns = 3;
	kv_plan_all(plan, &schema);
}

static void a_format_by_row_gets_each_record_once(void **state)
{
	struct kv_plan plan;
	struct kv_rows rows;
	char text[1000], *to = text;
	int rc;

	(void)state;
	fake_records(3, NULL, 0);
	kv_plan_all(&plan, &row_schema);
	begin(&rows, &kv_format_text, &plan, NULL);
	while ((rc = next(&rows, &to)) > 0)
		;
	assert_int_equal(rc, 0);
	assert_int_equal(rows.nrows, 3);
	assert_string_equal(text, "N NAME\n0 name-0\n1 name-1-\n2 name-2--\n");
	kv_rows_free(&rows);
}

static void a_format_by_column_gets_all_rows_of_one_column_and_then_the_next(void **state)
{
	struct kv_plan plan;
	struct kv_rows rows;
	char text[1000], *to = text;
	int rc;

	(void)state;
	fake_records(3, NULL, 0);
	make_plan(&plan);
	begin(&rows, &metrics, &plan, NULL);
	while ((rc = next(&rows, &to)) > 0)
		;
	assert_int_equal(rc, 0);
	assert_int_equal(next(&rows, &to), 0);
	assert_int_equal(rows.nrows, 3);
	assert_int_equal(fake.opens, 1);
	assert_string_equal(text, "# n\nname-0 0\nname-1- 1\nname-2-- 2\n"
				  "# m\nname-0 0\nname-1- 1\nname-2-- 2\n");
	kv_rows_free(&rows);
}

static bool at_times(void *arg)
{
	static unsigned int asked;

	(void)arg;
	return asked++ % 3 == 2;
}

static void records_are_kept_where_a_read_was_cancelled(void **state)
{
	const uint32_t n = 20000;
	char *text = malloc(n * 2 * 64), *to = text;
	unsigned int lines = 0, cancels = 0;
	struct kv_plan plan;
	struct kv_rows rows;
	int rc;

	(void)state;
	fake_records(n, NULL, 0);
	make_plan(&plan);
	begin(&rows, &metrics, &plan, at_times);
	while ((rc = next(&rows, &to)) != 0) {
		assert_true(rc == 1 || rc == -EINTR);
		cancels += rc == -EINTR;
	}
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 2 * n + 2);
	assert_true(cancels > 2);
	kv_rows_free(&rows);
	free(text);
}

static void a_view_without_metrics_has_no_pass(void **state)
{
	struct kv_plan plan;
	struct kv_rows rows;
	char text[100], *to = text;

	(void)state;
	fake_records(3, NULL, 0);
	kv_plan_all(&plan, &row_schema);
	begin(&rows, &metrics, &plan, NULL);
	assert_int_equal(next(&rows, &to), 0);
	kv_rows_free(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(a_format_by_row_gets_each_record_once),
		WITH_FAKE(a_format_by_column_gets_all_rows_of_one_column_and_then_the_next),
		WITH_FAKE(records_are_kept_where_a_read_was_cancelled),
		WITH_FAKE(a_view_without_metrics_has_no_pass),
	};

	return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
