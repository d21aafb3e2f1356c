// SPDX-License-Identifier: GPL-2.0-only
/* The view `kmem_cache`: what slabtop shows, a row per slab cache. */
#include "kview.h"

struct kmem_cache_row {
	struct kv_head _head;
	struct kv_str name KV_ROLE(key) KV_MEANS("name of the cache") KV_WIDTH(24);
	__u64 active_objs KV_ROLE(gauge) KV_MEANS("objects in use, as /proc/slabinfo counts")
		KV_WIDTH(11);
	__u64 num_objs KV_ROLE(gauge) KV_MEANS("objects the slabs have room for") KV_WIDTH(9);
	__u32 objsize KV_MEANS("bytes an object takes") KV_UNIT("bytes") KV_WIDTH(7);
	__u32 objperslab KV_MEANS("objects in a slab") KV_WIDTH(10);
	__u32 pagesperslab KV_MEANS("pages in a slab") KV_UNIT("pages") KV_WIDTH(12);
	__u32 _pad;
	__u64 num_slabs KV_ROLE(gauge) KV_MEANS("slabs") KV_WIDTH(9);
	__u32 object_size KV_MEANS("bytes an object was asked with") KV_UNIT("bytes") KV_WIDTH(11);
	__u32 align KV_MEANS("alignment of objects") KV_UNIT("bytes") KV_WIDTH(5);
	__u32 flags KV_MEANS("SLAB_ flags, in hex") KV_SHOW(hex) KV_WIDTH(8);
	__s32 refcnt KV_ROLE(gauge) KV_MEANS("users of the cache, merged ones included")
		KV_WIDTH(6);
	__u64 memory KV_ROLE(gauge) KV_MEANS("memory its slabs hold") KV_UNIT("bytes") KV_WIDTH(11);
};

KV_VIEW(kmem_cache_row, "a row per slab cache: objects, slabs, memory", "6.13");

#define OO_SHIFT 16
#define OO_MASK 0xffff

/* count_partial_free_approx() in mm/slub.c looks at this many slabs at most. */
#define MAX_PARTIAL_TO_SCAN 10000

#define TRIES 4

/* In scratch memory, since the verifier tracks each value of a counting variable. */
struct partial {
	struct list_head *at, *head;
	__u64 turn; /* after so many slabs go on from the end of the list */
	__u64 most; /* slabs to look at */
	__u64 seen, free;
	__u64 backwards;
	__u64 strayed; /* times */
};

struct nodes {
	__u64 cache; /* address of the kmem_cache */
	struct partial *partial;
	__u64 slabs, objects, free;
};

static __always_inline void begin_partial(struct partial *p)
{
	p->at = p->head;
	p->backwards = false;
	p->seen = 0;
	p->free = 0;
}

static __always_inline struct list_head *next_partial(struct partial *p)
{
	struct list_head *at = p->at;

	if (p->seen == p->turn && !p->backwards) {
		p->backwards = true;
		at = p->head;
	}
	return p->backwards ? BPF_CORE_READ(at, prev) : BPF_CORE_READ(at, next);
}

/*
 * Without the lock of the list. A slab may leave the list while it is read, and its page may be
 * reused. So a slab counts only if it still belongs to the cache afterwards. If not, counting
 * begins again, since its pointers lead anywhere. The number of steps is bounded.
 */
static long count_free(__u64 i, struct nodes *n)
{
	struct partial *p = n->partial;
	struct list_head *at;
	struct slab *slab;
	__u64 free;

	if (p->seen == p->most)
		return 1;
	at = next_partial(p);
	if (at == p->head)
		return 1;
	p->at = at;
	slab = (void *)at - bpf_core_field_offset(struct slab, slab_list);
	free = BPF_CORE_READ_BITFIELD_PROBED(slab, objects) -
	       BPF_CORE_READ_BITFIELD_PROBED(slab, inuse);
	kv_barrier();
	if ((__u64)BPF_CORE_READ(slab, slab_cache) == n->cache) {
		p->free += free;
		p->seen++;
		return 0;
	}
	p->strayed++;
	if (p->strayed == TRIES)
		return 1;
	begin_partial(p);
	return 0;
}

/* Counts a part of the list, and assumes that the rest is like it. */
static __always_inline __u64 partial_free(struct nodes *nodes, struct kmem_cache_node *node)
{
	__u64 n = BPF_CORE_READ(node, nr_partial);
	struct partial *p = nodes->partial;

	p->head = (void *)node + bpf_core_field_offset(struct kmem_cache_node, partial);
	p->turn = n > MAX_PARTIAL_TO_SCAN ? MAX_PARTIAL_TO_SCAN / 2 : n;
	p->most = n > MAX_PARTIAL_TO_SCAN ? MAX_PARTIAL_TO_SCAN : n;
	p->strayed = 0;
	begin_partial(p);
	bpf_loop(TRIES * (MAX_PARTIAL_TO_SCAN + 1), count_free, nodes, 0);
	if (n <= MAX_PARTIAL_TO_SCAN && p->strayed < TRIES)
		return p->free;
	return p->seen ? p->free * n / p->seen : 0;
}

#define HAS(column) kv_has(kmem_cache_row, column)

static long add_node(__u64 i, struct nodes *n)
{
	struct kmem_cache_node *node = kv_slab_node(n->cache, i);

	if (!node)
		return 0;
	if (HAS(num_slabs) || HAS(memory))
		n->slabs += BPF_CORE_READ(node, nr_slabs.counter);
	if (HAS(num_objs) || HAS(active_objs))
		n->objects += BPF_CORE_READ(node, total_objects.counter);
	if (HAS(active_objs))
		n->free += partial_free(n, node);
	return 0;
}

static __always_inline void count(const struct kv_call *c, struct nodes *n)
{
	n->partial = (void *)c->scratch->path;
	if (HAS(num_slabs) || HAS(memory) || HAS(num_objs) || HAS(active_objs))
		bpf_loop(kv_table()->nr_nodes, add_node, n, 0);
	if (n->free > n->objects)
		n->free = n->objects;
}

/* Columns about one object or one slab. */
static __always_inline void put_sizes(struct kmem_cache_row *r, const struct kmem_cache *s)
{
	kv_set(r, objsize, s->size);
	kv_set(r, objperslab, s->oo.x & OO_MASK);
	kv_set(r, pagesperslab, 1U << (s->oo.x >> OO_SHIFT));
	kv_set(r, object_size, s->object_size);
	kv_set(r, align, s->align);
	kv_set(r, flags, s->flags);
}

SEC("iter/kmem_cache")
int kmem_cache(struct bpf_iter__kmem_cache *ctx)
{
	struct kmem_cache *s = ctx->s;
	struct kmem_cache_row *r;
	struct nodes n = {};
	struct kv_call c;

	if (kv_begin(&c, ctx->meta, s))
		return 1;
	if (!s)
		return 0;
	n.cache = kv_address(s);
	count(&c, &n);
	r = kv_record(&c, struct kmem_cache_row);
	kv_set(r, active_objs, n.objects - n.free);
	r->num_objs = n.objects;
	r->num_slabs = n.slabs;
	kv_set(r, memory, n.slabs << (s->oo.x >> OO_SHIFT) << kv_table()->page_shift);
	put_sizes(r, s);
	/* One reference is the iterator's own. A cache that is never freed has a count below 0. */
	kv_set(r, refcnt, s->refcount > 0 ? s->refcount - 1 : s->refcount);
	if (HAS(name))
		kv_put_string(&c, &r->name, s->name); /* never changes */
	return kv_emit(&c);
}
