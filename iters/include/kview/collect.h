/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Collectors: programs of a view's object that run as things happen, and leave in a map what the
 * view shows. kview attaches them while it is asked to. Included behind kview.h; kview-iters(7)
 * explains a whole one.
 */
#ifndef KVIEW_COLLECT_H
#define KVIEW_COLLECT_H

#ifndef __VMLINUX_H__
struct bpf_iter__bpf_map_elem {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct bpf_map, map);
	KV_CTX_PTR(void, key);
	KV_CTX_PTR(void, value);
};
#endif

/* KV_VIEW_OF_MAP - the same as KV_VIEW(), of the elements of the object's map @map */
#define KV_VIEW_OF_MAP(map, type, shows, since) KV_TAG("rows:" #map) KV_VIEW(type, shows, since)

/* kv_begin_elem() - as kv_begin(), of a program over the elements of a map */
static __always_inline int kv_begin_elem(struct kv_call *c, struct bpf_iter_meta *meta,
					 const void *key)
{
	return kv_begin_any(c, meta, key);
}

/* What `kview list` and the status file tell of the maps. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kv_collected);
} kv_collected SEC(".maps");

static __always_inline struct kv_collected *kv_counts(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&kv_collected, &zero);
}

/* kv_dropped() - something was not counted in a row of its own: there was no room */
static __always_inline void kv_dropped(void)
{
	struct kv_collected *counts = kv_counts();

	if (counts)
		__sync_fetch_and_add(&counts->dropped, 1);
}

/*
 * kv_take_number() - the numbers from 0 on, each once: places in an array that rows are put into.
 * A walk through an array meets each element once, while one through a hash may meet an element
 * twice, or never, if others come meanwhile.
 */
static __always_inline __u64 kv_take_number(void)
{
	struct kv_collected *counts = kv_counts();

	return counts ? __sync_fetch_and_add(&counts->used, 1) : -1ULL;
}

#endif
