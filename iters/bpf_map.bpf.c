// SPDX-License-Identifier: GPL-2.0-only
/* The view `bpf_map`: a row per BPF map, as `bpftool map`. */
#include "kview.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* the real layout is the kernel's */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct btf {
	__u32 id;
};

struct bpf_map {
	enum bpf_map_type map_type;
	__u32 key_size;
	__u32 value_size;
	__u32 max_entries;
	__u32 map_flags;
	__u32 id;
	struct btf *btf;
	char name[16];
	atomic64_t refcnt;
	bool frozen;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

struct bpf_iter__bpf_map {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct bpf_map, map);
};

/* enum bpf_map_type as of Linux 7.2: the headers of the build may know fewer. */
enum map_type {
	MAP_UNSPEC = 0,
	MAP_HASH = 1,
	MAP_ARRAY = 2,
	MAP_PROG_ARRAY = 3,
	MAP_PERF_EVENT_ARRAY = 4,
	MAP_PERCPU_HASH = 5,
	MAP_PERCPU_ARRAY = 6,
	MAP_STACK_TRACE = 7,
	MAP_CGROUP_ARRAY = 8,
	MAP_LRU_HASH = 9,
	MAP_LRU_PERCPU_HASH = 10,
	MAP_LPM_TRIE = 11,
	MAP_ARRAY_OF_MAPS = 12,
	MAP_HASH_OF_MAPS = 13,
	MAP_DEVMAP = 14,
	MAP_SOCKMAP = 15,
	MAP_CPUMAP = 16,
	MAP_XSKMAP = 17,
	MAP_SOCKHASH = 18,
	MAP_CGROUP_STORAGE = 19,
	MAP_REUSEPORT_SOCKARRAY = 20,
	MAP_PERCPU_CGROUP_STORAGE = 21,
	MAP_QUEUE = 22,
	MAP_STACK = 23,
	MAP_SK_STORAGE = 24,
	MAP_DEVMAP_HASH = 25,
	MAP_STRUCT_OPS = 26,
	MAP_RINGBUF = 27,
	MAP_INODE_STORAGE = 28,
	MAP_TASK_STORAGE = 29,
	MAP_BLOOM_FILTER = 30,
	MAP_USER_RINGBUF = 31,
	MAP_CGRP_STORAGE = 32,
	MAP_ARENA = 33,
	MAP_INSN_ARRAY = 34,
};

struct bpf_map_row {
	struct kv_head _head;
	__u32 id KV_ROLE(key) KV_MEANS("id of the map") KV_WIDTH(6);
	enum map_type type KV_MEANS("BPF_MAP_TYPE_, by name") KV_WIDTH(16);
	char name[16] KV_MEANS("name that its maker gave it");
	__u32 key_size KV_MEANS("size of a key") KV_UNIT("bytes");
	__u32 value_size KV_MEANS("size of a value") KV_UNIT("bytes") KV_WIDTH(10);
	__u32 max_entries KV_MEANS("entries that it has room for") KV_WIDTH(11);
	__u32 flags KV_MEANS("BPF_F_ flags, in hex") KV_SHOW(hex);
	__u32 frozen KV_MEANS("1: user space can no longer change it") KV_WIDTH(6);
	__u32 btf_id KV_MEANS("id of the BTF of its key and value") KV_NONE(0) KV_WIDTH(6);
	__u32 _pad;
	__s64 refs KV_ROLE(gauge) KV_MEANS("references: descriptors, pins, programs, maps")
		KV_WIDTH(5);
};

KV_VIEW(bpf_map_row, "a row per BPF map: type, sizes, name, users", "5.8");

SEC("iter/bpf_map")
int bpf_map(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;
	struct bpf_map_row *r;
	struct kv_call c;

	if (kv_begin(&c, ctx->meta, map))
		return 1;
	if (!map)
		return 0;
	r = kv_record(&c, struct bpf_map_row);
	r->id = map->id;
	kv_set(r, type, (enum map_type)map->map_type);
	if (kv_has(bpf_map_row, name))
		bpf_core_read(r->name, sizeof(r->name), &map->name); /* never changes */
	kv_set(r, key_size, map->key_size);
	kv_set(r, value_size, map->value_size);
	kv_set(r, max_entries, map->max_entries);
	kv_set(r, flags, map->map_flags);
	kv_set(r, frozen, map->frozen);
	kv_set(r, btf_id, BPF_CORE_READ(map, btf, id));
	kv_set(r, refs, map->refcnt.counter - 1); /* one is the iterator's own */
	return kv_emit(&c);
}
