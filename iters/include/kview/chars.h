/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arrays of characters in the kernel that may be written to or freed while they are read: names
 * of threads and terminals, descriptions of work. Included by kview.h.
 */
#ifndef KVIEW_CHARS_H
#define KVIEW_CHARS_H

/* Bytes before the first zero byte; 8: there is none. In @zeros the lowest bit marks it. */
static __always_inline __u64 kv_count_chars(__u64 chars)
{
	const __u64 ones = 0x0101010101010101;
	__u64 zeros;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	chars = __builtin_bswap64(chars);
#endif
	zeros = (chars - ones) & ~chars & ones << 7;
	return zeros ? ((zeros & -zeros) >> 7) * 0x0001020304050607 >> 56 : 8;
}

/* Reads an array, or the first KV_CHARS_MAX bytes of a larger one: names are short. */
static __always_inline bool kv_chars_read(struct kv_scratch *scratch, int to, const void *src,
					  __u64 size)
{
	if (size > KV_CHARS_MAX)
		size = KV_CHARS_MAX;
	kv_opaque(size);
	return size <= KV_CHARS_MAX && !bpf_probe_read_kernel(scratch->chars[to], size, src);
}

/* Does the array still hold what was read first? */
static __always_inline bool kv_chars_same(struct kv_scratch *scratch, const void *src, __u64 size)
{
	__u64 *first = scratch->chars[0], *now = scratch->chars[1], differ = 0;

	if (!kv_chars_read(scratch, 1, src, size))
		return false;
	for (int w = 0; w < KV_CHARS_MAX / 8; w++)
		differ |= first[w] ^ now[w];
	return !differ;
}

static __always_inline long kv_chars_count(struct kv_scratch *scratch)
{
	scratch->used = 0;
	for (__u64 w = 0; w < KV_CHARS_MAX / 8; w++)
		if (scratch->used == w * 8)
			scratch->used += kv_count_chars(scratch->chars[0][w]);
	return scratch->used;
}

struct kv_chars {
	struct kv_scratch *scratch;
	__u64 src, size;
	__u64 steady;
};

static long kv_chars_try(__u64 i, struct kv_chars *a)
{
	if (!kv_chars_read(a->scratch, 0, (void *)a->src, a->size))
		return 1;
	kv_barrier();
	a->steady = kv_chars_same(a->scratch, (void *)a->src, a->size);
	return a->steady;
}

#define KV_CHARS_TRIES 16

/*
 * Read until two readings agree, into scratch->chars[0]. Not static, so that it is verified
 * once (see kv_find_pid()).
 *
 * Return: the length; below 0: it is unreadable.
 */
__noinline int kv_read_chars(__u64 src, __u64 size)
{
	struct kv_chars a = {.src = src, .size = size};

	a.scratch = kv_of_thread(kv_scratch, bpf_get_current_task_btf());
	if (!a.scratch)
		return -1;
	__builtin_memset(a.scratch->chars, 0, sizeof(a.scratch->chars));
	bpf_loop(KV_CHARS_TRIES, kv_chars_try, &a, 0);
	if (!a.steady)
		return -1;
	/* A name that is longer than that would be cut. */
	return kv_chars_count(a.scratch) == KV_CHARS_MAX && size > KV_CHARS_MAX ? -1
										: a.scratch->used;
}

#endif
