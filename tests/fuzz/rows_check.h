/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of a schema to rows of every format: they fit, and are rows. */
#ifndef KVIEW_FUZZ_ROWS_CHECK_H
#define KVIEW_FUZZ_ROWS_CHECK_H

#include "base/utf8.h"
#include "fuzz.h"
#include "render/render.h"

static inline void check_utf8(const char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = kv_utf8_length((const unsigned char *)p + i, n - i);

		MUST(len > 0);
		i += len;
	}
}

/* One line of as many fields as there are columns. */
static inline void check_text(const struct kv_plan *plan, const char *p, size_t n)
{
	unsigned int fields = 0;

	MUST(n && p[n - 1] == '\n');
	for (size_t i = 0; i + 1 < n; i++) {
		MUST((unsigned char)p[i] >= ' ' && p[i] != 0x7f);
		fields += p[i] != ' ' && (i == 0 || p[i - 1] == ' ');
	}
	MUST(fields == plan->ncolumns);
	check_utf8(p, n);
}

/* Fields of a row in CSV. */
static inline unsigned int csv_fields(const struct kv_plan *plan)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < plan->ncolumns; i++)
		n += kv_column_buckets(plan->columns[i]) ?: 1;
	return n;
}

/* Members of a row in JSON, with those of its buckets. */
static inline unsigned int json_members(const struct kv_plan *plan)
{
	unsigned int n = plan->ncolumns;

	for (unsigned int i = 0; i < plan->ncolumns; i++)
		if (!plan->columns[i]->lacks)
			n += 2 * kv_column_buckets(plan->columns[i]);
	return n;
}

/* One line, an object, strings closed, as many members as there are. */
static inline void check_json(const struct kv_plan *plan, const char *p, size_t n)
{
	unsigned int members = 0;
	bool quoted = false;

	MUST(n > 2 && p[0] == '{' && p[n - 2] == '}' && p[n - 1] == '\n');
	for (size_t i = 0; i + 1 < n; i++) {
		MUST((unsigned char)p[i] >= ' ');
		if (quoted && p[i] == '\\')
			i++;
		else if (p[i] == '"')
			quoted = !quoted;
		else if (!quoted)
			members += p[i] == ':';
	}
	MUST(!quoted && members == json_members(plan));
	check_utf8(p, n);
}

/* One record of RFC 4180. */
static inline void check_csv(const struct kv_plan *plan, const char *p, size_t n)
{
	unsigned int fields = 1;
	bool quoted = false;

	MUST(n && p[n - 1] == '\n');
	for (size_t i = 0; i + 1 < n; i++) {
		if (p[i] == '"')
			quoted = !quoted;
		if (quoted)
			continue;
		MUST(p[i] != '\n' && p[i] != '\r');
		fields += p[i] == ',';
	}
	MUST(!quoted && fields == csv_fields(plan));
}

static inline void check_line(const struct kv_plan *plan, const struct kv_format *format,
			      const char *p, size_t n)
{
	if (format == &kv_format_text)
		check_text(plan, p, n);
	else if (format == &kv_format_json)
		check_json(plan, p, n);
	else
		check_csv(plan, p, n);
}

/* The buffer is as large as the bound says, so that a byte more is a finding. */
static inline void check_header(const struct kv_plan *plan, const struct kv_format *format)
{
	size_t bound = kv_header_bound(plan), n;
	char *out = malloc(bound);

	MUST(out);
	n = (size_t)(format->header(plan, out) - out);
	MUST(n <= bound);
	if (n)
		check_line(plan, format, out, n);
	free(out);
}

static inline void check_row(const struct kv_plan *plan, const struct kv_format *format,
			     const void *record, size_t len)
{
	size_t bound = kv_row_bound(plan, len), n;
	char *out = malloc(bound);

	MUST(out);
	n = (size_t)(format->row(plan, record, out) - out);
	MUST(n <= bound);
	check_line(plan, format, out, n);
	free(out);
}

static inline void check_plan(const struct kv_plan *plan, const void *record, size_t len)
{
	for (const struct kv_format *const *f = kv_formats; *f; f++) {
		check_header(plan, *f);
		if (len)
			check_row(plan, *f, record, len);
	}
}

/* All of @in as records, each in memory that ends where it does. */
static inline void check_records(const struct kv_plan *plan, struct input *in)
{
	struct kv_err err = {0};

	for (int i = 0; i < 16; i++) {
		size_t avail = in_left(in);
		char *copy = malloc(avail + !avail);
		int len;

		MUST(copy);
		if (avail)
			memcpy(copy, in->at, avail);
		len = kv_record_check(plan->schema, copy, avail, &err);
		MUST(len <= (int)avail && (len >= 0 || err.msg[0]));
		if (len > 0)
			check_plan(plan, copy, (size_t)len);
		free(copy);
		if (len <= 0)
			return;
		in->at += len;
	}
}

#endif
