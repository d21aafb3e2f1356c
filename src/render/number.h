/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers to digits. Each function writes at @out, which has room for
 * KV_NUMBER_MAX bytes, and returns the end of what it wrote; no NUL.
 */
#ifndef KVIEW_RENDER_NUMBER_H
#define KVIEW_RENDER_NUMBER_H

#include <stdint.h>

#include "schema/schema.h"

#define KV_NUMBER_MAX 32

char *kv_put_u64(char *out, uint64_t v);

/* kv_put_number() - @raw, from kv_record_number(), as @col shows it */
char *kv_put_number(char *out, const struct kv_column *col, uint64_t raw);

#endif
