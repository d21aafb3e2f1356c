/* SPDX-License-Identifier: GPL-2.0-only */
/* Schemas and records by hand: one column after the other, with its value. */
#ifndef KVIEW_UNIT_ROWS_H
#define KVIEW_UNIT_ROWS_H

#include "render/number.h"
#include "render/render.h"
#include "unit.h"

struct row {
	struct kv_schema schema;
	unsigned char record[UINT16_MAX + 64]; /* room for records that lie */
	uint32_t len;
	uint16_t at; /* where the next column lies */
};

static inline void row_init(struct row *r)
{
	memset(r, 0, sizeof(*r));
	r->schema.fixed = KV_FIXED_MAX;
	r->len = KV_FIXED_MAX;
	r->at = sizeof(struct kv_head);
}

static inline void row_set_len(struct row *r, uint32_t len)
{
	struct kv_head head = {.len = len};

	r->len = len;
	memcpy(r->record, &head, sizeof(head));
}

static inline struct kv_column *row_column(struct row *r, const char *name, enum kv_type type,
					   uint16_t size)
{
	struct kv_column *col = &r->schema.columns[r->schema.ncolumns++];

	assert_true(r->schema.ncolumns <= KV_MAX_COLUMNS && r->at + size <= KV_FIXED_MAX);
	*col = (struct kv_column){
		.name = (char *)name,
		.unit = (char *)"",
		.meaning = (char *)"",
		.type = type,
		.off = r->at,
		.size = size,
		.width = (uint16_t)strlen(name),
	};
	r->schema.strings |= (uint64_t)(type == KV_TYPE_STR) << (r->schema.ncolumns - 1);
	r->at += size;
	row_set_len(r, r->len);
	return col;
}

static inline struct kv_column *row_number(struct row *r, const char *name, enum kv_type type,
					   uint16_t size, uint64_t value)
{
	struct kv_column *col = row_column(r, name, type, size);

	memcpy(r->record + col->off, &value, size); /* little endian, as BPF here */
	return col;
}

static inline struct kv_column *row_chars(struct row *r, const char *name, uint16_t size,
					  const void *bytes, size_t n)
{
	struct kv_column *col = row_column(r, name, KV_TYPE_CHARS, size);

	memcpy(r->record + col->off, bytes, n);
	return col;
}

/* A string whose place is said, whatever is there. */
static inline struct kv_column *row_str_at(struct row *r, const char *name, uint16_t off,
					   uint16_t len)
{
	struct kv_column *col = row_column(r, name, KV_TYPE_STR, sizeof(struct kv_str));
	struct kv_str s = {off, len};

	memcpy(r->record + col->off, &s, sizeof(s));
	return col;
}

static inline struct kv_column *row_str(struct row *r, const char *name, const void *bytes,
					size_t n)
{
	uint32_t off = r->len;

	assert_true(off + n <= KV_RECORD_MAX);
	memcpy(r->record + off, bytes, n);
	row_set_len(r, off + (uint32_t)n);
	return row_str_at(r, name, (uint16_t)off, (uint16_t)n);
}

/* --- what a format makes of it --- */

#define CANARY 64

/* All columns, or those in @list. Returns the row, to be freed. */
static inline char *row_render(const struct row *r, const struct kv_format *format,
			       const char *list, size_t *n)
{
	struct kv_err err = {0};
	struct kv_plan plan;
	size_t bound;
	char *out;

	assert_int_equal(kv_record_check(&r->schema, r->record, r->len, &err), r->len);
	kv_plan_all(&plan, &r->schema);
	if (list)
		assert_int_equal(kv_plan_pick(&plan, &r->schema, list, &err), 0);
	bound = kv_row_bound(&plan, r->len);
	out = malloc(bound + CANARY);
	assert_non_null(out);
	memset(out + bound, 0x5a, CANARY);
	*n = (size_t)(format->row(&plan, r->record, out) - out);
	assert_in_range(*n, 1, bound);
	for (size_t i = 0; i < CANARY; i++)
		assert_int_equal(out[bound + i], 0x5a);
	return out;
}

static inline void assert_row(const struct row *r, const struct kv_format *format, const char *want,
			      size_t len)
{
	size_t n;
	char *got = row_render(r, format, NULL, &n);

	assert_bytes(got, n, want, len);
	free(got);
}

static inline char *row_header(const struct row *r, const struct kv_format *format, size_t *n)
{
	struct kv_plan plan;
	size_t bound;
	char *out;

	kv_plan_all(&plan, &r->schema);
	bound = kv_header_bound(&plan);
	out = malloc(bound + CANARY);
	assert_non_null(out);
	memset(out + bound, 0x5a, CANARY);
	*n = (size_t)(format->header(&plan, out) - out);
	assert_true(*n <= bound);
	for (size_t i = 0; i < CANARY; i++)
		assert_int_equal(out[bound + i], 0x5a);
	return out;
}

static inline void assert_header(const struct row *r, const struct kv_format *format,
				 const char *want)
{
	size_t n;
	char *got = row_header(r, format, &n);

	assert_bytes(got, n, want, strlen(want));
	free(got);
}

/* A row of one string, in the format's spelling. */
static inline void assert_string_in(const struct kv_format *format, const void *bytes, size_t n,
				    const char *want, size_t len)
{
	struct row r;

	row_init(&r);
	row_str(&r, "s", bytes, n);
	assert_row(&r, format, want, len);
}

/* Each way for bytes not to be UTF-8, and how many of them are wrong. */
static const struct {
	const char *bytes;
	size_t n;
} bad_utf8[] __attribute__((unused)) = {
	{BYTES("\x80")},	     /* a tail without a head */
	{BYTES("\xbf\xbf")},	     /* two */
	{BYTES("\xc0\x80")},	     /* NUL, overlong */
	{BYTES("\xc1\xbf")},	     /* DEL, overlong */
	{BYTES("\xe0\x80\x8a")},     /* newline, overlong */
	{BYTES("\xe0\x9f\xbf")},     /* the last overlong one of three */
	{BYTES("\xf0\x80\x80\x8a")}, /* newline, overlong */
	{BYTES("\xf0\x8f\xbf\xbf")}, /* the last overlong one of four */
	{BYTES("\xed\xa0\x80")},     /* first surrogate */
	{BYTES("\xed\xbf\xbf")},     /* last surrogate */
	{BYTES("\xf4\x90\x80\x80")}, /* U+110000 */
	{BYTES("\xf5\x80\x80\x80")}, /* beyond */
	{BYTES("\xf8\x88\x80\x80\x80")},
	{BYTES("\xfe")},
	{BYTES("\xff")},
	{BYTES("\xc3")}, /* cut */
	{BYTES("\xe2\x82")},
	{BYTES("\xf0\x9f\x98")},
};

static inline void assert_rows(const struct row *r, const char *text, const char *json,
			       const char *csv)
{
	assert_row(r, &kv_format_text, text, strlen(text));
	assert_row(r, &kv_format_json, json, strlen(json));
	assert_row(r, &kv_format_csv, csv, strlen(csv));
}

#endif
