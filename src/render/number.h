/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers to digits. Each function writes at @out, which has room for
 * KV_NUMBER_MAX bytes, and returns the end of the digits; no NUL. The rest of
 * that room may have been written as well.
 */
#ifndef KVIEW_RENDER_NUMBER_H
#define KVIEW_RENDER_NUMBER_H

#include <stdint.h>
#include <string.h>

#include "schema/schema.h"

#define KV_NUMBER_MAX 32

/**
 * kv_put_number() - a number as @col shows it
 * @raw: from kv_record_number()
 * @width: blanks go before what is shorter; there is room for as many bytes more
 */
char *kv_put_number(char *out, const struct kv_column *col, uint64_t raw, unsigned int width);

#define KV_BLANKS 16

/* kv_put_blanks() - @n of them, and up to KV_BLANKS - 1 more behind the end */
static inline char *kv_put_blanks(char *out, size_t n)
{
	for (size_t i = 0; i < n; i += KV_BLANKS)
		memset(out + i, ' ', KV_BLANKS);
	return out + n;
}

#endif
