/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a descriptor of a BPF object is about, but for its name, which fdinfo does not show. Types
 * are by name, as in the views bpf_map, bpf_prog and bpf_link: as of Linux 7.2.
 */
#ifndef KVIEW_BPF_WORDS_H
#define KVIEW_BPF_WORDS_H

#include "words.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* the real layout is the kernel's */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_map {
	enum bpf_map_type map_type;
	__u32 id;
};

struct bpf_prog_aux {
	__u32 id;
};

struct bpf_prog {
	enum bpf_prog_type type;
	__u8 tag[8];
	struct bpf_prog_aux *aux;
};

struct bpf_link {
	__u32 id;
	enum bpf_link_type type;
	struct bpf_prog *prog;
};

struct btf {
	__u32 id;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

#define KV_BPF_NAME_MAX 24

static const char kv_bpf_map_names[][KV_BPF_NAME_MAX] = {
	"unspec",
	"hash",
	"array",
	"prog_array",
	"perf_event_array",
	"percpu_hash",
	"percpu_array",
	"stack_trace",
	"cgroup_array",
	"lru_hash",
	"lru_percpu_hash",
	"lpm_trie",
	"array_of_maps",
	"hash_of_maps",
	"devmap",
	"sockmap",
	"cpumap",
	"xskmap",
	"sockhash",
	"cgroup_storage",
	"reuseport_sockarray",
	"percpu_cgroup_storage",
	"queue",
	"stack",
	"sk_storage",
	"devmap_hash",
	"struct_ops",
	"ringbuf",
	"inode_storage",
	"task_storage",
	"bloom_filter",
	"user_ringbuf",
	"cgrp_storage",
	"arena",
	"insn_array",
};

static const char kv_bpf_prog_names[][KV_BPF_NAME_MAX] = {
	"unspec",
	"socket_filter",
	"kprobe",
	"sched_cls",
	"sched_act",
	"tracepoint",
	"xdp",
	"perf_event",
	"cgroup_skb",
	"cgroup_sock",
	"lwt_in",
	"lwt_out",
	"lwt_xmit",
	"sock_ops",
	"sk_skb",
	"cgroup_device",
	"sk_msg",
	"raw_tracepoint",
	"cgroup_sock_addr",
	"lwt_seg6local",
	"lirc_mode2",
	"sk_reuseport",
	"flow_dissector",
	"cgroup_sysctl",
	"raw_tracepoint_writable",
	"cgroup_sockopt",
	"tracing",
	"struct_ops",
	"ext",
	"lsm",
	"sk_lookup",
	"syscall",
	"netfilter",
};

static const char kv_bpf_link_names[][KV_BPF_NAME_MAX] = {
	"unspec",	"raw_tracepoint", "tracing",	  "cgroup",	"iter",	     "netns",
	"xdp",		"perf_event",	  "kprobe_multi", "struct_ops", "netfilter", "tcx",
	"uprobe_multi", "netkit",	  "sockmap",
};

/* kv_bpf_name() - of a type in one of these tables; NULL: it is not there */
#define kv_bpf_name(names, type) \
	((type) < sizeof(names) / KV_BPF_NAME_MAX ? names[(type)&63] : NULL)

static __always_inline void kv_say_type(struct kv_words *w, const char *name, __u32 type)
{
	kv_say(w, " type=");
	if (name)
		kv_say_string(w, name);
	else
		kv_say_number(w, type); /* younger than kview */
}

static __always_inline void kv_say_bpf_map(struct kv_words *w, const struct bpf_map *map)
{
	__u32 type;

	if (!kv_knows(bpf_map, id) || !kv_knows(bpf_map, map_type))
		return;
	type = BPF_CORE_READ(map, map_type);
	kv_say(w, "id=");
	kv_say_number(w, BPF_CORE_READ(map, id));
	kv_say_type(w, kv_bpf_name(kv_bpf_map_names, type), type);
}

static __always_inline bool kv_knows_bpf_prog(void)
{
	return kv_knows(bpf_prog, type) && kv_knows(bpf_prog, tag) && kv_knows(bpf_prog, aux) &&
	       kv_knows(bpf_prog_aux, id);
}

static __always_inline void kv_say_bpf_prog(struct kv_words *w, const struct bpf_prog *prog)
{
	__u32 type;
	__u64 tag = 0;

	if (!kv_knows_bpf_prog())
		return;
	type = BPF_CORE_READ(prog, type);
	bpf_core_read(&tag, sizeof(tag), &prog->tag);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	tag = __builtin_bswap64(tag);
#endif
	kv_say(w, "id=");
	kv_say_number(w, BPF_CORE_READ(prog, aux, id));
	kv_say_type(w, kv_bpf_name(kv_bpf_prog_names, type), type);
	kv_say(w, " tag=");
	kv_say_hex(w, tag, 16);
}

/* Its program may be another one soon, and is freed after a grace period. */
static __always_inline void kv_say_bpf_link(struct kv_words *w, const struct bpf_link *link)
{
	const struct bpf_prog *prog;
	__u32 type;

	if (!kv_knows(bpf_link, id) || !kv_knows(bpf_link, type) || !kv_knows(bpf_link, prog) ||
	    !kv_knows_bpf_prog())
		return;
	type = BPF_CORE_READ(link, type);
	prog = BPF_CORE_READ(link, prog);
	kv_say(w, "id=");
	kv_say_number(w, BPF_CORE_READ(link, id));
	kv_say_type(w, kv_bpf_name(kv_bpf_link_names, type), type);
	if (!prog)
		return;
	kv_say(w, " prog_id=");
	kv_say_number(w, BPF_CORE_READ(prog, aux, id));
}

static __always_inline void kv_say_btf(struct kv_words *w, const struct btf *btf)
{
	if (!kv_knows(btf, id))
		return;
	kv_say(w, "id=");
	kv_say_number(w, BPF_CORE_READ(btf, id));
}

#endif
