/* SPDX-License-Identifier: GPL-2.0-only */
/* Strings with escapes. Names and paths hardly ever need one, so plain bytes are copied fast. */
#ifndef KVIEW_RENDER_PLAIN_H
#define KVIEW_RENDER_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/utf8.h"
#include "schema/record.h"

/**
 * kv_copy_plain() - copy bytes up to the first that is special
 * @out: room for @n bytes
 * @special: 256 of them: does a byte need an escape?
 *
 * Return: how many were copied.
 */
static inline size_t kv_copy_plain(char *out, const unsigned char *p, size_t n,
				   const bool special[256])
{
	size_t i = 0;

	for (; i < n && !special[p[i]]; i++)
		out[i] = (char)p[i];
	return i;
}

/**
 * kv_put_escaped() - a string as UTF-8, with an escape for each other special byte
 * @special: 256 of them; all from 0x80 on
 * @escape: writes the escape of one byte and returns its end
 * @chars: receives the characters written, which a terminal shows
 *
 * Return: the end of the bytes.
 */
static inline char *kv_put_escaped(char *out, struct kv_string s, const bool special[256],
				   char *(*escape)(char *out, unsigned char c), size_t *chars)
{
	const unsigned char *p = s.data, *end = p + s.len;
	const char *begin = out;
	size_t more = 0; /* bytes than characters */

	for (;;) {
		size_t n = kv_copy_plain(out, p, (size_t)(end - p), special);

		out += n;
		p += n;
		if (p == end)
			break;
		n = *p >= 0x80 ? kv_utf8_length(p, (size_t)(end - p)) : 0;
		if (!n) {
			out = escape(out, *p++);
			continue;
		}
		memcpy(out, p, n);
		out += n;
		p += n;
		more += n - 1;
	}
	*chars = (size_t)(out - begin) - more;
	return out;
}

#endif
