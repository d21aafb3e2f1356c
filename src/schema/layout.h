/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records of the elements of a BPF map. The map's own BTF tells the columns: `key` and `value`,
 * or of structs their members as `key.pid`, `value.addr.port`. Structs, unions and arrays are
 * taken apart, the outer ones first, as long as there is room for their columns. What is left
 * of them is shown in hex, and so is what BTF does not tell.
 */
#ifndef KVIEW_SCHEMA_LAYOUT_H
#define KVIEW_SCHEMA_LAYOUT_H

#include "schema/schema.h"

/* How a map's elements are laid out. */
struct kv_shape {
	uint32_t key_size, value_size;	/* bytes, of a value on one CPU */
	uint32_t key_type, value_type;	/* in BTF; 0: it does not tell */
	bool has_index, has_id, is_cpu; /* the key is an index, the value an id; a value per CPU */
};

/* Where a column's value comes from. */
struct kv_field {
	enum {
		KV_FIELD_COPY,
		KV_FIELD_BITS,
		KV_FIELD_CHARS, /* up to the first NUL */
		KV_FIELD_HEX,
		KV_FIELD_CPU,
	} how;
	bool in_value;
	uint32_t off, size; /* bytes in the key or the value; of KV_FIELD_BITS bits */
};

struct kv_layout {
	struct kv_schema *schema; /* freed by who made the layout, with kv_schema_free() */
	struct kv_field fields[KV_MAX_COLUMNS]; /* by column */
};

/**
 * kv_layout_new() - the columns of a map
 * @btf: NULL: it has none
 *
 * Return: to be freed; NULL: out of memory.
 */
struct kv_layout *kv_layout_new(const struct btf *btf, const struct kv_shape *shape);

/**
 * kv_layout_put() - the record of an element
 * @value: of that CPU
 * @to: room for KV_RECORD_MAX bytes; a string without room there is KV_STR_TOO_LONG
 *
 * Return: the record's length.
 */
uint32_t kv_layout_put(const struct kv_layout *layout, const char *key, const char *value,
		       uint32_t cpu, char *to);

#endif
