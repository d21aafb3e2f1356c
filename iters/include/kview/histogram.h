/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Histograms: counts of values by size. A column of the type __u64[N] with KV_BUCKETS(first) has N
 * buckets. The first one is for values up to @first, each next one for those up to twice the bound
 * before, and the last one for all that are larger.
 */
#ifndef KVIEW_HISTOGRAM_H
#define KVIEW_HISTOGRAM_H

/* How many bits a number has. The verifier need not follow any branch: there is none. */
static __always_inline __u64 kv_count_bits(__u64 v)
{
	for (int shift = 1; shift < 64; shift *= 2)
		v |= v >> shift;
	/* As many bits are set now as there are: they are summed up in pairs, fours and bytes. */
	v -= v >> 1 & 0x5555555555555555;
	v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return v * 0x0101010101010101 >> 56;
}

/* kv_bucket() - the bucket of a value; @n: how many there are */
static __always_inline __u64 kv_bucket(__u64 value, __u64 first, __u64 n)
{
	__u64 bucket = kv_count_bits((value - !!value) / first);

	return bucket < n ? bucket : n - 1;
}

/* kv_histogram_add() - count a value in an array of a map, which others may count in meanwhile */
#define kv_histogram_add(counts, value, first)                               \
	do {                                                                 \
		const __u64 _n = sizeof(counts) / sizeof((counts)[0]);       \
		__u64 _bucket = kv_bucket(value, first, _n);                 \
                                                                             \
		kv_opaque(_bucket); /* or the verifier has no bound of it */ \
		if (_bucket < _n)                                            \
			__sync_fetch_and_add(&(counts)[_bucket], 1);         \
	} while (0)

#endif
