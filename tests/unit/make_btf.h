/* SPDX-License-Identifier: GPL-2.0-only */
/* BTF as the compiler makes it of KV_VIEW() and a record struct, by hand. */
#ifndef KVIEW_UNIT_MAKE_BTF_H
#define KVIEW_UNIT_MAKE_BTF_H

#include <bpf/btf.h>

#include "kview/abi.h"
#include "schema/schema.h"
#include "unit.h"

struct made {
	struct btf *btf;
	int u8, s8, u16, s16, u32, s32, u64, s64, chr;
	int head, str, ip;
	int record, var;
	uint32_t at; /* where the next field lies in the record */
};

static inline int array_of(struct made *m, int type, uint32_t n)
{
	int id = btf__add_array(m->btf, m->u32, type, n);

	assert_true(id > 0);
	return id;
}

static inline void make_base(struct made *m)
{
	*m = (struct made){.btf = btf__new_empty()};
	assert_non_null(m->btf);
	m->u8 = btf__add_int(m->btf, "unsigned char", 1, 0);
	m->s8 = btf__add_int(m->btf, "signed char", 1, BTF_INT_SIGNED);
	m->u16 = btf__add_int(m->btf, "unsigned short", 2, 0);
	m->s16 = btf__add_int(m->btf, "short", 2, BTF_INT_SIGNED);
	m->u32 = btf__add_int(m->btf, "unsigned int", 4, 0);
	m->s32 = btf__add_int(m->btf, "int", 4, BTF_INT_SIGNED);
	m->u64 = btf__add_int(m->btf, "unsigned long long", 8, 0);
	m->s64 = btf__add_int(m->btf, "long long", 8, BTF_INT_SIGNED);
	m->chr = btf__add_int(m->btf, "char", 1, BTF_INT_SIGNED);
	m->head = btf__add_struct(m->btf, "kv_head", 4);
	btf__add_field(m->btf, "len", m->u32, 0, 0);
	m->str = btf__add_struct(m->btf, "kv_str", 4);
	btf__add_field(m->btf, "off", m->u16, 0, 0);
	btf__add_field(m->btf, "len", m->u16, 16, 0);
	m->ip = btf__add_struct(m->btf, "kv_ip", sizeof(struct kv_ip));
	btf__add_field(m->btf, "family", m->u8, 0, 0);
}

/* The types of the fields must be there already: BTF's fields go to its last type. */
static inline void make_record(struct made *m, uint32_t size)
{
	m->record = btf__add_struct(m->btf, "row", size);
	assert_true(m->record > 0);
	assert_int_equal(btf__add_field(m->btf, "_head", m->head, 0, 0), 0);
	m->at = 4;
}

static inline void field(struct made *m, const char *name, int type, uint32_t size)
{
	assert_int_equal(btf__add_field(m->btf, name, type, m->at * 8, 0), 0);
	m->at += size;
}

/* @index counts the record's members, 0 is _head; -1: of the view's variable. */
static inline void tag(struct made *m, int index, const char *text)
{
	assert_true(btf__add_decl_tag(m->btf, text, index < 0 ? m->var : m->record, index) > 0);
}

static inline void make_anchor(struct made *m, const char *member, int element)
{
	int list = btf__add_array(m->btf, m->u32, element, 0);
	int anchor = btf__add_struct(m->btf, NULL, 8);

	btf__add_field(m->btf, member, list, 0, 0);
	btf__add_field(m->btf, "table", m->u64, 0, 0);
	anchor = btf__add_const(m->btf, btf__add_volatile(m->btf, anchor));
	m->var = btf__add_var(m->btf, KV_VIEW_VAR, BTF_VAR_GLOBAL_ALLOCATED, anchor);
	assert_true(m->var > 0);
}

/* What KV_VIEW() makes. */
static inline void declare(struct made *m)
{
	make_anchor(m, "record", btf__add_ptr(m->btf, m->record));
}

/* A view of one column of that type. */
static inline void make_one(struct made *m, const char *name, int type, uint32_t size)
{
	make_record(m, 4 + size);
	field(m, name, type, size);
	declare(m);
}

/* The schema of it, which there must be; the BTF is gone. */
static inline struct kv_schema *schema_of(struct made *m)
{
	struct kv_schema *schema = NULL;
	struct kv_err err = {0};
	int rc = kv_schema_from_btf(m->btf, &schema, &err);

	btf__free(m->btf);
	if (rc)
		print_message("# %s\n", err.msg);
	assert_int_equal(rc, 0);
	return schema;
}

static inline void assert_refused(struct made *m, int want, const char *words, struct kv_err *err)
{
	struct kv_schema *schema = NULL;
	int rc;

	*err = (struct kv_err){0};
	rc = kv_schema_from_btf(m->btf, &schema, err);
	btf__free(m->btf);
	assert_int_equal(rc, want);
	assert_null(schema);
	assert_says(err, words);
}

#endif
