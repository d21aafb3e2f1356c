// SPDX-License-Identifier: GPL-2.0-only
#include "schema/schema.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "schema/column.h"
#include "schema/names.h"

struct parser {
	const struct btf *btf;
	struct kv_schema *schema;
	struct kv_err *err;
	uint32_t record; /* type ids */
	uint32_t var;
};

/* What is behind @key in the tag "key:value"; NULL: it is another tag. */
static const char *tag_value(const char *tag, const char *key)
{
	size_t n = strlen(key);

	return strncmp(tag, key, n) == 0 && tag[n] == ':' ? tag + n + 1 : NULL;
}

static int copy_text(char **to, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	/* A line of schema/VIEW has tabs between its fields alone. */
	for (; *copy; copy++)
		if ((unsigned char)*copy < 0x20)
			*copy = ' ';
	return 0;
}

/* --- finding the record --- */

/* struct { struct type *record[0]; struct kv_table table; } -> type */
static uint32_t record_of(const struct btf *btf, const struct btf_type *anchor)
{
	const struct btf_type *t;

	if (!anchor || !btf_is_struct(anchor) || btf_vlen(anchor) < 2 ||
	    strcmp(kv_btf_name(btf, btf_members(anchor)[0].name_off), "record") != 0)
		return 0;
	t = kv_btf_resolve(btf, btf_members(anchor)[0].type);
	if (!t || !btf_is_array(t))
		return 0;
	t = kv_btf_resolve(btf, btf_array(t)->type);
	return t && btf_is_ptr(t) ? t->type : 0;
}

static int find_record(struct parser *p)
{
	int var = btf__find_by_name_kind(p->btf, KV_VIEW_VAR, BTF_KIND_VAR);

	if (var < 0) {
		kv_err_set(p->err, -ENOENT, "it declares no view");
		kv_err_hint(p->err, "a view is declared with KV_VIEW(), see kview-iters(7)");
		return -ENOENT;
	}
	p->var = (uint32_t)var;
	p->record = record_of(p->btf, kv_btf_resolve(p->btf, p->var));
	if (p->record)
		return 0;
	return kv_err_set(p->err, -EINVAL, "its %s names no record struct", KV_VIEW_VAR);
}

/* --- columns --- */

static int set_name(struct parser *p, struct kv_column *col, const char *name)
{
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		return kv_err_set(p->err, -EINVAL, "column '%s' is not in lower case", name);
	if (!*name || strlen(name) >= KV_COLUMN_NAME)
		return kv_err_set(p->err, -EINVAL, "column name '%s' is empty or longer than %d",
				  name, KV_COLUMN_NAME - 1);
	if (kv_schema_find(p->schema, name, strlen(name)) >= 0)
		return kv_err_set(p->err, -EINVAL, "column '%s' is there twice", name);
	return copy_text(&col->name, name);
}

static int add_column(struct parser *p, const struct btf_type *record, uint32_t index)
{
	const struct btf_member *m = &btf_members(record)[index];
	const char *name = kv_btf_name(p->btf, m->name_off);
	uint32_t bit = btf_member_bit_offset(record, index);
	struct kv_schema *s = p->schema;
	struct kv_column *col;
	int rc;

	if (name[0] == '_')
		return 0;
	if (s->ncolumns == KV_MAX_COLUMNS)
		return kv_err_set(p->err, -E2BIG, "its record has more than %d columns",
				  KV_MAX_COLUMNS);
	if (btf_member_bitfield_size(record, index) || bit % 8)
		return kv_err_set(p->err, -EINVAL, "column '%s' is a bit field", name);
	col = &s->columns[s->ncolumns];
	rc = set_name(p, col, name);
	if (!rc && (copy_text(&col->unit, "") || copy_text(&col->meaning, "")))
		rc = -ENOMEM;
	if (!rc)
		rc = kv_column_set_type(col, p->btf, m->type, p->err);
	s->ncolumns++; /* from here on kv_schema_free() frees it */
	if (rc)
		return rc;
	if (col->type == KV_TYPE_STR)
		s->strings |= UINT64_C(1) << (s->ncolumns - 1);
	col->off = (uint16_t)(bit / 8);
	if (bit / 8 + col->size > s->fixed)
		return kv_err_set(p->err, -EINVAL, "column '%s' lies outside its record", name);
	return 0;
}

static int add_columns(struct parser *p)
{
	const struct btf_type *record = kv_btf_resolve(p->btf, p->record);
	const struct btf_type *head;
	int rc = 0;

	if (!record || !btf_is_struct(record))
		return kv_err_set(p->err, -EINVAL, "its record is not a struct");
	if (record->size > KV_FIXED_MAX)
		return kv_err_set(p->err, -E2BIG, "its record is larger than %d bytes",
				  KV_FIXED_MAX);
	p->schema->fixed = (uint16_t)record->size;
	head = btf_vlen(record) ? kv_btf_resolve(p->btf, btf_members(record)->type) : NULL;
	if (!head || strcmp(kv_btf_name(p->btf, head->name_off), "kv_head") != 0 ||
	    btf_members(record)->offset)
		return kv_err_set(p->err, -EINVAL, "its record does not begin with struct kv_head");
	for (uint32_t i = 1; !rc && i < btf_vlen(record); i++)
		rc = add_column(p, record, i);
	if (!rc && !p->schema->ncolumns)
		return kv_err_set(p->err, -EINVAL, "its record has no columns");
	return rc;
}

/* --- tags --- */

static const char *const roles[] = {
	[KV_ROLE_NONE] = "-",
	[KV_ROLE_KEY] = "key",
	[KV_ROLE_GAUGE] = "gauge",
	[KV_ROLE_COUNTER] = "counter",
	NULL,
};

static int set_role(struct parser *p, struct kv_column *col, const char *name)
{
	int role = kv_index_of(roles, name);

	if (role <= KV_ROLE_NONE) {
		kv_err_set(p->err, -EINVAL,
			   "column '%s' has the role '%s', which kview does not know", col->name,
			   name);
		kv_err_hint(p->err, "KV_ROLE() takes key, gauge or counter");
		return -EINVAL;
	}
	if (kv_column_buckets(col) && role != KV_ROLE_COUNTER)
		return kv_err_set(p->err, -EINVAL, "column '%s': a histogram can be no %s",
				  col->name, name);
	if (role != KV_ROLE_KEY && !kv_column_is_number(col) && !kv_column_buckets(col))
		return kv_err_set(p->err, -EINVAL, "column '%s': only a number can be a %s",
				  col->name, name);
	col->role = (enum kv_role)role;
	return 0;
}

/* The value must fit into the field. For an unsigned field -1 stands for all ones. */
static int set_none(struct parser *p, struct kv_column *col, const char *text)
{
	unsigned int spare = col->size < 8 ? 64 - 8u * col->size : 0;
	bool has_sign = col->type == KV_TYPE_INT || !spare;

	col->has_none = true;
	return kv_column_integer(col, text, INT64_MIN >> spare,
				 (int64_t)(UINT64_MAX >> (spare + has_sign)), &col->none, p->err);
}

static int set_width(struct parser *p, struct kv_column *col, const char *text)
{
	int64_t n = 0;
	int rc = kv_column_integer(col, text, 1, 200, &n, p->err);

	col->width = (uint16_t)n;
	return rc;
}

/* Where the record says whose arguments it wants. */
static int find_whose(struct parser *p, const struct btf_type *record)
{
	for (int i = 1; i < btf_vlen(record); i++) {
		const struct btf_member *m = &btf_members(record)[i];
		const struct btf_type *t = kv_btf_resolve(p->btf, m->type);
		uint32_t bit = btf_member_bit_offset(record, (uint32_t)i);

		if (!t || !btf_is_struct(t) ||
		    strcmp(kv_btf_name(p->btf, t->name_off), "kv_whose") != 0)
			continue;
		if (bit % 8 || bit / 8 + sizeof(struct kv_whose) > p->schema->fixed)
			break;
		p->schema->whose = (uint16_t)(bit / 8);
		return 0;
	}
	return kv_err_set(p->err, -EINVAL,
			  "its record has no struct kv_whose for KV_FROM(cmdline)");
}

static int set_from(struct parser *p, const struct kv_column *col, const char *what)
{
	if (strcmp(what, "cmdline") != 0)
		return kv_err_set(p->err, -EINVAL,
				  "column '%s' is from '%s', which kview does not know", col->name,
				  what);
	if (col->type != KV_TYPE_STR || p->schema->whose) {
		kv_err_set(p->err, -EINVAL, "column '%s' can't be from the arguments", col->name);
		kv_err_hint(p->err, "KV_FROM(cmdline) is for one struct kv_str");
		return -EINVAL;
	}
	p->schema->args = col->off;
	return find_whose(p, kv_btf_resolve(p->btf, p->record));
}

static int column_tag(struct parser *p, struct kv_column *col, const char *tag)
{
	const char *v;

	if ((v = tag_value(tag, "means")))
		return copy_text(&col->meaning, v);
	if ((v = tag_value(tag, "unit")))
		return copy_text(&col->unit, v);
	if ((v = tag_value(tag, "show")))
		return kv_column_set_show(col, v, p->err);
	if ((v = tag_value(tag, "buckets")))
		return kv_column_set_buckets(col, v, p->err);
	if ((v = tag_value(tag, "role")))
		return set_role(p, col, v);
	if ((v = tag_value(tag, "none")))
		return set_none(p, col, v);
	if ((v = tag_value(tag, "from")))
		return set_from(p, col, v);
	if ((v = tag_value(tag, "width")))
		return set_width(p, col, v);
	return 0; /* not kview's */
}

static int view_tag(struct parser *p, const char *tag)
{
	const char *v;

	if ((v = tag_value(tag, "shows")))
		return copy_text(&p->schema->shows, v);
	if ((v = tag_value(tag, "since")))
		return copy_text(&p->schema->since, v);
	if ((v = tag_value(tag, "readers")))
		p->schema->for_all = strcmp(v, "all") == 0;
	if ((v = tag_value(tag, "rows")))
		return copy_text(&p->schema->rows, v);
	return 0;
}

/* @index: of a member of the record, which may be no column, or -1 */
static int member_tag(struct parser *p, int index, const char *tag)
{
	const struct btf_type *record = kv_btf_resolve(p->btf, p->record);
	const char *name;
	int i;

	if (index < 0 || index >= btf_vlen(record))
		return 0;
	name = kv_btf_name(p->btf, btf_members(record)[index].name_off);
	i = kv_schema_find(p->schema, name, strlen(name));
	return i < 0 ? 0 : column_tag(p, &p->schema->columns[i], tag);
}

static int read_tags(struct parser *p)
{
	uint32_t n = btf__type_cnt(p->btf);
	int rc = 0;

	for (uint32_t id = 1; id < n && !rc; id++) {
		const struct btf_type *t = btf__type_by_id(p->btf, id);
		const char *tag = kv_btf_name(p->btf, t->name_off);

		if (btf_is_decl_tag(t) && t->type == p->var)
			rc = view_tag(p, tag);
		else if (btf_is_decl_tag(t) && t->type == p->record)
			rc = member_tag(p, btf_decl_tag(t)->component_idx, tag);
	}
	return rc;
}

int kv_schema_from_btf(const struct btf *btf, struct kv_schema **schema, struct kv_err *err)
{
	struct parser p = {.btf = btf, .err = err};
	int rc;

	if (!btf) {
		kv_err_set(err, -EINVAL, "it has no BTF");
		kv_err_hint(err, "compile it with -g");
		return -EINVAL;
	}
	rc = find_record(&p);
	if (rc)
		return rc;
	p.schema = calloc(1, sizeof(*p.schema));
	if (!p.schema || copy_text(&p.schema->shows, "") || copy_text(&p.schema->since, "") ||
	    copy_text(&p.schema->rows, ""))
		rc = -ENOMEM;
	if (!rc)
		rc = add_columns(&p);
	if (!rc)
		rc = read_tags(&p);
	for (unsigned int i = 0; !rc && i < p.schema->ncolumns; i++)
		rc = kv_column_finish(&p.schema->columns[i], err);
	if (rc == -ENOMEM)
		kv_err_errno(err, rc, "can't read its columns");
	if (rc) {
		kv_schema_free(p.schema);
		return rc;
	}
	*schema = p.schema;
	return 0;
}

void kv_schema_free(struct kv_schema *schema)
{
	if (!schema)
		return;
	for (unsigned int i = 0; i < schema->ncolumns; i++) {
		free(schema->columns[i].name);
		free(schema->columns[i].unit);
		free(schema->columns[i].meaning);
		free(schema->columns[i].names);
		free(schema->columns[i].why_lacks);
	}
	free(schema->shows);
	free(schema->since);
	free(schema->rows);
	free(schema);
}

int kv_schema_find(const struct kv_schema *schema, const char *name, size_t len)
{
	for (unsigned int i = 0; i < schema->ncolumns; i++)
		if (strlen(schema->columns[i].name) == len &&
		    memcmp(schema->columns[i].name, name, len) == 0)
			return (int)i;
	return -1;
}

const char *kv_column_role_name(const struct kv_column *col)
{
	return roles[col->role];
}
