// SPDX-License-Identifier: GPL-2.0-only
#include "schema/table.h"

#include <ctype.h>

void kv_schema_lack(struct kv_schema *schema, uint64_t lacks)
{
	for (unsigned int i = 0; i < schema->ncolumns; i++)
		schema->columns[i].lacks = lacks >> i & 1;
}

uint64_t kv_schema_lacks(const struct kv_schema *schema, const struct kv_table *table)
{
	uint64_t lacks = 0, bit = 1;

	for (unsigned int i = 0; i < schema->ncolumns; i++, bit <<= 1)
		lacks |= table->lacks[schema->columns[i].off] ? bit : 0;
	return lacks;
}

void kv_schema_table(const struct kv_schema *schema, struct kv_table *table)
{
	table->ncolumns = schema->ncolumns;
	for (unsigned int i = 0; i < schema->ncolumns; i++) {
		const struct kv_column *col = &schema->columns[i];
		struct kv_text_column *t = &table->columns[i];

		*t = (struct kv_text_column){
			.none = col->none,
			.off = col->off,
			.size = col->size,
			.type = (uint8_t)col->type,
			/* text.h knows no names. */
			.show = col->show == KV_SHOW_NAME ? KV_SHOW_DEC : (uint8_t)col->show,
			.has_none = col->has_none,
		};
		table->lacks[col->off] = col->lacks;
		for (size_t j = 0; col->name[j]; j++)
			t->name[j] = (char)toupper((unsigned char)col->name[j]);
	}
}
