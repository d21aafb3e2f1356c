// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table for people and awk: columns of a usual width, so that rows can
 * stream; every line has as many fields as the header, whatever a name holds.
 */
#include <string.h>

#include "render/histogram.h"
#include "render/number.h"
#include "render/plain.h"
#include "render/render.h"

static char *put_octal(char *out, unsigned char c)
{
	*out++ = '\\';
	*out++ = (char)('0' + (c >> 6));
	*out++ = (char)('0' + (c >> 3 & 7));
	*out++ = (char)('0' + (c & 7));
	return out;
}

static const bool special[256] = {
	[0 ... 0x20] = true,
	['\\'] = true,
	[0x7f ... 0xff] = true,
};

/* The strings of a list have a space between them. */
static char *put_octal_of_list(char *out, unsigned char c)
{
	return put_octal(out, c ? c : ' ');
}

static char *put_string(char *out, const struct kv_column *col, const void *record, size_t *chars)
{
	bool is_list = col->show == KV_SHOW_LIST;
	char value[KV_VALUE_MAX];
	struct kv_string s = kv_record_string(col, record, value);

	if (is_list)
		s = kv_string_joined(s);
	if (!s.data || !s.len) {
		*out = '-';
		*chars = 1;
		return out + 1;
	}
	if (s.len == 1 && s.data[0] == '-') {
		*chars = 4;
		return put_octal(out, '-');
	}
	return kv_put_escaped(out, s, special, is_list ? put_octal_of_list : put_octal, chars);
}

/* The buckets that have any: 1us:14,2us:3,inf:1. */
static char *put_histogram(char *out, const struct kv_column *col, const void *record,
			   size_t *chars)
{
	char *begin = out;

	for (unsigned int i = 0; !col->lacks && i < kv_column_buckets(col); i++) {
		uint64_t count = kv_bucket_count(col, record, i);

		if (!count)
			continue;
		if (out > begin)
			*out++ = ',';
		out = kv_put_bound_with_unit(out, col, i);
		*out++ = ':';
		out = kv_put_decimal(out, count);
	}
	if (out == begin)
		*out++ = '-';
	*chars = (size_t)(out - begin);
	return out;
}

/* Hex, octal and devices line up by their digits like any number. */
static char *number_field(char *out, const struct kv_column *col, const void *record)
{
	uint64_t v = kv_record_number(col, record);

	if (!kv_record_is_none(col, v))
		return kv_put_number(out, col, v, col->width);
	out = kv_put_blanks(out, col->width - 1u);
	*out = '-';
	return out + 1;
}

static char *string_field(char *out, const struct kv_column *col, const void *record, bool last)
{
	size_t chars;

	out = kv_column_buckets(col) ? put_histogram(out, col, record, &chars)
				     : put_string(out, col, record, &chars);
	if (!last && chars < col->width)
		out = kv_put_blanks(out, col->width - chars);
	return out;
}

static char *text_row(const struct kv_plan *plan, const void *record, char *out)
{
	for (unsigned int i = 0; i < plan->ncolumns; i++) {
		const struct kv_column *col = plan->columns[i];

		if (i)
			*out++ = ' ';
		out = kv_column_is_text(col)
			      ? string_field(out, col, record, i + 1 == plan->ncolumns)
			      : number_field(out, col, record);
	}
	*out++ = '\n';
	return out;
}

static char *put_upper(char *out, const char *name)
{
	for (; *name; name++)
		*out++ = (char)(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
	return out;
}

static char *text_header(const struct kv_plan *plan, char *out)
{
	for (unsigned int i = 0; i < plan->ncolumns; i++) {
		const struct kv_column *col = plan->columns[i];
		size_t pad = col->width - strlen(col->name);

		if (i)
			*out++ = ' ';
		if (!kv_column_is_text(col))
			out = kv_put_blanks(out, pad);
		out = put_upper(out, col->name);
		if (kv_column_is_text(col) && i + 1 < plan->ncolumns)
			out = kv_put_blanks(out, pad);
	}
	*out++ = '\n';
	return out;
}

const struct kv_format kv_format_text = {
	.name = "text",
	.dir = "",
	.suffix = "",
	.header = text_header,
	.row = text_row,
};
