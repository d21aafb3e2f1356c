/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes of one record: where it ends, and the values in it. Records come from programs
 * that a user may have written. kv_record_check() checks each record once; the other functions
 * then read it unchecked.
 */
#ifndef KVIEW_SCHEMA_RECORD_H
#define KVIEW_SCHEMA_RECORD_H

#include <stdint.h>
#include <string.h>

#include "schema/schema.h"

/* Room for what a record does not hold as text: the hex digits of 64 bytes, an address. */
#define KV_VALUE_MAX 128

struct kv_string {
	const unsigned char *data; /* NULL: no value */
	size_t len;
};

/**
 * kv_record_check() - is there a whole and valid record at @p?
 * @avail: bytes at @p
 *
 * Return: its length in bytes; 0: more bytes are needed; -EBADMSG with @err
 * set: it is no record of @schema.
 */
int kv_record_check(const struct kv_schema *schema, const void *p, size_t avail,
		    struct kv_err *err);

/* kv_record_number() - a KV_TYPE_UINT or KV_TYPE_INT field, sign-extended */
static inline uint64_t kv_record_number(const struct kv_column *col, const void *record)
{
	const char *p = (const char *)record + col->off;
	bool is_signed = col->type == KV_TYPE_INT;
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	if (col->size == 4) {
		memcpy(&u32, p, 4);
		return is_signed ? (uint64_t)(int32_t)u32 : u32;
	}
	if (col->size == 8) {
		memcpy(&u64, p, 8);
		return u64;
	}
	if (col->size == 2) {
		memcpy(&u16, p, 2);
		return is_signed ? (uint64_t)(int16_t)u16 : u16;
	}
	return is_signed ? (uint64_t)(int8_t)*p : (uint8_t)*p;
}

/* kv_record_is_none() - does @v, from kv_record_number(), mean "no value"? */
static inline bool kv_record_is_none(const struct kv_column *col, uint64_t v)
{
	return col->lacks || (col->has_none && v == (uint64_t)col->none);
}

/**
 * kv_record_string() - a field of which kv_column_is_text()
 * @value: room for it, where the record does not hold it as text
 *
 * An empty char[] is no value; an empty kv_str is the empty string. A list is as in the record,
 * with its NULs.
 *
 * Return: points into @record, to @value, or to a constant such as "(too long)".
 */
struct kv_string kv_record_string(const struct kv_column *col, const void *record,
				  char value[KV_VALUE_MAX]);

/* kv_string_joined() - a list without the NUL at its end: what is left lies between strings */
static inline struct kv_string kv_string_joined(struct kv_string list)
{
	if (list.len && !list.data[list.len - 1])
		list.len--;
	return list;
}

#endif
