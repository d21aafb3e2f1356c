// SPDX-License-Identifier: GPL-2.0-only
#include "render/histogram.h"

#include "render/number.h"

/* @v / 10^@digits, of which there are 9 at most, without zeros at the end */
static char *put_fraction(char *out, uint64_t v, unsigned int digits)
{
	static const uint64_t powers[] = {1,	  10,	   100,	     1000,	10000,
					  100000, 1000000, 10000000, 100000000, 1000000000};

	for (; digits && v % 10 == 0; digits--)
		v /= 10;
	out = kv_put_decimal(out, v / powers[digits]);
	if (digits)
		*out++ = '.';
	while (digits--)
		*out++ = (char)('0' + v / powers[digits] % 10);
	return out;
}

char *kv_put_bound(char *out, const struct kv_column *col, unsigned int bucket)
{
	if (!kv_bucket_has_bound(col, bucket))
		return stpcpy(out, "inf");
	return put_fraction(out, col->first << bucket, col->show == KV_SHOW_SECONDS ? 9 : 0);
}

char *kv_put_bound_with_unit(char *out, const struct kv_column *col, unsigned int bucket)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	unsigned int i = 0;
	uint64_t bound;

	if (col->show != KV_SHOW_SECONDS || !kv_bucket_has_bound(col, bucket))
		return kv_put_bound(out, col, bucket);
	bound = col->first << bucket;
	for (uint64_t v = bound; i < 3 && v >= 1000; v /= 1000)
		i++;
	out = put_fraction(out, bound, 3 * i);
	return stpcpy(out, units[i]);
}
