// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eight digits at a time: each is a byte of a word, the first one the lowest,
 * and the word is stored whole. So what lies behind a number's end is
 * overwritten, within KV_NUMBER_MAX.
 */
#include "render/number.h"

#include <endian.h>
#include <string.h>

#define NSEC_PER_SEC 1000000000u
#define E8 100000000u

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The digits of @v, which is below 10^8: halves, then pairs, then single ones. */
static inline uint64_t split_decimal(uint32_t v)
{
	uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32, high;

	high = (x * 10486 >> 20) & UINT64_C(0x0000007f0000007f); /* x / 100 */
	x = high | (x - high * 100) << 16;
	high = (x * 103 >> 10) & UINT64_C(0x000f000f000f000f); /* x / 10 */
	return high | (x - high * 10) << 8;
}

static inline uint64_t split_hex(uint32_t v)
{
	uint64_t x = __builtin_bswap32(v);

	x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
	x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x >> 4 | x << 8) & EACH(0x0f);
	return x + ((x + EACH(6)) >> 4 & EACH(1)) * ('a' - '0' - 10);
}

/* All but the first @skip of eight digits. */
static char *put_digits(char *out, uint64_t digits, unsigned int skip)
{
	uint64_t word = htole64((digits + EACH('0')) >> skip * 8);

	memcpy(out, &word, sizeof(word));
	return out + 8 - skip;
}

/*
 * More than 8 digits. This and other rare cases stand apart, so that they cost
 * the usual ones no registers.
 */
static __attribute__((noinline)) char *put_long(char *out, uint64_t v, unsigned int n)
{
	if (n > 16) {
		out = put_digits(out, split_decimal((uint32_t)(v / (UINT64_C(1) * E8 * E8))),
				 24 - n);
		v %= UINT64_C(1) * E8 * E8;
		n = 16;
	}
	out = put_digits(out, split_decimal((uint32_t)(v / E8)), 16 - n);
	return put_digits(out, split_decimal((uint32_t)(v % E8)), 0);
}

/* @n: how many digits @v has */
static inline char *put_decimal(char *out, uint64_t v, unsigned int n)
{
	if (n > 8)
		return put_long(out, v, n);
	if (n > 2)
		return put_digits(out, split_decimal((uint32_t)v), 8 - n);
	if (n == 2) {
		*out++ = (char)('0' + v / 10);
		v %= 10;
	}
	*out = (char)('0' + v);
	return out + 1;
}

/* @n: at least as many digits as @v has */
static char *put_hex(char *out, uint64_t v, unsigned int n)
{
	if (n > 8) {
		out = put_hex(out, v >> 32, n - 8);
		n = 8;
	}
	return put_digits(out, split_hex((uint32_t)v), 8 - n);
}

static inline unsigned int count_bits(uint64_t v)
{
	return 64 - (unsigned int)__builtin_clzll(v | 1);
}

static inline unsigned int count_decimal(uint64_t v)
{
	static const uint64_t powers[] = {
		0,
		10,
		100,
		1000,
		10000,
		100000,
		1000000,
		10000000,
		100000000,
		1000000000,
		10000000000,
		100000000000,
		1000000000000,
		10000000000000,
		100000000000000,
		1000000000000000,
		10000000000000000,
		100000000000000000,
		1000000000000000000,
		10000000000000000000u,
	};
	unsigned int n = count_bits(v) * 1233 >> 12; /* log10(2) */

	return n + (v >= powers[n]);
}

static inline unsigned int count_hex(uint64_t v, unsigned int min)
{
	unsigned int n = (count_bits(v) + 3) / 4;

	return n > min ? n : min;
}

static inline unsigned int count_oct(uint64_t v)
{
	return (count_bits(v) + 2) / 3;
}

/* Blanks up to where @n bytes end at @width. */
static char *pad(char *out, unsigned int n, unsigned int width)
{
	return n < width ? kv_put_blanks(out, width - n) : out;
}

static char *put_oct(char *out, uint64_t v, unsigned int width)
{
	unsigned int n = count_oct(v);
	char *end;

	out = pad(out, n + 1, width);
	*out++ = '0';
	end = out + n;
	for (char *p = end; p > out; v >>= 3)
		*--p = (char)('0' + (v & 7));
	return end;
}

/* Kernel-internal dev_t: 12 bits of major, 20 of minor (MINORBITS). */
static char *put_dev(char *out, uint64_t dev, unsigned int width)
{
	uint64_t major = dev >> 20, minor = dev & 0xfffff;
	unsigned int n = count_hex(major, 2), m = count_hex(minor, 2);

	out = put_hex(pad(out, n + 1 + m, width), major, n);
	*out++ = ':';
	return put_hex(out, minor, m);
}

/* Two's complement of the field's own width: hex and octal have no sign. */
static uint64_t field_bits(const struct kv_column *col, uint64_t v)
{
	return col->size < 8 ? v & ((1ULL << (col->size * 8)) - 1) : v;
}

static __attribute__((noinline)) char *put_bits(char *out, const struct kv_column *col, uint64_t v,
						unsigned int width)
{
	unsigned int n;

	v = field_bits(col, v);
	if (col->show == KV_SHOW_OCT)
		return put_oct(out, v, width);
	if (col->show == KV_SHOW_DEV)
		return put_dev(out, v, width);
	n = count_hex(v, 8);
	return put_hex(pad(out, n, width), v, n);
}

static char *put_fraction(char *out, uint32_t ns)
{
	*out++ = '.';
	*out++ = (char)('0' + ns / E8);
	return put_digits(out, split_decimal(ns % E8), 0);
}

/* Numbers below 0, and seconds. */
static __attribute__((noinline)) char *put_parts(char *out, const struct kv_column *col,
						 uint64_t raw, unsigned int width)
{
	bool is_negative = col->type == KV_TYPE_INT && (int64_t)raw < 0;
	bool is_seconds = col->show == KV_SHOW_SECONDS;
	uint64_t v = is_negative ? -raw : raw, whole = is_seconds ? v / NSEC_PER_SEC : v;
	unsigned int n = count_decimal(whole);

	out = pad(out, n + is_negative + is_seconds * 10u, width);
	if (is_negative)
		*out++ = '-';
	out = put_decimal(out, whole, n);
	return is_seconds ? put_fraction(out, (uint32_t)(v - whole * NSEC_PER_SEC)) : out;
}

/* Most numbers are small, so that is asked first. */
char *kv_put_number(char *out, const struct kv_column *col, uint64_t raw, unsigned int width)
{
	unsigned int n;

	if (col->show == KV_SHOW_DEC) {
		if (raw < 10) {
			out = pad(out, 1, width);
			*out = (char)('0' + raw);
			return out + 1;
		}
		if (col->type == KV_TYPE_UINT || (int64_t)raw > 0) {
			n = count_decimal(raw);
			return put_decimal(pad(out, n, width), raw, n);
		}
	} else if (col->show != KV_SHOW_SECONDS) {
		return put_bits(out, col, raw, width);
	}
	return put_parts(out, col, raw, width);
}
