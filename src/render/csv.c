// SPDX-License-Identifier: GPL-2.0-only
/*
 * CSV, RFC 4180 but for the line end, which is "\n": strings byte for byte,
 * in quotes where they hold a quote, a comma or a line break.
 */
#include <string.h>

#include "render/histogram.h"
#include "render/number.h"
#include "render/plain.h"
#include "render/render.h"

static const bool special[256] = {['"'] = true, [','] = true, ['\n'] = true, ['\r'] = true};

static char *put_quoted(char *out, struct kv_string s)
{
	*out++ = '"';
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '"')
			*out++ = '"';
		*out++ = (char)s.data[i];
	}
	*out++ = '"';
	return out;
}

static char *put_string(char *out, struct kv_string s)
{
	if (!s.data || !s.len)
		return out;
	/* Leading and trailing blanks want quotes as well: some readers strip them. */
	if (s.data[0] == ' ' || s.data[s.len - 1] == ' ' ||
	    kv_copy_plain(out, s.data, s.len, special) < s.len)
		return put_quoted(out, s);
	return out + s.len;
}

/* The strings of a list have a space between them. */
static char *put_list(char *out, struct kv_string list)
{
	list = kv_string_joined(list);
	for (char *end = list.len ? put_quoted(out, list) : out; out < end; out++)
		if (!*out)
			*out = ' ';
	return out;
}

/* A field for each bucket; without a value all are empty. */
static char *put_histogram(char *out, const struct kv_column *col, const void *record)
{
	for (unsigned int i = 0; i < kv_column_buckets(col); i++) {
		if (i)
			*out++ = ',';
		if (!col->lacks)
			out = kv_put_decimal(out, kv_bucket_count(col, record, i));
	}
	return out;
}

/* name_0.000001, name_0.000002, ..., name_inf; of any other type the name alone */
static char *put_name(char *out, const struct kv_column *col)
{
	size_t n = strlen(col->name);
	unsigned int i = 0;

	do {
		if (i)
			*out++ = ',';
		memcpy(out, col->name, n);
		out += n;
		if (kv_column_buckets(col)) {
			*out++ = '_';
			out = kv_put_bound(out, col, i);
		}
	} while (++i < kv_column_buckets(col));
	return out;
}

static char *csv_row(const struct kv_plan *plan, const void *record, char *out)
{
	char *row = out, value[KV_VALUE_MAX];

	for (unsigned int i = 0; i < plan->ncolumns; i++) {
		const struct kv_column *col = plan->columns[i];

		if (i)
			*out++ = ',';
		if (kv_column_buckets(col)) {
			out = put_histogram(out, col, record);
		} else if (kv_column_is_text(col)) {
			struct kv_string s = kv_record_string(col, record, value);

			out = col->show == KV_SHOW_LIST ? put_list(out, s) : put_string(out, s);
		} else {
			uint64_t v = kv_record_number(col, record);

			if (!kv_record_is_none(col, v))
				out = kv_put_number(out, col, v, 0);
		}
	}
	if (out == row) { /* a bare line end would be no row at all */
		*out++ = '"';
		*out++ = '"';
	}
	*out++ = '\n';
	return out;
}

static char *csv_header(const struct kv_plan *plan, char *out)
{
	for (unsigned int i = 0; i < plan->ncolumns; i++) {
		if (i)
			*out++ = ',';
		out = put_name(out, plan->columns[i]);
	}
	*out++ = '\n';
	return out;
}

const struct kv_format kv_format_csv = {
	.name = "csv",
	.dir = "csv",
	.suffix = ".csv",
	.header = csv_header,
	.row = csv_row,
};
