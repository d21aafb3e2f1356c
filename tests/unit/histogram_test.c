// SPDX-License-Identifier: GPL-2.0-only
/* Histograms: from BTF, and in every format. */
#include "make_btf.h"
#include "render/histogram.h"
#include "rows.h"

/* --- from BTF --- */

static int counts(struct made *m, int type, uint32_t n)
{
	return array_of(m, type, n);
}

static void make_counts(struct made *m, uint32_t n, const char *first)
{
	make_base(m);
	make_one(m, "x", counts(m, m->u64, n), n * 8);
	if (first)
		tag(m, 1, first);
}

static void counts_with_bounds_are_a_histogram(void **state)
{
	struct kv_schema *s;
	struct made m;

	(void)state;
	make_counts(&m, 24, "buckets:1000");
	s = schema_of(&m);
	assert_int_equal(s->columns[0].type, KV_TYPE_HISTOGRAM);
	assert_int_equal(s->columns[0].size, 192);
	assert_int_equal(s->columns[0].first, 1000);
	assert_int_equal(kv_column_buckets(&s->columns[0]), 24);
	assert_string_equal(kv_column_type_name(&s->columns[0]), "histogram");
	kv_schema_free(s);
}

static void refuse(uint32_t n, const char *first, const char *words)
{
	struct kv_err err;
	struct made m;

	make_counts(&m, n, first);
	assert_refused(&m, -EINVAL, words, &err);
}

static void bounds_must_be_said_and_be_numbers(void **state)
{
	(void)state;
	refuse(8, NULL, "column 'x' has counts, and does not say of which values");
	refuse(8, "buckets:0", "column 'x': '0' is not a number it can take");
	refuse(8, "buckets:-1", "column 'x': '-1' is not a number it can take");
	refuse(8, "buckets:FIRST", "column 'x': 'FIRST' is not a number it can take");
	/* 2^62 << 1 is no bound any more. */
	refuse(3, "buckets:4611686018427387904", "is not a number it can take");
	refuse(1, "buckets:1", "column 'x' has a type that can't be shown");
	refuse(65, "buckets:1", "column 'x' has a type that can't be shown");
}

static void other_types_have_no_buckets(void **state)
{
	struct kv_err err;
	struct made m;

	(void)state;
	make_base(&m);
	make_one(&m, "x", m.u64, 8);
	tag(&m, 1, "buckets:8");
	assert_refused(&m, -EINVAL, "column 'x' has a type that can't be a histogram", &err);
	make_base(&m);
	make_one(&m, "x", counts(&m, m.s64, 4), 32);
	tag(&m, 1, "buckets:8");
	assert_refused(&m, -EINVAL, "column 'x' has a type that can't be shown", &err);
}

static void a_histogram_is_a_counter_or_nothing(void **state)
{
	static const char *const others[] = {"role:key", "role:gauge"};
	struct kv_schema *s;
	struct kv_err err;
	struct made m;

	(void)state;
	make_counts(&m, 4, "buckets:8");
	tag(&m, 1, "role:counter");
	s = schema_of(&m);
	assert_int_equal(s->columns[0].role, KV_ROLE_COUNTER);
	kv_schema_free(s);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		make_counts(&m, 4, "buckets:8");
		tag(&m, 1, others[i]);
		assert_refused(&m, -EINVAL, "column 'x': a histogram can be no ", &err);
	}
}

static void the_largest_bound_is_a_number(void **state)
{
	struct kv_schema *s;
	char bound[KV_NUMBER_MAX];
	struct made m;

	(void)state;
	make_counts(&m, 64, "buckets:1");
	s = schema_of(&m);
	memset(bound, 0, sizeof(bound));
	kv_put_bound(bound, &s->columns[0], 62);
	assert_string_equal(bound, "4611686018427387904");
	kv_schema_free(s);
}

/* --- in every format --- */

static struct kv_column *histogram(struct row *r, const uint64_t *values, uint16_t n,
				   uint64_t first)
{
	struct kv_column *col;

	row_init(r);
	col = row_column(r, "x", KV_TYPE_HISTOGRAM, n * 8);
	memcpy(r->record + col->off, values, n * 8u);
	col->first = first;
	return col;
}

static void plain_values_are_numbers(void **state)
{
	static const uint64_t values[] = {0, 5, UINT64_MAX, 0};
	struct row r;

	(void)state;
	histogram(&r, values, 4, 512);
	assert_rows(&r, "1024:5,2048:18446744073709551615\n",
		    "{\"x\":[{\"to\":512,\"count\":0},{\"to\":1024,\"count\":5},"
		    "{\"to\":2048,\"count\":18446744073709551615},{\"to\":null,\"count\":0}]}\n",
		    "0,5,18446744073709551615,0\n");
}

static void times_are_in_seconds_and_in_text_in_a_unit(void **state)
{
	static const uint64_t values[] = {1, 2, 3};
	struct row r;

	(void)state;
	histogram(&r, values, 3, 1000)->show = KV_SHOW_SECONDS;
	assert_rows(&r, "1us:1,2us:2,inf:3\n",
		    "{\"x\":[{\"to\":0.000001,\"count\":1},{\"to\":0.000002,\"count\":2},"
		    "{\"to\":null,\"count\":3}]}\n",
		    "1,2,3\n");
	histogram(&r, values, 3, 500)->show = KV_SHOW_SECONDS;
	assert_row(&r, &kv_format_text, BYTES("500ns:1,1us:2,inf:3\n"));
	histogram(&r, values, 3, 1024000)->show = KV_SHOW_SECONDS;
	assert_row(&r, &kv_format_text, BYTES("1.024ms:1,2.048ms:2,inf:3\n"));
	histogram(&r, values, 3, 500000000)->show = KV_SHOW_SECONDS;
	assert_row(&r, &kv_format_text, BYTES("500ms:1,1s:2,inf:3\n"));
	histogram(&r, values, 3, 1500000001)->show = KV_SHOW_SECONDS;
	assert_row(&r, &kv_format_text, BYTES("1.500000001s:1,3.000000002s:2,inf:3\n"));
}

static void nothing_counted_is_no_value_in_text_alone(void **state)
{
	static const uint64_t values[] = {0, 0};
	struct kv_column *col;
	struct row r;

	(void)state;
	col = histogram(&r, values, 2, 8);
	assert_rows(&r, "-\n", "{\"x\":[{\"to\":8,\"count\":0},{\"to\":null,\"count\":0}]}\n",
		    "0,0\n");
	col->lacks = true;
	assert_rows(&r, "-\n", "{\"x\":null}\n", ",\n");
}

static void the_header_of_csv_names_each_bucket(void **state)
{
	static const uint64_t values[] = {1, 2, 3};
	char header[4096];
	struct kv_plan plan;
	struct row r;

	(void)state;
	histogram(&r, values, 3, 1000)->show = KV_SHOW_SECONDS;
	row_number(&r, "n", KV_TYPE_UINT, 4, 7);
	kv_plan_all(&plan, &r.schema);
	assert_in_range(kv_header_bound(&plan), 1, sizeof(header));
	*kv_format_csv.header(&plan, header) = '\0';
	assert_string_equal(header, "x_0.000001,x_0.000002,x_inf,n\n");
	*kv_format_text.header(&plan, header) = '\0';
	assert_string_equal(header, "X N\n");
}

/* The widest of all: no row may be longer than the bound says. */
static void rows_have_room(void **state)
{
	uint64_t values[64];
	struct kv_column *col;
	struct row r;
	size_t n;

	(void)state;
	memset(values, 0xff, sizeof(values));
	col = histogram(&r, values, 64, 2);
	r.schema.fixed = 4 + 512;
	row_set_len(&r, r.schema.fixed);
	for (const struct kv_format *const *f = kv_formats; *f; f++) {
		col->show = KV_SHOW_DEC;
		free(row_render(&r, *f, NULL, &n));
		col->show = KV_SHOW_SECONDS;
		free(row_render(&r, *f, NULL, &n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_with_bounds_are_a_histogram),
		cmocka_unit_test(bounds_must_be_said_and_be_numbers),
		cmocka_unit_test(other_types_have_no_buckets),
		cmocka_unit_test(a_histogram_is_a_counter_or_nothing),
		cmocka_unit_test(the_largest_bound_is_a_number),
		cmocka_unit_test(plain_values_are_numbers),
		cmocka_unit_test(times_are_in_seconds_and_in_text_in_a_unit),
		cmocka_unit_test(nothing_counted_is_no_value_in_text_alone),
		cmocka_unit_test(the_header_of_csv_names_each_bucket),
		cmocka_unit_test(rows_have_room),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
