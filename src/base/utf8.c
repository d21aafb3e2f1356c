// SPDX-License-Identifier: GPL-2.0-only
#include "base/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

static size_t length3(const unsigned char *p, size_t n)
{
	unsigned char low = p[0] == 0xe0 ? 0xa0 : 0x80;
	unsigned char high = p[0] == 0xed ? 0x9f : 0xbf;

	return n >= 3 && p[1] >= low && p[1] <= high && is_tail(p[2]) ? 3 : 0;
}

static size_t length4(const unsigned char *p, size_t n)
{
	unsigned char low = p[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = p[0] == 0xf4 ? 0x8f : 0xbf;

	return n >= 4 && p[1] >= low && p[1] <= high && is_tail(p[2]) && is_tail(p[3]) ? 4 : 0;
}

size_t kv_utf8_length(const unsigned char *p, size_t n)
{
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		return n >= 2 && is_tail(p[1]) ? 2 : 0;
	if ((p[0] & 0xf0) == 0xe0)
		return length3(p, n);
	if (p[0] >= 0xf0 && p[0] <= 0xf4)
		return length4(p, n);
	return 0;
}

/* UTF-8, and no control character: those of C1 are U+0080 to U+009F. */
static bool is_plain(const unsigned char *p, size_t len)
{
	if (len == 1)
		return *p >= ' ' && *p != 0x7f;
	return len && !(p[0] == 0xc2 && p[1] < 0xa0);
}

size_t kv_utf8_plain(char *to, size_t size, const char *text)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + strlen(text);
	size_t n = 0;

	while (p < end && n + 4 < size) {
		size_t len = kv_utf8_length(p, (size_t)(end - p));

		if (is_plain(p, len)) {
			memcpy(to + n, p, len);
			n += len;
			p += len;
		} else {
			n += (size_t)snprintf(to + n, size - n, "\\%03o", *p++);
		}
	}
	return n;
}
