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

#endif
