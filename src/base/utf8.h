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

/**
 * kv_utf8_plain() - a text that is one line on any terminal
 * @to: receives the text without a NUL; bytes that are no UTF-8 or a control character become
 *	octal, as \012, and what does not fit in @size is left out
 *
 * Messages quote names of users and files, and no name may forge a line.
 *
 * Return: the number of bytes.
 */
size_t kv_utf8_plain(char *to, size_t size, const char *text);

#endif
