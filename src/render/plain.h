/* SPDX-License-Identifier: GPL-2.0-only */
/* Copying what needs no escape: names and paths are nearly always plain from end to end. */
#ifndef KVIEW_RENDER_PLAIN_H
#define KVIEW_RENDER_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
