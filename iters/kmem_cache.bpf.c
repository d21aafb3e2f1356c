// SPDX-License-Identifier: GPL-2.0-only
/* The view `kmem_cache`: what slabtop shows, a row per slab cache. */
#include "kview.h"

struct kmem_cache_row {
	struct kv_head _head;
	struct kv_str name KV_MEANS("name of the cache") KV_WIDTH(24);
	__u64 active_objs KV_MEANS("objects in use, as /proc/slabinfo counts") KV_WIDTH(11);
	__u64 num_objs KV_MEANS("objects the slabs have room for") KV_WIDTH(9);
	__u32 objsize KV_MEANS("bytes an object takes") KV_UNIT("bytes") KV_WIDTH(7);
	__u32 objperslab KV_MEANS("objects in a slab") KV_WIDTH(10);
	__u32 pagesperslab KV_MEANS("pages in a slab") KV_UNIT("pages") KV_WIDTH(12);
	__u32 _pad;
	__u64 num_slabs KV_MEANS("slabs") KV_WIDTH(9);
	__u32 object_size KV_MEANS("bytes an object was asked with") KV_UNIT("bytes") KV_WIDTH(11);
	__u32 align KV_MEANS("alignment of objects") KV_UNIT("bytes") KV_WIDTH(5);
	__u32 flags KV_MEANS("SLAB_ flags, in hex") KV_SHOW(hex) KV_WIDTH(8);
	__s32 refcnt KV_MEANS("users of the cache, merged ones included") KV_WIDTH(6);
	__u64 memory KV_MEANS("memory its slabs hold") KV_UNIT("bytes") KV_WIDTH(11);
};

KV_VIEW(kmem_cache_row, "a row per slab cache: objects, slabs, memory", "6.13");

#define OO_SHIFT 16
#define OO_MASK 0xffff

/* count_partial_free_approx() in mm/slub.c looks at this many slabs at most. */
#define MAX_PARTIAL_TO_SCAN 10000

struct partial {
	struct list_head *at, *head;
	__u64 free;
	__u64 backwards;
};

/*
 * Without the list's lock: a slab may leave for another list meanwhile, which
 * makes the count an approximation, as are all numbers here; reads cannot fail
 * worse than that, and the number of steps is bounded by the list's length.
 */
static long count_free(__u64 i, struct partial *p)
{
	struct slab *slab;
	struct list_head *at = p->at;

	at = p->backwards ? BPF_CORE_READ(at, prev) : BPF_CORE_READ(at, next);
	if (at == p->head || !at)
		return 1;
	p->at = at;
	slab = (void *)at - bpf_core_field_offset(struct slab, slab_list);
	p->free += BPF_CORE_READ_BITFIELD_PROBED(slab, objects) -
		   BPF_CORE_READ_BITFIELD_PROBED(slab, inuse);
	return 0;
}

static __always_inline __u64 partial_free(struct kmem_cache_node *node)
{
	struct list_head *head =
		(void *)node + bpf_core_field_offset(struct kmem_cache_node, partial);
	__u64 n = BPF_CORE_READ(node, nr_partial);
	struct partial p = {.at = head, .head = head};

	if (!n)
		return 0;
	if (n <= MAX_PARTIAL_TO_SCAN) {
		bpf_loop(n, count_free, &p, 0);
		return p.free;
	}
	bpf_loop(MAX_PARTIAL_TO_SCAN / 2, count_free, &p, 0);
	p.at = head;
	p.backwards = true;
	bpf_loop(MAX_PARTIAL_TO_SCAN / 2, count_free, &p, 0);
	return p.free * n / MAX_PARTIAL_TO_SCAN;
}

struct nodes {
	__u64 array; /* address of kmem_cache.node */
	__u64 slabs, objects, free;
};

/* A pointer as a number: the verifier lets only numbers be counted with. */
static __always_inline __u64 address_of(struct kmem_cache *s)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &s);
	return address;
}

static long add_node(__u64 i, struct nodes *n)
{
	struct kmem_cache_node *node = NULL;
	void *at = (void *)(n->array + i * sizeof(void *));

	bpf_probe_read_kernel(&node, sizeof(node), at);
	if (!node)
		return 0;
	n->slabs += BPF_CORE_READ(node, nr_slabs.counter);
	n->objects += BPF_CORE_READ(node, total_objects.counter);
	n->free += partial_free(node);
	return 0;
}

SEC("iter/kmem_cache")
int kmem_cache(struct bpf_iter__kmem_cache *ctx)
{
	struct kmem_cache *s = ctx->s;
	struct kmem_cache_row *r;
	struct nodes n = {};
	struct kv_call c;
	__u32 order;

	if (kv_begin(&c, ctx->meta, s))
		return 1;
	if (!s)
		return 0;
	n.array = address_of(s) + bpf_core_field_offset(struct kmem_cache, node);
	bpf_loop(kv_table()->nr_nodes, add_node, &n, 0);
	if (n.free > n.objects)
		n.free = n.objects;
	order = s->oo.x >> OO_SHIFT;
	r = kv_record(&c, struct kmem_cache_row);
	r->active_objs = n.objects - n.free;
	r->num_objs = n.objects;
	r->objsize = s->size;
	r->objperslab = s->oo.x & OO_MASK;
	r->pagesperslab = 1U << order;
	r->num_slabs = n.slabs;
	r->object_size = s->object_size;
	r->align = s->align;
	r->flags = s->flags;
	/* One is the iterator's own; below 0 are caches that never go. */
	r->refcnt = s->refcount > 0 ? s->refcount - 1 : s->refcount;
	r->memory = n.slabs << order << kv_table()->page_shift;
	kv_put_string(&c, &r->name, s->name);
	return kv_emit(&c);
}
