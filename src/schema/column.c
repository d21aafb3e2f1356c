// SPDX-License-Identifier: GPL-2.0-only
#include "schema/column.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/names.h"

const char *kv_btf_name(const struct btf *btf, uint32_t off)
{
	const char *name = btf__name_by_offset(btf, off);

	return name ? name : "";
}

const struct btf_type *kv_btf_resolve(const struct btf *btf, uint32_t id)
{
	int resolved = btf__resolve_type(btf, id);

	return resolved < 0 ? NULL : btf__type_by_id(btf, (uint32_t)resolved);
}

static bool is_ours(const struct btf *btf, const struct btf_type *t, const char *name, size_t size)
{
	return btf_is_struct(t) && t->size == size &&
	       strcmp(kv_btf_name(btf, t->name_off), name) == 0;
}

/* The type of an array's bytes; NULL: it is no such array. */
static const struct btf_type *byte_type(const struct btf *btf, const struct btf_type *t)
{
	const struct btf_type *elem;

	if (!btf_is_array(t) || btf_array(t)->nelems < 1 || btf_array(t)->nelems > 64)
		return NULL;
	elem = kv_btf_resolve(btf, btf_array(t)->type);
	return elem && btf_is_int(elem) && elem->size == 1 ? elem : NULL;
}

/* __u64[N]: the last bucket has no bound, so one alone is none. */
static bool is_counts(const struct btf *btf, const struct btf_type *t)
{
	const struct btf_type *elem;

	if (!btf_is_array(t) || btf_array(t)->nelems < 2 || btf_array(t)->nelems > 64)
		return false;
	elem = kv_btf_resolve(btf, btf_array(t)->type);
	return elem && btf_is_int(elem) && elem->size == 8 &&
	       !(btf_int_encoding(elem) & BTF_INT_SIGNED);
}

static bool is_number(const struct btf_type *t)
{
	return (btf_is_int(t) || btf_is_any_enum(t)) &&
	       (t->size == 1 || t->size == 2 || t->size == 4 || t->size == 8);
}

static bool is_signed(const struct btf_type *t)
{
	if (btf_is_int(t))
		return btf_int_encoding(t) & BTF_INT_SIGNED;
	return btf_kflag(t); /* enums */
}

static int set_number(struct kv_column *col, const struct btf *btf, const struct btf_type *t)
{
	col->type = is_signed(t) ? KV_TYPE_INT : KV_TYPE_UINT;
	col->size = (uint16_t)t->size;
	if (btf_is_int(t))
		return 0;
	col->show = KV_SHOW_NAME;
	col->names = kv_names_new(btf, t);
	return col->names ? 0 : -ENOMEM;
}

static void set_array(struct kv_column *col, const struct btf *btf, const struct btf_type *t)
{
	const struct btf_type *elem = byte_type(btf, t);

	col->type = strcmp(kv_btf_name(btf, elem->name_off), "char") == 0 ? KV_TYPE_CHARS
									  : KV_TYPE_BYTES;
	col->size = (uint16_t)btf_array(t)->nelems;
}

int kv_column_set_type(struct kv_column *col, const struct btf *btf, uint32_t type,
		       struct kv_err *err)
{
	const struct btf_type *t = kv_btf_resolve(btf, type);

	if (t && is_number(t))
		return set_number(col, btf, t);
	if (t && byte_type(btf, t)) {
		set_array(col, btf, t);
	} else if (t && is_counts(btf, t)) {
		col->type = KV_TYPE_HISTOGRAM;
		col->size = (uint16_t)(btf_array(t)->nelems * sizeof(uint64_t));
	} else if (t && is_ours(btf, t, "kv_str", sizeof(struct kv_str))) {
		col->type = KV_TYPE_STR;
		col->size = sizeof(struct kv_str);
	} else if (t && is_ours(btf, t, "kv_ip", sizeof(struct kv_ip))) {
		col->type = KV_TYPE_IP;
		col->size = sizeof(struct kv_ip);
	} else {
		kv_err_set(err, -EINVAL, "column '%s' has a type that can't be shown", col->name);
		kv_err_hint(err,
			    "columns are integers of 1 to 8 bytes, enums, char[N], __u8[N] and "
			    "__u64[N] with N up to 64, struct kv_str or struct kv_ip");
		return -EINVAL;
	}
	return 0;
}

/* --- tags --- */

int kv_index_of(const char *const *list, const char *word)
{
	for (int i = 0; list[i]; i++)
		if (strcmp(list[i], word) == 0)
			return i;
	return -1;
}

static const char *const shows[] = {
	[KV_SHOW_DEC] = "dec",	 [KV_SHOW_HEX] = "hex",
	[KV_SHOW_OCT] = "oct",	 [KV_SHOW_SECONDS] = "seconds",
	[KV_SHOW_DEV] = "dev",	 [KV_SHOW_NAME] = "name",
	[KV_SHOW_LIST] = "list", NULL,
};

static bool can_show(const struct kv_column *col, int show)
{
	switch (col->type) {
	case KV_TYPE_UINT:
	case KV_TYPE_INT:
		return show <= KV_SHOW_DEV || (show == KV_SHOW_NAME && col->names);
	case KV_TYPE_STR:
		return show == KV_SHOW_LIST;
	case KV_TYPE_BYTES:
		return show == KV_SHOW_HEX;
	case KV_TYPE_HISTOGRAM:
		return show == KV_SHOW_DEC || show == KV_SHOW_SECONDS;
	default:
		return false;
	}
}

int kv_column_set_show(struct kv_column *col, const char *how, struct kv_err *err)
{
	int show = kv_index_of(shows, how);

	if (show < 0) {
		kv_err_set(err, -EINVAL, "column '%s' is shown as '%s', which kview does not know",
			   col->name, how);
		kv_err_hint(err, "KV_SHOW() takes dec, hex, oct, seconds, dev, name or list");
		return -EINVAL;
	}
	if (!can_show(col, show)) {
		kv_err_set(err, -EINVAL, "column '%s' has a type that can't be shown as '%s'",
			   col->name, how);
		kv_err_hint(err, "KV_SHOW() takes hex for __u8[N], list for struct kv_str, "
				 "name for an enum, seconds for a histogram, all others for "
				 "integers");
		return -EINVAL;
	}
	col->show = (enum kv_show)show;
	return 0;
}

int kv_column_set_buckets(struct kv_column *col, const char *first, struct kv_err *err)
{
	unsigned int n = kv_column_buckets(col);
	int64_t bound = 0;
	int rc;

	if (!n) {
		kv_err_set(err, -EINVAL, "column '%s' has a type that can't be a histogram",
			   col->name);
		kv_err_hint(err, "KV_BUCKETS() is for __u64[N]");
		return -EINVAL;
	}
	/* The bounds of all but the last one, which has none, are numbers. */
	rc = kv_column_integer(col, first, 1, INT64_MAX >> (n - 2), &bound, err);
	col->first = (uint64_t)bound;
	return rc;
}

int kv_column_integer(const struct kv_column *col, const char *text, long long min, long long max,
		      int64_t *to, struct kv_err *err)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 0);
	if (errno || end == text || *end || v < min || v > max)
		return kv_err_set(err, -EINVAL, "column '%s': '%s' is not a number it can take",
				  col->name, text);
	*to = v;
	return 0;
}

/* Wide enough for usual values. A longer value shifts its own line alone. */
static uint16_t default_width(const struct kv_column *col)
{
	if (col->show == KV_SHOW_SECONDS && col->type != KV_TYPE_HISTOGRAM)
		return 20;
	switch (col->type) {
	case KV_TYPE_CHARS:
		return col->size;
	case KV_TYPE_BYTES:
		return (uint16_t)(2 * col->size);
	case KV_TYPE_STR:
	case KV_TYPE_IP:
		return 15;
	case KV_TYPE_HISTOGRAM:
		return 40;
	default:
		if (col->show == KV_SHOW_NAME && col->names->longest)
			return (uint16_t)(col->names->longest < 20 ? col->names->longest : 20);
		return col->size == 8 ? 12 : col->size == 4 ? 8 : 5;
	}
}

/* In an unsigned field of 4 bytes -1 is 0xffffffff. */
int kv_column_finish(struct kv_column *col, struct kv_err *err)
{
	size_t name = strlen(col->name);

	if (col->type == KV_TYPE_BYTES && col->show != KV_SHOW_HEX) {
		kv_err_set(err, -EINVAL,
			   "column '%s' has bytes, and does not say how they are "
			   "shown",
			   col->name);
		kv_err_hint(err, "KV_SHOW(hex) shows them in hex; a string is char[N], an IP "
				 "address is struct kv_ip");
		return -EINVAL;
	}
	if (col->type == KV_TYPE_HISTOGRAM && !col->first) {
		kv_err_set(err, -EINVAL, "column '%s' has counts, and does not say of which values",
			   col->name);
		kv_err_hint(err, "KV_BUCKETS(1000) makes it a histogram, whose first bucket is for "
				 "values up to 1000");
		return -EINVAL;
	}
	if (col->type == KV_TYPE_UINT && col->size < 8)
		col->none &= (1LL << (col->size * 8)) - 1;
	if (!col->width)
		col->width = default_width(col);
	if (col->width < name)
		col->width = (uint16_t)name;
	return 0;
}

const char *kv_column_type_name(const struct kv_column *col)
{
	static const char *const shown[] = {
		[KV_SHOW_DEC] = "integer",     [KV_SHOW_HEX] = "hex",	 [KV_SHOW_OCT] = "octal",
		[KV_SHOW_SECONDS] = "decimal", [KV_SHOW_DEV] = "device", [KV_SHOW_NAME] = "enum",
		[KV_SHOW_LIST] = "list",
	};

	if (col->type == KV_TYPE_IP)
		return "address";
	if (col->type == KV_TYPE_HISTOGRAM)
		return "histogram";
	/* KV_SHOW_DEC of a string is what it has without a tag. */
	return col->type > KV_TYPE_INT && col->show == KV_SHOW_DEC ? "string" : shown[col->show];
}
