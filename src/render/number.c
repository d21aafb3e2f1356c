// SPDX-License-Identifier: GPL-2.0-only
#include "render/number.h"

#define NSEC_PER_SEC 1000000000u

/* The digits of a number, right-aligned. */
struct digits {
	char text[KV_NUMBER_MAX];
	unsigned int n;
};

static void prepend(struct digits *d, char c)
{
	d->text[KV_NUMBER_MAX - ++d->n] = c;
}

/* At least @min digits, in base 8, 10 or 16. */
static inline void prepend_number(struct digits *d, uint64_t v, unsigned int base, unsigned int min)
{
	for (unsigned int i = 0; v || i < min; i++, v /= base)
		prepend(d, "0123456789abcdef"[v % base]);
}

/* Two's complement of the field's own width: hex and octal have no sign. */
static uint64_t field_bits(const struct kv_column *col, uint64_t v)
{
	return col->size < 8 ? v & ((1ULL << (col->size * 8)) - 1) : v;
}

static void prepend_signed(struct digits *d, const struct kv_column *col, uint64_t v)
{
	bool is_negative = col->type == KV_TYPE_INT && (int64_t)v < 0;

	v = is_negative ? -v : v;
	if (col->show == KV_SHOW_SECONDS) {
		prepend_number(d, v % NSEC_PER_SEC, 10, 9);
		prepend(d, '.');
		v /= NSEC_PER_SEC;
	}
	prepend_number(d, v, 10, 1);
	if (is_negative)
		prepend(d, '-');
}

char *kv_put_number(char *out, const struct kv_column *col, uint64_t v, unsigned int width)
{
	struct digits d = {.n = 0};

	switch (col->show) {
	case KV_SHOW_HEX:
		prepend_number(&d, field_bits(col, v), 16, 8);
		break;
	case KV_SHOW_OCT:
		prepend_number(&d, field_bits(col, v), 8, 1);
		prepend(&d, '0');
		break;
	case KV_SHOW_DEV: /* kernel-internal dev_t: 12 bits of major, 20 of minor (MINORBITS) */
		v = field_bits(col, v);
		prepend_number(&d, v & 0xfffff, 16, 2);
		prepend(&d, ':');
		prepend_number(&d, v >> 20, 16, 2);
		break;
	default:
		prepend_signed(&d, col, v);
	}
	if (d.n < width)
		out = kv_put_blanks(out, width - d.n);
	memcpy(out, d.text + KV_NUMBER_MAX - d.n, d.n);
	return out + d.n;
}
