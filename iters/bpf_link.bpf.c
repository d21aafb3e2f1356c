// SPDX-License-Identifier: GPL-2.0-only
/* The view `bpf_link`: a row per BPF link, as `bpftool link`. */
#include "kview.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* the real layout is the kernel's */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_prog_aux {
	__u32 id;
	const char *attach_func_name;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct bpf_link {
	__u32 id;
	enum bpf_link_type type;
	struct bpf_prog *prog;
	enum bpf_attach_type attach_type; /* since 6.17 */
};

struct bpf_iter_reg {
	const char *target;
};

struct bpf_iter_target_info {
	const struct bpf_iter_reg *reg_info;
};

struct bpf_iter_link {
	struct bpf_link link;
	struct bpf_iter_target_info *tinfo;
};

struct tracepoint {
	const char *name;
};

struct bpf_raw_event_map {
	struct tracepoint *tp;
};

struct bpf_raw_tp_link {
	struct bpf_link link;
	struct bpf_raw_event_map *btp;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

struct bpf_iter__bpf_link {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct bpf_link, link);
};

/* enum bpf_link_type as of Linux 7.2: the headers of the build may know fewer. */
enum link_type {
	LINK_UNSPEC = 0,
	LINK_RAW_TRACEPOINT = 1,
	LINK_TRACING = 2,
	LINK_CGROUP = 3,
	LINK_ITER = 4,
	LINK_NETNS = 5,
	LINK_XDP = 6,
	LINK_PERF_EVENT = 7,
	LINK_KPROBE_MULTI = 8,
	LINK_STRUCT_OPS = 9,
	LINK_NETFILTER = 10,
	LINK_TCX = 11,
	LINK_UPROBE_MULTI = 12,
	LINK_NETKIT = 13,
	LINK_SOCKMAP = 14,
};

/* enum bpf_attach_type, likewise. */
enum attach_type {
	AT_CGROUP_INET_INGRESS = 0,
	AT_CGROUP_INET_EGRESS = 1,
	AT_CGROUP_INET_SOCK_CREATE = 2,
	AT_CGROUP_SOCK_OPS = 3,
	AT_SK_SKB_STREAM_PARSER = 4,
	AT_SK_SKB_STREAM_VERDICT = 5,
	AT_CGROUP_DEVICE = 6,
	AT_SK_MSG_VERDICT = 7,
	AT_CGROUP_INET4_BIND = 8,
	AT_CGROUP_INET6_BIND = 9,
	AT_CGROUP_INET4_CONNECT = 10,
	AT_CGROUP_INET6_CONNECT = 11,
	AT_CGROUP_INET4_POST_BIND = 12,
	AT_CGROUP_INET6_POST_BIND = 13,
	AT_CGROUP_UDP4_SENDMSG = 14,
	AT_CGROUP_UDP6_SENDMSG = 15,
	AT_LIRC_MODE2 = 16,
	AT_FLOW_DISSECTOR = 17,
	AT_CGROUP_SYSCTL = 18,
	AT_CGROUP_UDP4_RECVMSG = 19,
	AT_CGROUP_UDP6_RECVMSG = 20,
	AT_CGROUP_GETSOCKOPT = 21,
	AT_CGROUP_SETSOCKOPT = 22,
	AT_TRACE_RAW_TP = 23,
	AT_TRACE_FENTRY = 24,
	AT_TRACE_FEXIT = 25,
	AT_MODIFY_RETURN = 26,
	AT_LSM_MAC = 27,
	AT_TRACE_ITER = 28,
	AT_CGROUP_INET4_GETPEERNAME = 29,
	AT_CGROUP_INET6_GETPEERNAME = 30,
	AT_CGROUP_INET4_GETSOCKNAME = 31,
	AT_CGROUP_INET6_GETSOCKNAME = 32,
	AT_XDP_DEVMAP = 33,
	AT_CGROUP_INET_SOCK_RELEASE = 34,
	AT_XDP_CPUMAP = 35,
	AT_SK_LOOKUP = 36,
	AT_XDP = 37,
	AT_SK_SKB_VERDICT = 38,
	AT_SK_REUSEPORT_SELECT = 39,
	AT_SK_REUSEPORT_SELECT_OR_MIGRATE = 40,
	AT_PERF_EVENT = 41,
	AT_TRACE_KPROBE_MULTI = 42,
	AT_LSM_CGROUP = 43,
	AT_STRUCT_OPS = 44,
	AT_NETFILTER = 45,
	AT_TCX_INGRESS = 46,
	AT_TCX_EGRESS = 47,
	AT_TRACE_UPROBE_MULTI = 48,
	AT_CGROUP_UNIX_CONNECT = 49,
	AT_CGROUP_UNIX_SENDMSG = 50,
	AT_CGROUP_UNIX_RECVMSG = 51,
	AT_CGROUP_UNIX_GETPEERNAME = 52,
	AT_CGROUP_UNIX_GETSOCKNAME = 53,
	AT_NETKIT_PRIMARY = 54,
	AT_NETKIT_PEER = 55,
	AT_TRACE_KPROBE_SESSION = 56,
	AT_TRACE_UPROBE_SESSION = 57,
	AT_TRACE_FSESSION = 58,
};

#define AT_NONE 0xffffffff

struct bpf_link_row {
	struct kv_head _head;
	__u32 id KV_ROLE(key) KV_MEANS("id of the link") KV_WIDTH(6);
	enum link_type type KV_MEANS("BPF_LINK_TYPE_, by name") KV_WIDTH(14);
	__u32 prog_id KV_MEANS("id of its program") KV_NONE(0) KV_WIDTH(7);
	enum attach_type attach KV_MEANS("BPF_ attach type, by name") KV_NONE(-1) KV_WIDTH(16);
	struct kv_str target KV_MEANS("iterator, tracepoint or function that it is attached to");
};

KV_VIEW(bpf_link_row, "a row per BPF link: program, what it is attached to", "5.19");

#define HAS(column) kv_has(bpf_link_row, column)

/* Other links have no attach type, and the kernel has 0 there. Before 6.17 it does not say. */
static __always_inline __u32 attach_type(const struct bpf_link *link)
{
	__u32 type = link->type;

	if (!bpf_core_field_exists(link->attach_type) || type == LINK_UNSPEC ||
	    type == LINK_RAW_TRACEPOINT || type == LINK_STRUCT_OPS)
		return AT_NONE;
	return link->attach_type;
}

/* The link holds its iterator, tracepoint or program, and these their names. */
static __always_inline void put_target(struct kv_call *c, struct bpf_link_row *r,
				       const struct bpf_link *link)
{
	const struct bpf_raw_tp_link *raw = (void *)link;
	const struct bpf_iter_link *iter = (void *)link;
	const char *name = NULL;
	__u32 type = link->type;

	if (type == LINK_ITER)
		name = BPF_CORE_READ(iter, tinfo, reg_info, target);
	else if (type == LINK_RAW_TRACEPOINT)
		name = BPF_CORE_READ(raw, btp, tp, name);
	else if (type == LINK_TRACING)
		name = BPF_CORE_READ(link, prog, aux, attach_func_name);
	if (name)
		kv_put_string(c, &r->target, name);
}

SEC("iter/bpf_link")
int bpf_link(struct bpf_iter__bpf_link *ctx)
{
	struct bpf_link *link = ctx->link;
	struct bpf_link_row *r;
	struct kv_call c;

	if (kv_begin(&c, ctx->meta, link))
		return 1;
	if (!link)
		return 0;
	r = kv_record(&c, struct bpf_link_row);
	r->id = link->id;
	r->type = (enum link_type)link->type;
	kv_set(r, prog_id, BPF_CORE_READ(link, prog, aux, id));
	kv_set(r, attach, attach_type(link));
	if (HAS(target))
		put_target(&c, r, link);
	return kv_emit(&c);
}
