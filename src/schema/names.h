/* SPDX-License-Identifier: GPL-2.0-only */
/* The names of an enumeration's values. */
#ifndef KVIEW_SCHEMA_NAMES_H
#define KVIEW_SCHEMA_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct btf;
struct btf_type;

struct kv_name {
	uint64_t bits;	  /* of the field */
	const char *text; /* a-z, 0-9 and _, not empty */
};

struct kv_names {
	size_t n;
	size_t longest; /* bytes of the longest name */
	struct kv_name list[];
};

/**
 * kv_names_new() - the names of an enum of 1, 2, 4 or 8 bytes
 *
 * They are in lower case, without what all have in common up to an underscore:
 * BPF_MAP_TYPE_HASH becomes "hash". Enumerators that begin with _ or MAX_ bound the others and
 * name no value.
 *
 * Return: to be freed with free(), or NULL: out of memory.
 */
struct kv_names *kv_names_new(const struct btf *btf, const struct btf_type *t);

/* kv_names_find() - the first enumerator with these bits, NULL for none */
const char *kv_names_find(const struct kv_names *names, uint64_t bits);

#endif
