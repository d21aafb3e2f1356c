/* SPDX-License-Identifier: GPL-2.0-only */
/* The digits of numbers. */
#ifndef KVIEW_RENDER_NUMBER_H
#define KVIEW_RENDER_NUMBER_H

#include <stdint.h>
#include <string.h>

#include "schema/schema.h"

#define KV_NUMBER_MAX 32

/**
 * kv_put_number() - a number as @col shows it
 * @out: room for KV_NUMBER_MAX or @width bytes, whichever is more
 * @v: from kv_record_number()
 * @width: a shorter number is right-aligned in so many bytes
 *
 * Return: the end of the digits; no NUL.
 */
char *kv_put_number(char *out, const struct kv_column *col, uint64_t v, unsigned int width);

/* kv_put_decimal() - an unsigned number that is no column's; @out: room for KV_NUMBER_MAX bytes */
static inline char *kv_put_decimal(char *out, uint64_t v)
{
	static const struct kv_column decimal = {.type = KV_TYPE_UINT, .size = 8};

	return kv_put_number(out, &decimal, v, 0);
}

static inline char *kv_put_blanks(char *out, size_t n)
{
	memset(out, ' ', n);
	return out + n;
}

#endif
