/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The columns of a view, read from the BTF of its object: the record struct with its tags is
 * the only definition (iters/include/kview/kview.h). Nothing here knows a view by name or
 * makes a system call.
 */
#ifndef KVIEW_SCHEMA_SCHEMA_H
#define KVIEW_SCHEMA_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "kview/abi.h"

struct btf;
struct kv_names;

/* What a column is over time, for a monitoring system or a screen that shows rates. */
enum kv_role {
	KV_ROLE_NONE,
	KV_ROLE_KEY,	 /* one of the columns that tell rows apart */
	KV_ROLE_GAUGE,	 /* goes up and down */
	KV_ROLE_COUNTER, /* only goes up, as long as its row is there */
};

struct kv_column {
	char *name;    /* lower case */
	char *unit;    /* "" for none */
	char *meaning; /* one line, "" for none */
	enum kv_type type;
	enum kv_show show;
	enum kv_role role;
	uint16_t off;  /* in the record */
	uint16_t size; /* of the field */
	bool lacks;    /* this kernel can't fill it: no value, whatever the field holds */
	bool has_none; /* numbers: @none means "no value" */
	int64_t none;
	uint64_t first; /* bound of a histogram's first bucket; each next one has twice it */
	uint16_t width; /* of the text column */
	struct kv_names *names; /* of an enum; NULL for another type */
	char *why_lacks;	/* see kv_column_why_lacks(); NULL: not known */
};

struct kv_schema {
	char *shows;	/* one line: what a row is */
	char *since;	/* first kernel that has the iterator, "" if not said */
	char *rows;	/* the map of its object that the rows are of, "": they are of none */
	bool for_all;	/* every user may have its rows */
	uint16_t fixed; /* bytes of a record's fixed part */
	unsigned int ncolumns;
	uint16_t whose;	  /* offset of the struct kv_whose; 0: no column wants arguments */
	uint16_t args;	  /* offset of the column that wants them, a struct kv_str */
	uint64_t strings; /* 1 << index of each KV_TYPE_STR column: what records are checked for */
	struct kv_column columns[KV_MAX_COLUMNS];
};

_Static_assert(KV_MAX_COLUMNS <= 64, "kv_schema.strings has a bit for each column");

/**
 * kv_schema_from_btf() - find the record struct and read its columns
 * @btf: of the object, not kept; NULL: it has none
 * @schema: on success a new schema, freed with kv_schema_free()
 *
 * Return: 0 or -errno with @err saying what the object lacks; -ENOENT: it
 * declares no view (no KV_VIEW()).
 */
int kv_schema_from_btf(const struct btf *btf, struct kv_schema **schema, struct kv_err *err);

void kv_schema_free(struct kv_schema *schema);

/**
 * kv_schema_find() - a column's index by name, -1 for none
 * @len: bytes of @name
 */
int kv_schema_find(const struct kv_schema *schema, const char *name, size_t len);

/**
 * kv_column_is_number() - is it a plain decimal number in every format?
 *
 * Hex, octal and device columns look as in /proc, in every format, so they are strings in JSON.
 */
static inline bool kv_column_is_number(const struct kv_column *col)
{
	return col->type <= KV_TYPE_INT &&
	       (col->show == KV_SHOW_DEC || col->show == KV_SHOW_SECONDS);
}

/* kv_column_role_name() - for schema/VIEW: key, gauge, counter, "-" for none */
const char *kv_column_role_name(const struct kv_column *col);

/* kv_column_buckets() - how many counts a histogram has, each a __u64 */
static inline unsigned int kv_column_buckets(const struct kv_column *col)
{
	return col->type == KV_TYPE_HISTOGRAM ? col->size / 8u : 0;
}

/*
 * kv_column_is_text() - is it a text to be aligned to the left? Then kv_record_string() reads it, or
 * render/histogram.h; and kv_record_number() all others.
 */
static inline bool kv_column_is_text(const struct kv_column *col)
{
	return col->type > KV_TYPE_INT || col->show == KV_SHOW_NAME;
}

/*
 * kv_column_type_name() - for schema/VIEW: integer, decimal, hex, octal, device, string, enum,
 * address, list, histogram
 */
const char *kv_column_type_name(const struct kv_column *col);

/* kv_column_why_lacks() - for a column that @lacks: why this kernel can't fill it */
static inline const char *kv_column_why_lacks(const struct kv_column *col)
{
	return col->why_lacks ? col->why_lacks : "this kernel can't fill it";
}

#endif
