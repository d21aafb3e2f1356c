/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Formats: each renders records as the bytes that a reader gets, in a file of its own behind
 * struct kv_format. They know neither where records come from nor where bytes go.
 */
#ifndef KVIEW_RENDER_RENDER_H
#define KVIEW_RENDER_RENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "schema/record.h"
#include "schema/schema.h"

/* What JSON has before a column's value: `,"name":`. */
struct kv_key {
	uint8_t len;   /* 0: it is too long for @text: of BPF maps a name may be */
	char text[31]; /* copied whole: that takes no call */
};

/* The columns to show, in their order. Made once per open file or command. */
struct kv_plan {
	const struct kv_schema *schema; /* must outlive the plan */
	unsigned int ncolumns;
	size_t header_bound; /* see kv_header_bound() */
	struct kv_key keys[KV_MAX_COLUMNS];
	const struct kv_column *columns[KV_MAX_COLUMNS];
};

/**
 * kv_plan_all() - all columns of @schema
 */
void kv_plan_all(struct kv_plan *plan, const struct kv_schema *schema);

/**
 * kv_plan_pick() - the columns named in @list, in that order
 * @list: names with commas between
 *
 * Return: 0, or -EINVAL with @err set: no such column, or one named twice.
 */
int kv_plan_pick(struct kv_plan *plan, const struct kv_schema *schema, const char *list,
		 struct kv_err *err);

/* kv_plan_unwanted() - bits of the schema's columns that are not in the plan */
uint64_t kv_plan_unwanted(const struct kv_plan *plan);

/**
 * kv_plan_pass() - the plan of one pass of a format by column
 * @pass: from 0 on
 * @part: receives the key columns of @plan and behind them one gauge or counter
 *
 * Return: false: there is no such pass.
 */
bool kv_plan_pass(const struct kv_plan *plan, unsigned int pass, struct kv_plan *part);

struct kv_format {
	const char *name;   /* for -F: "text" */
	const char *dir;    /* in the mount: "json", or "" for the root */
	const char *suffix; /* of file names: ".json", or "" */
	/*
	 * header(): what precedes the first row (may be nothing). row(): one row
	 * of a record that kv_record_check() found sound. Both write at @out,
	 * which has room for kv_header_bound() or kv_row_bound() bytes, and
	 * return the end of what they wrote.
	 */
	char *(*header)(const struct kv_plan *plan, char *out);
	char *(*row)(const struct kv_plan *plan, const void *record, char *out);
	/*
	 * All rows of one column come together, as metrics do: a header and then all rows for
	 * each plan of kv_plan_pass(). The records are the same in each pass.
	 */
	bool by_column;
};

extern const struct kv_format kv_format_text, kv_format_json, kv_format_csv;
extern const struct kv_format *const kv_formats[]; /* ends with NULL */

/* kv_format_find() - by name, NULL for none */
const struct kv_format *kv_format_find(const char *name);

/* kv_format_is_dir() - has a format's files a directory of that name in the mount? */
bool kv_format_is_dir(const char *name);

#define KV_FORMAT_NAMES 64

/*
 * kv_format_names() - the names of all formats, the default first: "text, json and csv"
 * @link: what stands before the last name: " and "
 */
void kv_format_names(const char *link, char names[KV_FORMAT_NAMES]);

/* kv_header_bound(), kv_row_bound() - bytes that suffice in any format */
size_t kv_header_bound(const struct kv_plan *plan);
size_t kv_row_bound(const struct kv_plan *plan, size_t record_len);

/**
 * kv_schema_put() - the text of schema/VIEW: column, type, unit, meaning, role
 *
 * Tab-separated, one line per column; "-" where there is no unit, meaning or role. What this
 * kernel can't fill is said behind the meaning.
 *
 * Return: the text with a NUL behind, to be freed; NULL: out of memory.
 */
char *kv_schema_put(const struct kv_schema *schema);

/**
 * kv_schema_put_lacking() - the names of the columns that have no value here
 * @text: receives "nvcsw, exe", cut to @size
 *
 * Return: false: there is none.
 */
bool kv_schema_put_lacking(const struct kv_schema *schema, char *text, size_t size);

#endif
