/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVIEW_BASE_UTF8_H
#define KVIEW_BASE_UTF8_H

#include <stddef.h>

/**
 * kv_utf8_length() - bytes of the well-formed UTF-8 sequence at @p
 * @p: @n readable bytes, at least one
 *
 * Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above
 * U+10FFFF.
 *
 * Return: 1 to 4, or 0 where no well-formed sequence starts.
 */
size_t kv_utf8_length(const unsigned char *p, size_t n);

#endif
