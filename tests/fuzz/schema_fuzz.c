// SPDX-License-Identifier: GPL-2.0-only
/*
 * BTF that libbpf would hand on, but that no compiler makes: built with libbpf
 * out of the input, so that what is fuzzed is kview's reading of it and not
 * libbpf's parser.
 */
#include "schema/table.h"
#include "../unit/make_btf.h"
#include "rows_check.h"

#define MAX_TYPES 48

/* Any type there is so far; now and then one that there is not. */
static int any_type(struct made *m, struct input *in)
{
	return in_8(in) % (int)(btf__type_cnt(m->btf) + 1);
}

/* The name of a type or a member: an identifier, or what else a linker lets pass. */
static const char *any_name(struct input *in, char name[40])
{
	static const char *const known[] = {
		"record", "table", "_head", "kv_head", "kv_str", "kv_ip",
		"len",	  "pid",   "comm",  "row",     "",
	};
	uint8_t which = in_8(in);

	if (which < 200)
		return known[which % COUNT(known)];
	in_word(in, name, 39);
	return name;
}

static void add_enum(struct made *m, struct input *in, const char *name)
{
	bool is_64 = in_8(in) & 1;
	char buf[40];

	if (is_64)
		btf__add_enum64(m->btf, name, 1u << in_8(in) % 4, in_8(in) & 1);
	else
		btf__add_enum(m->btf, name, 1u << in_8(in) % 4);
	for (unsigned int n = in_8(in) % 5; n; n--) {
		snprintf(buf, sizeof(buf), "%s_%c", name, 'A' + (int)(n % 3));
		if (in_8(in) & 1)
			in_word(in, buf, 39);
		if (is_64)
			btf__add_enum64_value(m->btf, buf, in_8(in));
		else
			btf__add_enum_value(m->btf, buf, (int8_t)in_8(in));
	}
}

/* Types that members may have. libbpf refuses some: then there is one less. */
static void add_type(struct made *m, struct input *in)
{
	char buf[40];
	const char *name = any_name(in, buf);
	int to = any_type(m, in);

	switch (in_8(in) % 11) {
	case 0:
		btf__add_typedef(m->btf, name, to);
		break;
	case 1:
		btf__add_const(m->btf, to);
		break;
	case 2:
		btf__add_volatile(m->btf, to);
		break;
	case 3:
		btf__add_ptr(m->btf, to);
		break;
	case 4:
		btf__add_array(m->btf, m->u32, to, (uint32_t)in_8(in));
		break;
	case 5:
		btf__add_struct(m->btf, name, in_8(in));
		btf__add_field(m->btf, "x", to, 0, 0);
		break;
	case 6:
		add_enum(m, in, name);
		break;
	case 7:
		btf__add_int(m->btf, name, 1u << in_8(in) % 5, in_8(in) % 8);
		break;
	case 8:
		btf__add_array(m->btf, m->u32, m->chr, in_8(in) % 80u);
		break;
	case 9:
		btf__add_union(m->btf, name, in_8(in));
		break;
	default:
		btf__add_fwd(m->btf, name, BTF_FWD_STRUCT);
	}
}

static void add_member(struct made *m, struct input *in, unsigned int i)
{
	static const uint32_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 1, 4, 4, sizeof(struct kv_ip)};
	uint8_t how = in_8(in);
	int type = how % 13 == 12 ? any_type(m, in) : 1 + how % 12;
	uint32_t bits = how & 0x80 && in_8(in) % 4 == 0 ? in_8(in) % 64u : 0;
	uint32_t off = m->at * 8;
	char name[40];

	snprintf(name, sizeof(name), "c%u", i);
	if (in_8(in) % 8 == 0)
		off = in_16(in);
	btf__add_field(m->btf, in_8(in) % 8 ? name : any_name(in, name), type, off, bits);
	m->at += how % 13 == 12 ? 8 : sizes[how % 12];
}

static void add_record(struct made *m, struct input *in)
{
	unsigned int n = 1u + in_8(in) % 52;
	uint8_t odd = in_8(in);

	m->record = btf__add_struct(m->btf, "row", odd == 1 ? in_16(in) : 4 + n * 8);
	MUST(m->record > 0);
	if (odd == 2)
		return;
	btf__add_field(m->btf, "_head", odd == 3 ? any_type(m, in) : m->head, odd == 4 ? 32 : 0, 0);
	m->at = 4;
	for (unsigned int i = 0; i < n; i++)
		add_member(m, in, i);
}

static void add_tag(struct made *m, struct input *in)
{
	static const char *const keys[] = {
		"means:", "unit:", "show:", "none:", "width:", "shows:", "since:", "other:"};
	static const char *const values[] = {"hex",  "oct", "seconds", "dev", "dec", "list",
					     "name", "-1",  "0",       "255", "12",  "a\tb\nc"};
	char text[128], word[64];
	uint8_t how = in_8(in), what = in_8(in);
	int to = how & 0x80 ? any_type(m, in) : m->record;

	in_word(in, word, what >= 200 ? sizeof(word) - 1 : 0);
	snprintf(text, sizeof(text), "%s%s", keys[how % COUNT(keys)],
		 what >= 200 ? word : values[what % COUNT(values)]);
	if (how % COUNT(keys) == 5 || how % COUNT(keys) == 6)
		btf__add_decl_tag(m->btf, text, m->var, -1);
	else
		btf__add_decl_tag(m->btf, text, to, in_8(in) % 56 - 1);
}

/* As KV_VIEW() has it, or with something wrong. */
static void add_anchor(struct made *m, struct input *in)
{
	uint8_t odd = in_8(in);
	int to = odd == 1 ? any_type(m, in) : m->record;

	if (odd == 2)
		m->var = btf__add_var(m->btf, KV_VIEW_VAR, BTF_VAR_GLOBAL_ALLOCATED,
				      any_type(m, in));
	else
		make_anchor(m, odd == 3 ? "other" : "record",
			    odd == 4 ? any_type(m, in) : btf__add_ptr(m->btf, to));
}

static struct btf *make(struct input *in)
{
	struct made m;

	make_base(&m);
	for (unsigned int n = in_8(in) % 16; n; n--)
		add_type(&m, in);
	add_record(&m, in);
	add_anchor(&m, in);
	for (unsigned int n = in_8(in) % MAX_TYPES; n; n--)
		add_tag(&m, in);
	return m.btf;
}

static void check_column(const struct kv_schema *s, const struct kv_column *col)
{
	size_t n = strlen(col->name);

	MUST(n && n < KV_COLUMN_NAME);
	MUST(col->off + col->size <= s->fixed);
	MUST(col->width >= n && col->width <= 200);
	MUST(!strpbrk(col->unit, "\t\n") && !strpbrk(col->meaning, "\t\n"));
	MUST(kv_column_type_name(col));
	if (col->type == KV_TYPE_STR)
		MUST(col->size == sizeof(struct kv_str));
	if (col->type == KV_TYPE_IP)
		MUST(col->size == sizeof(struct kv_ip));
	MUST(col->type != KV_TYPE_BYTES || col->show == KV_SHOW_HEX);
	MUST(col->show != KV_SHOW_LIST || col->type == KV_TYPE_STR);
	MUST(col->show != KV_SHOW_NAME || col->names);
	if (col->type <= KV_TYPE_INT)
		MUST(col->size == 1 || col->size == 2 || col->size == 4 || col->size == 8);
	MUST(kv_schema_find(s, col->name, n) == (int)(col - s->columns));
}

static void check_schema(const struct kv_schema *s)
{
	struct kv_table table;
	unsigned int lines = 0;
	char *text;

	MUST(s->ncolumns >= 1 && s->ncolumns <= KV_MAX_COLUMNS && s->fixed <= KV_FIXED_MAX);
	MUST(s->shows && s->since);
	for (unsigned int i = 0; i < s->ncolumns; i++)
		check_column(s, &s->columns[i]);
	kv_schema_table(s, &table);
	MUST(table.ncolumns == s->ncolumns);
	text = kv_schema_put(s);
	MUST(text);
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	MUST(lines == s->ncolumns);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	struct kv_schema *schema = NULL;
	struct kv_err err = {0};
	struct btf *btf = make(&in);
	struct kv_plan plan;
	char list[64];
	int rc = kv_schema_from_btf(btf, &schema, &err);

	btf__free(btf);
	MUST(!rc == !!schema && !rc == !err.msg[0]);
	if (rc)
		return 0;
	check_schema(schema);
	kv_plan_all(&plan, schema);
	in_word(&in, list, sizeof(list) - 1);
	if (*list)
		rc = kv_plan_pick(&plan, schema, list, &err);
	MUST(rc == 0 || err.msg[0]);
	if (!rc)
		check_records(&plan, &in);
	kv_schema_free(schema);
	return 0;
}
