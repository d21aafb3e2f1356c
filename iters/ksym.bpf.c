// SPDX-License-Identifier: GPL-2.0-only
/* The view `ksym`: a row per symbol of the kernel, as /proc/kallsyms. */
#include "kview.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* the real layout is the kernel's */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kallsym_iter {
	long long pos;
	long long pos_bpf_end;
	unsigned long value;
	char type;
	char name[512];
	char module_name[56];
	int exported;
	int show_value;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

struct bpf_iter__ksym {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct kallsym_iter, ksym);
};

struct ksym_row {
	struct kv_head _head;
	__u32 _pad;
	__u64 address KV_ROLE(key) KV_MEANS("address; 0 for who may not see it") KV_SHOW(hex)
		KV_WIDTH(16);
	char type[1] KV_MEANS("letter, as nm has it; in upper case: global");
	__u8 _pad1[3];
	struct kv_str name KV_ROLE(key) KV_MEANS("name of the symbol") KV_WIDTH(32);
	struct kv_str module KV_MEANS("module, or bpf, ftrace and such");
	__u32 _pad2;
};

KV_VIEW(ksym_row, "a row per kernel symbol: address, name, module", "6.0");

/*
 * The call for the end has the last symbol once more: after symbols of the kernel, modules,
 * ftrace and BPF the kernel looked for one of kprobes, in vain, and left the address as it was
 * (update_iter_mod() and bpf_iter_ksym_seq_stop() in kernel/kallsyms.c). Those of kprobes are
 * pages, so no two have one address. A symbol that is repeated since it did not fit into the
 * buffer has the position that it had.
 */
static __always_inline bool is_end(struct kv_call *c, const struct kallsym_iter *ksym)
{
	struct kv_judged *last = &c->progress->judged;
	bool in_kprobes = ksym->pos_bpf_end && ksym->pos >= ksym->pos_bpf_end;
	bool same = last->session == c->session && last->task == ksym->value &&
		    last->start != (__u64)ksym->pos;

	last->session = c->session;
	last->task = ksym->value;
	last->start = ksym->pos;
	return in_kprobes && same;
}

/*
 * The kernel asks who makes the iterator, which is kview: so ask for the reader's right as well,
 * see kallsyms_show_value() in kernel/ksyms_common.c.
 */
static __always_inline bool may_see_addresses(const struct kv_call *c)
{
	const struct kv_scope *scope = c->scope;

	return !scope || (!scope->user_ns_level && kv_has_cap(scope->caps, CAP_SYSLOG));
}

/* As s_show() has it. */
static __always_inline char letter(const struct kallsym_iter *ksym)
{
	char type = ksym->type;

	if (!ksym->module_name[0])
		return type;
	return ksym->exported ? type & ~0x20 : type | 0x20;
}

SEC("iter/ksym")
int ksym(struct bpf_iter__ksym *ctx)
{
	struct kallsym_iter *ksym = ctx->ksym;
	struct ksym_row *r;
	struct kv_call c;

	if (kv_begin(&c, ctx->meta, ksym))
		return 1;
	if (!ksym || is_end(&c, ksym))
		return 0;
	r = kv_record(&c, struct ksym_row);
	r->address = ksym->show_value && may_see_addresses(&c) ? ksym->value : 0;
	r->type[0] = letter(ksym);
	kv_put_string(&c, &r->name, ksym->name);
	if (ksym->module_name[0])
		kv_put_string(&c, &r->module, ksym->module_name);
	return kv_emit(&c);
}
