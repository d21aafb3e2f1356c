// SPDX-License-Identifier: GPL-2.0-only
#include "render/number.h"

#include <string.h>

#define NSEC_PER_SEC 1000000000u

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
			    "25262728293031323334353637383940414243444546474849"
			    "50515253545556575859606162636465666768697071727374"
			    "75767778798081828384858687888990919293949596979899";

static unsigned int count_digits(uint64_t v)
{
	unsigned int n = 1;

	for (;;) {
		if (v < 10)
			return n;
		if (v < 100)
			return n + 1;
		if (v < 1000)
			return n + 2;
		if (v < 10000)
			return n + 3;
		v /= 10000;
		n += 4;
	}
}

/* Exactly @n digits, with leading zeros. */
static char *put_digits(char *out, uint64_t v, unsigned int n)
{
	char *end = out + n, *p = end;

	for (; n >= 2; n -= 2) {
		p -= 2;
		memcpy(p, pairs + (v % 100) * 2, 2);
		v /= 100;
	}
	if (n)
		*--p = (char)('0' + v % 10);
	return end;
}

char *kv_put_u64(char *out, uint64_t v)
{
	return put_digits(out, v, count_digits(v));
}

/* At least @min digits of @bits bits each. */
static char *put_power2(char *out, uint64_t v, unsigned int bits, unsigned int min)
{
	unsigned int n = 1;

	for (uint64_t rest = v >> bits; rest; rest >>= bits)
		n++;
	if (n < min)
		n = min;
	for (unsigned int i = n; i > 0; i--) {
		out[i - 1] = "0123456789abcdef"[v & ((1u << bits) - 1)];
		v >>= bits;
	}
	return out + n;
}

static char *put_seconds(char *out, uint64_t ns)
{
	out = kv_put_u64(out, ns / NSEC_PER_SEC);
	*out++ = '.';
	return put_digits(out, ns % NSEC_PER_SEC, 9);
}

/* Kernel-internal dev_t: 12 bits of major, 20 of minor (MINORBITS). */
static char *put_dev(char *out, uint64_t dev)
{
	out = put_power2(out, dev >> 20, 4, 2);
	*out++ = ':';
	return put_power2(out, dev & 0xfffff, 4, 2);
}

/* Two's complement of the field's own width: hex and octal have no sign. */
static uint64_t field_bits(const struct kv_column *col, uint64_t v)
{
	return col->size < 8 ? v & ((1ULL << (col->size * 8)) - 1) : v;
}

char *kv_put_number(char *out, const struct kv_column *col, uint64_t raw)
{
	bool negative = col->type == KV_TYPE_INT && (int64_t)raw < 0;

	switch (col->show) {
	case KV_SHOW_HEX:
		return put_power2(out, field_bits(col, raw), 4, 8);
	case KV_SHOW_OCT:
		*out++ = '0';
		return put_power2(out, field_bits(col, raw), 3, 1);
	case KV_SHOW_DEV:
		return put_dev(out, field_bits(col, raw));
	default:
		break;
	}
	if (negative) {
		*out++ = '-';
		raw = -raw;
	}
	return col->show == KV_SHOW_SECONDS ? put_seconds(out, raw) : kv_put_u64(out, raw);
}
