// SPDX-License-Identifier: GPL-2.0-only
/* JSON Lines: one valid object per row, RFC 8259, keys in column order. */
#include <string.h>

#include "render/histogram.h"
#include "render/number.h"
#include "render/plain.h"
#include "render/render.h"

static char *put_text(char *out, const char *text)
{
	size_t n = strlen(text);

	memcpy(out, text, n);
	return out + n;
}

static char *put_escape(char *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
	};

	if (c >= 0x80)
		return put_text(out, "\xef\xbf\xbd"); /* U+FFFD */
	*out++ = '\\';
	if (c == '"' || c == '\\') {
		*out++ = (char)c;
	} else if (c < 0x20 && letters[c]) {
		*out++ = letters[c];
	} else {
		out = put_text(out, "u00");
		*out++ = hex[c >> 4];
		*out++ = hex[c & 15];
	}
	return out;
}

static const bool special[256] = {
	[0 ... 0x1f] = true,
	['"'] = true,
	['\\'] = true,
	[0x7f ... 0xff] = true,
};

static char *put_string(char *out, struct kv_string s)
{
	size_t chars;

	*out++ = '"';
	out = kv_put_escaped(out, s, special, put_escape, &chars);
	*out++ = '"';
	return out;
}

/* An array. The last string may have no NUL behind it. */
static char *put_list(char *out, struct kv_string list)
{
	const unsigned char *p = list.data, *end = p + list.len;

	*out++ = '[';
	for (size_t n; p < end; p += n + 1) {
		n = strnlen((const char *)p, (size_t)(end - p));
		if (p > list.data)
			*out++ = ',';
		out = put_string(out, (struct kv_string){p, n});
	}
	*out++ = ']';
	return out;
}

/* An array of all buckets; the last one has no bound. */
static char *put_histogram(char *out, const struct kv_column *col, const void *record)
{
	if (col->lacks)
		return put_text(out, "null");
	*out++ = '[';
	for (unsigned int i = 0; i < kv_column_buckets(col); i++) {
		out = put_text(out, i ? ",{\"to\":" : "{\"to\":");
		out = kv_bucket_has_bound(col, i) ? kv_put_bound(out, col, i)
						  : put_text(out, "null");
		out = put_text(out, ",\"count\":");
		out = kv_put_decimal(out, kv_bucket_count(col, record, i));
		*out++ = '}';
	}
	*out++ = ']';
	return out;
}

static char *put_value(char *out, const struct kv_column *col, const void *record)
{
	char value[KV_VALUE_MAX];
	uint64_t v;

	if (kv_column_buckets(col))
		return put_histogram(out, col, record);
	if (kv_column_is_text(col)) {
		struct kv_string s = kv_record_string(col, record, value);

		if (!s.data)
			return put_text(out, "null");
		return col->show == KV_SHOW_LIST ? put_list(out, s) : put_string(out, s);
	}
	v = kv_record_number(col, record);
	if (kv_record_is_none(col, v))
		return put_text(out, "null");
	if (kv_column_is_number(col))
		return kv_put_number(out, col, v, 0);
	*out++ = '"';
	out = kv_put_number(out, col, v, 0);
	*out++ = '"';
	return out;
}

static char *put_key(char *out, const char *name)
{
	return put_text(put_text(put_text(out, ",\""), name), "\":");
}

static char *json_row(const struct kv_plan *plan, const void *record, char *out)
{
	char *row = out;

	for (unsigned int i = 0; i < plan->ncolumns; i++) {
		const struct kv_key *key = &plan->keys[i];

		memcpy(out, key->text, sizeof(key->text));
		out = key->len ? out + key->len : put_key(out, plan->columns[i]->name);
		out = put_value(out, plan->columns[i], record);
	}
	*row = '{';
	return put_text(out, "}\n");
}

static char *json_header(const struct kv_plan *plan, char *out)
{
	(void)plan;
	return out;
}

const struct kv_format kv_format_json = {
	.name = "json",
	.dir = "json",
	.suffix = ".json",
	.header = json_header,
	.row = json_row,
};
