// SPDX-License-Identifier: GPL-2.0-only
#include "schema/layout.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/column.h"
#include "schema/names.h"

#define SLOT 8 /* bytes of a column in the record */
#define NAME_MAX_LEN 255

/* A part of the key or the value: at the end each is a column. */
struct part {
	char *name;
	uint32_t type;	    /* 0: not told */
	uint32_t off, bits; /* in bits; @bits 0: of no bit field */
	uint32_t size;	    /* bytes */
	bool in_value;
};

struct parts {
	const struct btf *btf;
	struct part list[KV_MAX_COLUMNS];
	unsigned int n, max;
};

/* --- from types to parts --- */

static bool is_byte(const struct btf *btf, uint32_t type)
{
	const struct btf_type *t = kv_btf_resolve(btf, type);

	return t && btf_is_int(t) && t->size == 1;
}

/* How many parts it can be taken into; 0: it can't. */
static uint32_t count_members(const struct btf *btf, const struct btf_type *t)
{
	if (!t)
		return 0;
	if (btf_is_composite(t) || btf_is_datasec(t))
		return btf_vlen(t);
	return btf_is_array(t) && !is_byte(btf, btf_array(t)->type) ? btf_array(t)->nelems : 0;
}

static char *join(const char *outer, const char *inner)
{
	char *name;

	if (!*inner)
		return strdup(outer);
	return asprintf(&name, "%s.%s", outer, inner) < 0 ? NULL : name;
}

/* -EINVAL: no such part. */
static int set_part(const struct btf *btf, struct part *part, uint32_t type, uint32_t off,
		    uint32_t bits)
{
	int64_t size = btf__resolve_size(btf, type);

	if (size < 0)
		return -EINVAL;
	part->type = type;
	part->off += off;
	part->bits = bits;
	part->size = (uint32_t)size;
	return 0;
}

/* Member @i of @t. @part: that of the whole, which becomes that of the member */
static int enter(const struct btf *btf, const struct btf_type *t, uint32_t i, struct part *part)
{
	const char *outer = part->name;
	const struct btf_type *var;
	char index[16];
	int rc;

	if (btf_is_array(t)) {
		snprintf(index, sizeof(index), "%u", i);
		part->name = join(outer, index);
		rc = set_part(btf, part, btf_array(t)->type, 0, 0);
		part->off += i * part->size * 8;
	} else if (btf_is_datasec(t)) {
		const struct btf_var_secinfo *v = &btf_var_secinfos(t)[i];

		var = btf__type_by_id(btf, v->type);
		part->name = join(outer, var ? kv_btf_name(btf, var->name_off) : "");
		rc = var && btf_is_var(var) ? set_part(btf, part, var->type, v->offset * 8, 0)
					    : -EINVAL;
	} else {
		const struct btf_member *m = &btf_members(t)[i];

		part->name = join(outer, kv_btf_name(btf, m->name_off));
		rc = set_part(btf, part, m->type, btf_member_bit_offset(t, i),
			      btf_member_bitfield_size(t, i));
	}
	return part->name ? rc : -ENOMEM;
}

/* Part @at gives its place to its members. */
static int take_apart(struct parts *p, unsigned int at, const struct btf_type *t, uint32_t n)
{
	struct part whole = p->list[at];
	_cleanup_free_ char *name = whole.name;
	int rc = 0;

	memmove(&p->list[at + n], &p->list[at + 1], (p->n - at - 1) * sizeof(whole));
	p->n += n - 1;
	for (uint32_t i = 0; i < n; i++) {
		struct part *part = &p->list[at + i];

		*part = whole;
		part->name = NULL; /* until it has one of its own */
		if (rc)
			continue;
		part->name = name;
		rc = enter(p->btf, t, i, part);
		if (part->name == name)
			part->name = NULL;
		else if (!rc && part->name && strlen(part->name) > NAME_MAX_LEN)
			rc = -EINVAL;
	}
	return rc;
}

/* One level, where there is room. 1: something was taken apart; 0: nothing; -errno. */
static int take_level(struct parts *p)
{
	int any = 0;

	for (unsigned int i = 0; i < p->n;) {
		uint32_t type = p->list[i].type;
		const struct btf_type *t = type ? kv_btf_resolve(p->btf, type) : NULL;
		uint32_t n = count_members(p->btf, t);
		int rc;

		if (!n || n > p->max - p->n + 1) {
			i++;
			continue;
		}
		rc = take_apart(p, i, t, n);
		if (rc)
			return rc;
		any = 1;
		i += n;
	}
	return any;
}

static int start(struct parts *p, const char *name, uint32_t type, uint32_t size, bool in_value)
{
	struct part *part = &p->list[p->n];

	if (!size)
		return 0;
	*part = (struct part){.name = strdup(name), .type = type, .size = size};
	part->in_value = in_value;
	p->n += part->name != NULL;
	return part->name ? 0 : -ENOMEM;
}

static void drop_parts(struct parts *p)
{
	for (unsigned int i = 0; i < p->n; i++)
		free(p->list[i].name);
	p->n = 0;
}

static bool is_integer(const struct btf_type *t)
{
	return t && (btf_is_int(t) || btf_is_any_enum(t));
}

/* BTF that does not fit the map tells nothing. Of a bit field @size is that of its type. */
static bool fit(const struct parts *p, const struct kv_shape *shape)
{
	for (unsigned int i = 0; i < p->n; i++) {
		const struct part *part = &p->list[i];
		uint64_t bits = part->bits ? part->bits : part->size * UINT64_C(8);

		if (part->bits && !is_integer(kv_btf_resolve(p->btf, part->type)))
			return false;

		if (part->off + bits >
		    (part->in_value ? shape->value_size : shape->key_size) * UINT64_C(8))
			return false;
		if (part->bits ? part->bits > 64 : part->off % 8)
			return false;
	}
	return true;
}

/* One more column is the CPU. */
static int find_parts(struct parts *p, const struct kv_shape *shape)
{
	int rc;

	p->max = KV_MAX_COLUMNS - shape->is_cpu;
	rc = start(p, "key", p->btf ? shape->key_type : 0, shape->key_size, false);
	if (!rc)
		rc = start(p, "value", p->btf ? shape->value_type : 0, shape->value_size, true);
	while (!rc && (rc = take_level(p)) > 0)
		rc = 0;
	return !rc && !fit(p, shape) ? -EINVAL : rc;
}

/* --- from parts to columns --- */

static bool has_number_size(uint32_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static bool is_signed(const struct btf_type *t)
{
	return btf_is_int(t) ? btf_int_encoding(t) & BTF_INT_SIGNED : btf_kflag(t);
}

static void be_number(struct kv_column *col, struct kv_field *field, uint32_t size)
{
	col->type = KV_TYPE_UINT;
	col->size = (uint16_t)size;
	col->width = size == 8 ? 12 : size == 4 ? 8 : 5;
	field->how = KV_FIELD_COPY;
}

static void be_string(struct kv_column *col, struct kv_field *field, bool is_hex)
{
	uint32_t chars = field->size * (is_hex ? 2 : 1);

	col->type = KV_TYPE_STR;
	col->size = sizeof(struct kv_str);
	col->width = (uint16_t)(chars < 32 ? chars : 32);
	col->show = is_hex ? KV_SHOW_HEX : KV_SHOW_DEC;
	field->how = is_hex ? KV_FIELD_HEX : KV_FIELD_CHARS;
}

/* An integer, an enum or a pointer, perhaps in a bit field. */
static int be_typed(const struct btf *btf, const struct btf_type *t, const struct part *part,
		    struct kv_column *col, struct kv_field *field)
{
	be_number(col, field, part->bits ? 8 : part->size);
	if (part->bits) {
		field->how = KV_FIELD_BITS;
		field->off = part->off;
		field->size = part->bits;
	}
	if (btf_is_ptr(t)) {
		col->show = KV_SHOW_HEX;
		return 0;
	}
	if (is_signed(t))
		col->type = KV_TYPE_INT;
	if (!btf_is_any_enum(t))
		return 0;
	col->show = KV_SHOW_NAME;
	col->names = kv_names_new(btf, t);
	return col->names ? 0 : -ENOMEM;
}

static bool is_chars(const struct btf *btf, const struct btf_type *t)
{
	const struct btf_type *elem;

	if (!btf_is_array(t) || !is_byte(btf, btf_array(t)->type))
		return false;
	elem = kv_btf_resolve(btf, btf_array(t)->type);
	return strcmp(kv_btf_name(btf, elem->name_off), "char") == 0;
}

static int set_type(const struct parts *p, const struct kv_shape *shape, const struct part *part,
		    struct kv_column *col, struct kv_field *field)
{
	const struct btf_type *t = part->type ? kv_btf_resolve(p->btf, part->type) : NULL;
	bool is_number = part->in_value ? shape->has_id : shape->has_index;

	*field = (struct kv_field){.in_value = part->in_value, .off = part->off / 8};
	field->size = part->size;
	if (part->bits || (t && (is_integer(t) || btf_is_ptr(t)) && has_number_size(part->size)))
		return be_typed(p->btf, t, part, col, field);
	if (!t && is_number && has_number_size(part->size))
		be_number(col, field, part->size);
	else
		be_string(col, field, !t || !is_chars(p->btf, t));
	return 0;
}

/* The next column. NULL: out of memory. */
static struct kv_column *add_column(struct kv_layout *l, const char *name, const char *meaning)
{
	struct kv_schema *s = l->schema;
	struct kv_column *col = &s->columns[s->ncolumns++];

	col->off = (uint16_t)(s->ncolumns * SLOT);
	col->name = strdup(name);
	col->unit = strdup("");
	col->meaning = strdup(meaning);
	return col->name && col->unit && col->meaning ? col : NULL;
}

static void finish_column(struct kv_layout *l, struct kv_column *col)
{
	size_t n = strlen(col->name);

	if (col->width < n)
		col->width = (uint16_t)n;
	if (col->type == KV_TYPE_STR)
		l->schema->strings |= UINT64_C(1) << (col - l->schema->columns);
}

static int add_cpu(struct kv_layout *l)
{
	struct kv_field *field = &l->fields[l->schema->ncolumns];
	struct kv_column *col = add_column(l, "cpu", "CPU that has the value");

	if (!col)
		return -ENOMEM;
	be_number(col, field, sizeof(uint32_t));
	col->width = 4;
	col->role = KV_ROLE_KEY;
	field->how = KV_FIELD_CPU;
	finish_column(l, col);
	return 0;
}

static int add_part(struct kv_layout *l, const struct parts *p, const struct kv_shape *shape,
		    const struct part *part)
{
	struct kv_field *field = &l->fields[l->schema->ncolumns];
	struct kv_column *col = add_column(
		l, part->name, part->in_value ? "of the element's value" : "of the element's key");
	int rc = col ? set_type(p, shape, part, col, field) : -ENOMEM;

	if (rc)
		return rc;
	if (!part->in_value)
		col->role = KV_ROLE_KEY;
	finish_column(l, col);
	return 0;
}

static int add_columns(struct kv_layout *l, const struct parts *p, const struct kv_shape *shape)
{
	bool needs_cpu = shape->is_cpu;
	int rc = 0;

	for (unsigned int i = 0; !rc && i < p->n; i++) {
		if (!p->list[i].size) /* int more[0]; */
			continue;
		if (needs_cpu && p->list[i].in_value) {
			needs_cpu = false;
			rc = add_cpu(l);
		}
		if (!rc)
			rc = add_part(l, p, shape, &p->list[i]);
	}
	l->schema->fixed = (uint16_t)((l->schema->ncolumns + 1) * SLOT);
	return rc;
}

static struct kv_layout *make(const struct parts *p, const struct kv_shape *shape)
{
	struct kv_layout *l = calloc(1, sizeof(*l));
	int rc = -ENOMEM;

	if (l)
		l->schema = calloc(1, sizeof(*l->schema));
	if (l && l->schema) {
		l->schema->shows = strdup("a row per element");
		l->schema->since = strdup("");
		if (l->schema->shows && l->schema->since)
			rc = add_columns(l, p, shape);
	}
	if (!rc)
		return l;
	if (l)
		kv_schema_free(l->schema);
	free(l);
	return NULL;
}

struct kv_layout *kv_layout_new(const struct btf *btf, const struct kv_shape *shape)
{
	struct parts parts = {.btf = btf};
	struct kv_layout *layout = NULL;
	int rc = find_parts(&parts, shape);

	if (rc == -EINVAL) {
		drop_parts(&parts);
		parts.btf = NULL;
		rc = find_parts(&parts, shape);
	}
	if (!rc)
		layout = make(&parts, shape);
	drop_parts(&parts);
	return layout;
}

/* --- records --- */

static uint64_t bits_of(const struct kv_field *field, const char *from, bool is_signed)
{
	uint64_t v = 0, sign;

	for (uint32_t i = 0; i < field->size; i++) {
		uint32_t bit = field->off + i;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		v |= (uint64_t)((unsigned char)from[bit / 8] >> bit % 8 & 1) << i;
#else
		v = v << 1 | ((unsigned char)from[bit / 8] >> (7 - bit % 8) & 1);
#endif
	}
	if (is_signed && field->size && field->size < 64) {
		sign = UINT64_C(1) << (field->size - 1);
		v = (v ^ sign) - sign;
	}
	return v;
}

static uint32_t put_string(const struct kv_field *field, const char *from, char *to,
			   const struct kv_column *col, uint32_t len)
{
	bool is_hex = field->how == KV_FIELD_HEX;
	size_t n = is_hex ? 2u * field->size : strnlen(from, field->size);
	struct kv_str s = {KV_STR_TOO_LONG, 0};

	if (n <= KV_RECORD_MAX - len) {
		s = (struct kv_str){(uint16_t)len, (uint16_t)n};
		if (!is_hex)
			memcpy(to + len, from, n);
		for (uint32_t i = 0; is_hex && i < field->size; i++) {
			to[len + 2 * i] = "0123456789abcdef"[(unsigned char)from[i] >> 4];
			to[len + 2 * i + 1] = "0123456789abcdef"[from[i] & 15];
		}
		len += (uint32_t)n;
	}
	memcpy(to + col->off, &s, sizeof(s));
	return len;
}

uint32_t kv_layout_put(const struct kv_layout *l, const char *key, const char *value, uint32_t cpu,
		       char *to)
{
	const struct kv_schema *s = l->schema;
	struct kv_head head = {.len = s->fixed};
	uint64_t bits;

	memset(to, 0, s->fixed);
	for (unsigned int i = 0; i < s->ncolumns; i++) {
		const struct kv_column *col = &s->columns[i];
		const struct kv_field *field = &l->fields[i];
		const char *from = field->in_value ? value : key;

		switch (field->how) {
		case KV_FIELD_COPY:
			memcpy(to + col->off, from + field->off, field->size);
			break;
		case KV_FIELD_BITS:
			bits = bits_of(field, from, col->type == KV_TYPE_INT);
			memcpy(to + col->off, &bits, sizeof(bits));
			break;
		case KV_FIELD_CPU:
			memcpy(to + col->off, &cpu, sizeof(cpu));
			break;
		default:
			head.len = put_string(field, from + field->off, to, col, head.len);
		}
	}
	memcpy(to, &head, sizeof(head));
	return head.len;
}
