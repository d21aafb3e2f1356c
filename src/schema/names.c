// SPDX-License-Identifier: GPL-2.0-only
#include "schema/names.h"

#include <bpf/btf.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* NULL: it names no value. An object that no compiler made may have any bytes here. */
static const char *enumerator(const struct btf *btf, const struct btf_type *t, uint32_t i)
{
	static const char chars[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
	uint32_t off = btf_is_enum(t) ? btf_enum(t)[i].name_off : btf_enum64(t)[i].name_off;
	const char *name = btf__name_by_offset(btf, off);

	if (!name || !*name || *name == '_' || strncmp(name, "MAX_", 4) == 0)
		return NULL;
	return name[strspn(name, chars)] ? NULL : name;
}

static uint64_t bits_of(const struct btf_type *t, uint32_t i)
{
	uint64_t v =
		btf_is_enum(t) ? (uint64_t)btf_enum(t)[i].val : btf_enum64_value(&btf_enum64(t)[i]);

	return t->size < 8 ? v & ((UINT64_C(1) << (t->size * 8)) - 1) : v;
}

/* How many bytes all names begin with, up to an underscore. No name is all of that. */
static size_t common_prefix(const struct btf *btf, const struct btf_type *t)
{
	const char *first = NULL;
	size_t n = 0;

	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const char *name = enumerator(btf, t, i);
		size_t same = 0, most = name ? strlen(name) - 1 : 0;

		if (!name)
			continue;
		if (!first) {
			first = name;
			n = most;
		}
		while (same < n && same < most && name[same] == first[same])
			same++;
		n = same;
	}
	while (n && first[n - 1] != '_')
		n--;
	return n;
}

/* Adds a name whose text is put at @to. Returns the text's end. */
static char *add(struct kv_names *names, uint64_t bits, const char *text, char *to)
{
	size_t n = strlen(text);

	names->list[names->n++] = (struct kv_name){bits, to};
	if (n > names->longest)
		names->longest = n;
	for (; *text; text++)
		*to++ = (char)tolower((unsigned char)*text);
	*to++ = '\0';
	return to;
}

struct kv_names *kv_names_new(const struct btf *btf, const struct btf_type *t)
{
	size_t prefix = common_prefix(btf, t), n = 0, bytes = 0;
	struct kv_names *names;
	char *to;

	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const char *name = enumerator(btf, t, i);

		n += !!name;
		bytes += name ? strlen(name + prefix) + 1 : 0;
	}
	names = calloc(1, sizeof(*names) + n * sizeof(names->list[0]) + bytes);
	if (!names)
		return NULL;
	to = (char *)&names->list[n];
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const char *name = enumerator(btf, t, i);

		if (name)
			to = add(names, bits_of(t, i), name + prefix, to);
	}
	return names;
}

const char *kv_names_find(const struct kv_names *names, uint64_t bits)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->list[i].bits == bits)
			return names->list[i].text;
	return NULL;
}
