/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copying what needs no escape, a word at a time: names and paths are nearly
 * always plain from end to end.
 */
#ifndef KVIEW_RENDER_PLAIN_H
#define KVIEW_RENDER_PLAIN_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KV_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define KV_TOPS KV_EACH(0x80)

/*
 * Eight bytes, each below 0x80, are asked at once: is it above @limit? The top
 * bit of each tells. No sum reaches into the next byte.
 */
static inline uint64_t kv_above(uint64_t bytes, unsigned int limit)
{
	return bytes + KV_EACH(0x7fu - limit);
}

/* The same: is it another than @c? */
static inline uint64_t kv_differ(uint64_t bytes, unsigned char c)
{
	return kv_above(bytes ^ KV_EACH(c), 0);
}

/* @n bytes, below 8, the first one the lowest. Reads no others. */
static inline uint64_t kv_load_few(const unsigned char *p, size_t n)
{
	uint32_t first, last;

	if (n >= 4) {
		memcpy(&first, p, 4);
		memcpy(&last, p + n - 4, 4);
		return le32toh(first) | (uint64_t)le32toh(last) << (n - 4) * 8;
	}
	if (!n)
		return 0;
	return p[0] | (uint64_t)p[n / 2] << n / 2 * 8 | (uint64_t)p[n - 1] << (n - 1) * 8;
}

/* Which bytes of a word need an escape: their top bits tell, the other bits mean nothing. */
typedef uint64_t kv_special(uint64_t word);

/* Bytes of a word before the first that is special: 8 for none is. */
static inline size_t kv_count_plain(uint64_t tops)
{
	return tops ? (size_t)__builtin_ctzll(tops) / 8 : 8;
}

/**
 * kv_copy_plain() - copy up to the first special byte
 * @out: has room for @n + 8 bytes
 *
 * Return: how many bytes are plain; what lies behind them may be overwritten.
 */
static inline __attribute__((always_inline)) size_t kv_copy_plain(char *out, const unsigned char *p,
								  size_t n, kv_special *special)
{
	uint64_t word, tops;
	size_t done = 0, few;

	for (; n - done >= 8; done += 8) {
		memcpy(&word, p + done, 8);
		memcpy(out + done, &word, 8);
		tops = special(le64toh(word)) & KV_TOPS;
		if (tops)
			return done + kv_count_plain(tops);
	}
	word = kv_load_few(p + done, n - done);
	tops = special(word) & KV_TOPS;
	word = htole64(word);
	memcpy(out + done, &word, 8);
	few = kv_count_plain(tops);
	return few < n - done ? done + few : n;
}

#endif
