// SPDX-License-Identifier: GPL-2.0-only
#include "schema/column.h"

#include <bpf/btf.h>
#include <errno.h>
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
	} else if (t && is_ours(btf, t, "kv_str", sizeof(struct kv_str))) {
		col->type = KV_TYPE_STR;
		col->size = sizeof(struct kv_str);
	} else if (t && is_ours(btf, t, "kv_ip", sizeof(struct kv_ip))) {
		col->type = KV_TYPE_IP;
		col->size = sizeof(struct kv_ip);
	} else {
		kv_err_set(err, -EINVAL, "column '%s' has a type that can't be shown", col->name);
		kv_err_hint(err, "columns are integers of 1 to 8 bytes, enums, char[N] and "
				 "__u8[N] with N up to 64, struct kv_str or struct kv_ip");
		return -EINVAL;
	}
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
	/* KV_SHOW_DEC of a string is what it has without a tag. */
	return col->type > KV_TYPE_INT && col->show == KV_SHOW_DEC ? "string" : shown[col->show];
}
