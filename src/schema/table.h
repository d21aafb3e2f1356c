/* SPDX-License-Identifier: GPL-2.0-only */
/* The columns as a program has them in its table, and which of them this kernel can't fill. */
#ifndef KVIEW_SCHEMA_TABLE_H
#define KVIEW_SCHEMA_TABLE_H

#include "schema/schema.h"

/**
 * kv_schema_lack() - show no value in columns that this kernel can't fill, and in others again
 * @lacks: bits by index, see kv_has() in iters/include/kview/kview.h
 */
void kv_schema_lack(struct kv_schema *schema, uint64_t lacks);

/* kv_schema_lacks() - of which columns a loaded program's table says so, as bits by index */
uint64_t kv_schema_lacks(const struct kv_schema *schema, const struct kv_table *table);

/**
 * kv_schema_table() - the table for the program, and the text printer in it
 * @table: columns, ncolumns and lacks are filled, the rest is left as it is
 */
void kv_schema_table(const struct kv_schema *schema, struct kv_table *table);

#endif
