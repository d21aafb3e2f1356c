/* SPDX-License-Identifier: GPL-2.0-only */
/* What the formats have in common of histograms: the counts, and the bounds as text. */
#ifndef KVIEW_RENDER_HISTOGRAM_H
#define KVIEW_RENDER_HISTOGRAM_H

#include <stdint.h>
#include <string.h>

#include "schema/schema.h"

/* Bytes that a bucket takes at most, with its bound and what a format puts around both. */
#define KV_BUCKET_MAX 64

static inline uint64_t kv_bucket_count(const struct kv_column *col, const void *record,
				       unsigned int bucket)
{
	uint64_t count;

	memcpy(&count, (const char *)record + col->off + bucket * sizeof(count), sizeof(count));
	return count;
}

/* kv_bucket_has_bound() - it is not the last one, which takes all that is larger */
static inline bool kv_bucket_has_bound(const struct kv_column *col, unsigned int bucket)
{
	return bucket + 1 < kv_column_buckets(col);
}

/**
 * kv_put_bound() - the largest value of a bucket, all its digits: 0.000001, 4096, inf
 * @out: room for KV_NUMBER_MAX bytes
 *
 * Return: the end; no NUL.
 */
char *kv_put_bound(char *out, const struct kv_column *col, unsigned int bucket);

/* kv_put_bound_with_unit() - likewise, of a time in the unit that makes it short: 1us, 2.048ms */
char *kv_put_bound_with_unit(char *out, const struct kv_column *col, unsigned int bucket);

#endif
