// SPDX-License-Identifier: GPL-2.0-only
/* A view of a user's, for the cases: a row per BPF map. Not of single processes. */
#include "kview.h"

struct bpf_map {
	enum bpf_map_type map_type;
	__u32 key_size;
	__u32 value_size;
	__u32 max_entries;
	__u32 id;
	char name[16];
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct bpf_map, map);
};

struct map_row {
	struct kv_head _head;
	__u32 id KV_MEANS("number of the map");
	__u32 type KV_MEANS("enum bpf_map_type");
	__u32 key_size KV_UNIT("bytes");
	__u32 value_size KV_UNIT("bytes");
	__u32 max_entries;
	char name[16] KV_MEANS("name it was created with");
};

KV_VIEW(map_row, "a row per BPF map, for the cases", "5.8");

SEC("iter/bpf_map")
int maps(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;
	struct map_row *r;
	struct kv_call c;

	if (kv_begin(&c, ctx->meta, map))
		return 1;
	if (!map)
		return 0;
	r = kv_record(&c, struct map_row);
	r->id = map->id;
	r->type = map->map_type;
	r->key_size = map->key_size;
	r->value_size = map->value_size;
	r->max_entries = map->max_entries;
	BPF_CORE_READ_STR_INTO(&r->name, map, name);
	return kv_emit(&c);
}
