/* SPDX-License-Identifier: GPL-2.0-only */
/* The type of a column, by the type of its member in BTF. */
#ifndef KVIEW_SCHEMA_COLUMN_H
#define KVIEW_SCHEMA_COLUMN_H

#include "schema/schema.h"

struct btf_type;

/* kv_btf_name() - the name at that offset of BTF's strings, "" for none */
const char *kv_btf_name(const struct btf *btf, uint32_t off);

/* kv_btf_resolve() - the type behind typedefs, const and volatile; NULL where there is none */
const struct btf_type *kv_btf_resolve(const struct btf *btf, uint32_t id);

/**
 * kv_column_set_type() - set type, size, and of an enum show and names
 * @col: its name is there already
 * @type: of the member
 *
 * Return: 0, -ENOMEM, or -EINVAL with @err set: that type can't be shown.
 */
int kv_column_set_type(struct kv_column *col, const struct btf *btf, uint32_t type,
		       struct kv_err *err);

/**
 * kv_column_set_show(), kv_column_set_buckets() - by the tags of these names
 *
 * Return: 0, or -EINVAL with @err set.
 */
int kv_column_set_show(struct kv_column *col, const char *how, struct kv_err *err);
int kv_column_set_buckets(struct kv_column *col, const char *first, struct kv_err *err);

/**
 * kv_column_finish() - what is open when all tags are read: width, "no value"
 *
 * Return: 0, or -EINVAL with @err set: the type needs a tag.
 */
int kv_column_finish(struct kv_column *col, struct kv_err *err);

/**
 * kv_column_integer() - of a tag
 *
 * Return: 0, or -EINVAL with @err set: it is not from @min to @max.
 */
int kv_column_integer(const struct kv_column *col, const char *text, long long min, long long max,
		      int64_t *to, struct kv_err *err);

/* kv_index_of() - of a word in a list that ends with NULL; -1: it is not there */
int kv_index_of(const char *const *list, const char *word);

#endif
