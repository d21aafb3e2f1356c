/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of columns in a program, which also says which columns this kernel can't fill. */
#ifndef KVIEW_SCHEMA_TABLE_H
#define KVIEW_SCHEMA_TABLE_H

#include "schema/schema.h"

/**
 * kv_schema_lack() - set which columns this kernel can't fill
 * @lacks: a bit for each column, by index; see kv_has() in iters/include/kview/kview.h
 */
void kv_schema_lack(struct kv_schema *schema, uint64_t lacks);

/* kv_schema_lacks() - the same bits, from the table of a loaded program */
uint64_t kv_schema_lacks(const struct kv_schema *schema, const struct kv_table *table);

/**
 * kv_schema_table() - fill in columns, ncolumns and lacks of the table for a program
 */
void kv_schema_table(const struct kv_schema *schema, struct kv_table *table);

#endif
