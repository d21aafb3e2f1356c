/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVIEW_BASE_HASH_H
#define KVIEW_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/**
 * kv_hash() - 64-bit FNV-1a of @n bytes, which an attacker can forge
 *
 * http://www.isthe.com/chongo/tech/comp/fnv/
 */
static inline uint64_t kv_hash(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h;
}

#endif
