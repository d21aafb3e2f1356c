// SPDX-License-Identifier: GPL-2.0-only
/*
 * The view `cgroup`: a row per group of the v2 hierarchy, from the root of the reader's cgroup
 * namespace down.
 *
 * The iterator `iter/cgroup` has one buffer of 32 KiB for all groups, and holds cgroup_mutex. This
 * program walks by itself, under RCU alone: no mkdir waits for it. The kernel has an iterator for
 * such programs, bpf_iter_css, but only since 6.7.
 */
#include "spool.h"
#include "cgroup.h"
#include "css.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cgroup_subsys {
	bool implicit_on_dfl : 1;
	bool threaded : 1;
	const char *name;
	void *dfl_cftypes;
};

/* The count of populated csets, in 7.2: before, it was the cgroup's. Kept for: 6.18. */
struct cgroup_subsys_state___populated {
	int nr_populated_csets;
};

struct cgroup___more {
	struct cgroup_subsys_state self;
	unsigned long flags;
	int nr_descendants;
	int nr_dying_descendants;
	int nr_populated_csets;
	int nr_populated_domain_children;
	int nr_populated_threaded_children;
	/* 32 bits in 7.2. Of a bit-field the kernel may have any size. */
	__u16 subtree_control : 16;
	struct cgroup_subsys_state *subsys[1];
	struct cgroup_root *root;
	struct cgroup___more *dom_cgrp;
};

struct cgroup_root {
	unsigned int subsys_mask;
	struct cgroup___more cgrp;
};

struct kernfs_node___dir {
	void *priv;
};

struct page_counter {
	atomic64_t usage;
	unsigned long max;
};

struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
};

struct pids_cgroup {
	struct cgroup_subsys_state css;
	atomic64_t counter;
	atomic64_t limit;
};

enum cgroup_subsys_id {
	memory_cgrp_id,
	pids_cgrp_id,
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/* On a kernel without them the program is loaded as one that runs under RCU. */
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

/* They came with this, in 6.2; of functions themselves BTF tells programs nothing. */
enum bpf_type_flag {
	MEM_RCU,
};

#define HAS_RCU_CALLS bpf_core_enum_value_exists(enum bpf_type_flag, MEM_RCU)

struct cgroup_row {
	struct kv_head _head;
	__u32 level KV_MEANS("depth below the root that the reader sees");
	__u64 id KV_ROLE(key) KV_MEANS("id, the inode number of its directory") KV_WIDTH(8);
	__u64 parent KV_MEANS("id of the group above") KV_NONE(0) KV_WIDTH(8);
	__u32 populated KV_ROLE(gauge)
		KV_MEANS("1: it or a group below has processes, as in cgroup.events");
	__u32 frozen KV_ROLE(gauge) KV_MEANS("1: its processes are frozen, as in cgroup.events");
	__u32 descendants KV_ROLE(gauge) KV_MEANS("groups below, as in cgroup.stat");
	__u32 dying KV_ROLE(gauge)
		KV_MEANS("removed groups below that the kernel still holds, as in cgroup.stat");
	__s64 memory KV_ROLE(gauge) KV_MEANS("memory.current") KV_UNIT("bytes") KV_NONE(-1);
	__s64 memory_max KV_ROLE(gauge) KV_MEANS("memory.max; none: max") KV_UNIT("bytes")
		KV_NONE(-1);
	__s64 pids KV_ROLE(gauge) KV_MEANS("pids.current") KV_NONE(-1) KV_WIDTH(6);
	__s64 pids_max KV_ROLE(gauge) KV_MEANS("pids.max; none: max") KV_NONE(-1) KV_WIDTH(8);
	struct kv_str controllers KV_MEANS("cgroup.controllers") KV_WIDTH(20);
	struct kv_str path KV_MEANS("path, as in /proc/PID/cgroup");
};

KV_VIEW_FOR_ALL(cgroup_row, "a row per control group: processes, memory, limits, path", "5.17");

#define HAS(column) kv_has(cgroup_row, column)

#define CGRP_FROZEN 3	  /* include/linux/cgroup-defs.h, since 5.2 */
#define PID_MAX (4 << 20) /* PID_MAX_LIMIT; more is PIDS_MAX, no limit */
#define MAX_SUBSYS 16	  /* bits of cgroup.subtree_control */

/* --- controllers --- */

/* A string that most groups share with the group before, under what it is made of. */
struct controllers {
	__u64 session, mask;
	__u64 is_threaded;
	__u64 len;
	char names[256];
};

KV_THREAD_MAP(kv_controllers, controllers);

struct listing {
	struct kv_call *c;
	struct kv_str *s;
	const struct cgroup___more *cgroup;
	__u64 mask, is_threaded;
};

static __always_inline struct cgroup_subsys_state *css_of(const struct cgroup___more *cgroup,
							  __u64 i)
{
	struct cgroup_subsys_state *css = NULL;

	if (i < bpf_core_field_size(cgroup->subsys) / sizeof(css))
		bpf_probe_read_kernel(&css, sizeof(css), (void *)&cgroup->subsys + i * sizeof(css));
	return css;
}

/* A group at the top has those that a v2 hierarchy shows. */
static __always_inline bool is_listed(const struct listing *l, const struct cgroup_subsys *ss)
{
	if (l->is_threaded)
		return BPF_CORE_READ_BITFIELD_PROBED(ss, threaded);
	return BPF_CORE_READ(ss, dfl_cftypes) &&
	       !BPF_CORE_READ_BITFIELD_PROBED(ss, implicit_on_dfl);
}

static long add_controller(__u64 i, struct listing *l)
{
	struct cgroup_subsys_state *css = l->mask >> i & 1 ? css_of(l->cgroup, i) : NULL;
	struct cgroup_subsys *ss = css ? BPF_CORE_READ(css, ss) : NULL;

	if (!ss || !is_listed(l, ss))
		return 0;
	if (l->s->len)
		kv_add_literal(l->c, l->s, " ");
	kv_add_string(l->c, l->s, BPF_CORE_READ(ss, name));
	return 0;
}

static __always_inline void keep_controllers(struct kv_call *c, const struct kv_str *s,
					     struct controllers *kept, const struct listing *l)
{
	__u64 off = s->off, len = s->len;

	kv_opaque(off);
	kv_opaque(len);
	if (off > KV_FIXED_MAX || len > sizeof(kept->names))
		return;
	bpf_probe_read_kernel(kept->names, len, c->record->bytes + off);
	kept->len = len;
	kept->session = c->session;
	kept->mask = l->mask;
	kept->is_threaded = l->is_threaded;
}

/* As cgroup_control() in kernel/cgroup/cgroup.c. */
static __always_inline void put_controllers(struct kv_call *c, struct kv_str *s,
					    const struct cgroup___more *cgroup)
{
	struct controllers *kept = kv_of_thread(kv_controllers, bpf_get_current_task_btf());
	const struct cgroup___more *up = (void *)BPF_CORE_READ(cgroup, self.parent, cgroup);
	struct listing l = {
		.c = c,
		.s = s,
		.cgroup = cgroup,
		.mask = up ? BPF_CORE_READ_BITFIELD_PROBED(up, subtree_control)
			   : BPF_CORE_READ(cgroup, root, subsys_mask),
		.is_threaded = BPF_CORE_READ(cgroup, dom_cgrp) != cgroup,
	};

	if (!kept) {
		s->off = KV_STR_UNREADABLE;
		return;
	}
	if (kept->session == c->session && kept->mask == l.mask &&
	    kept->is_threaded == l.is_threaded) {
		kv_put_bytes(c, s, kept->names, kept->len);
		return;
	}
	kv_put_literal(c, s, "");
	bpf_loop(MAX_SUBSYS, add_controller, &l, 0);
	keep_controllers(c, s, kept, &l);
}

/* --- memory and pids --- */

/* The controller's part of a group that has its files: all but the root, where it is enabled. */
#define PART(cgroup, type, id)                                                                 \
	({                                                                                     \
		struct cgroup_subsys_state *_css = NULL;                                       \
		if (bpf_core_enum_value_exists(enum cgroup_subsys_id, id) &&                   \
		    has_files(cgroup, bpf_core_enum_value(enum cgroup_subsys_id, id)))         \
			_css = css_of(cgroup, bpf_core_enum_value(enum cgroup_subsys_id, id)); \
		_css ? (struct type *)((void *)_css - bpf_core_field_offset(struct type, css)) \
		     : NULL;                                                                   \
	})

static __always_inline bool has_files(const struct cgroup___more *cgroup, __u64 id)
{
	const struct cgroup___more *up = (void *)BPF_CORE_READ(cgroup, self.parent, cgroup);

	return up && (BPF_CORE_READ_BITFIELD_PROBED(up, subtree_control) >> id & 1);
}

static __always_inline __s64 pages(__u64 n)
{
	return n << kv_table()->page_shift;
}

/* PAGE_COUNTER_MAX is what has no limit. */
static __always_inline void put_memory(struct cgroup_row *r, const struct cgroup___more *cgroup)
{
	const struct mem_cgroup *part = PART(cgroup, mem_cgroup, memory_cgrp_id);
	__u64 max;

	r->memory = r->memory_max = -1;
	if (!part || BPF_CORE_READ(cgroup, dom_cgrp) != cgroup)
		return;
	r->memory = pages(BPF_CORE_READ(part, memory.usage.counter));
	max = BPF_CORE_READ(part, memory.max);
	if (max < (~0ULL >> 1 >> kv_table()->page_shift))
		r->memory_max = pages(max);
}

static __always_inline void put_pids(struct cgroup_row *r, const struct cgroup___more *cgroup)
{
	const struct pids_cgroup *part = PART(cgroup, pids_cgroup, pids_cgrp_id);
	__s64 max;

	r->pids = r->pids_max = -1;
	if (!part)
		return;
	r->pids = BPF_CORE_READ(part, counter.counter);
	max = BPF_CORE_READ(part, limit.counter);
	if (max <= PID_MAX)
		r->pids_max = max;
}

/* --- the group --- */

/* Groups of one directory follow one another, so the path of that directory is kept. */
/* For container.h. */
static __always_inline bool kv_has_container(void)
{
	return false;
}

static __always_inline void put_path(struct kv_call *c, struct kv_str *s,
				     const struct cgroup *cgroup, const struct cgroup *up)
{
	struct kv_cgroup_cache *cache = kv_of_thread(kv_cgroups, bpf_get_current_task_btf());
	const struct kv_cgroup group = {
		.kn = BPF_CORE_READ(up, kn),
		.id = BPF_CORE_READ(up, kn, id),
		.level = BPF_CORE_READ(up, level),
		.flags = BPF_CORE_READ(up, self.flags),
	};

	if (!cache) {
		s->off = KV_STR_UNREADABLE;
		return;
	}
	kv_put_cgroup(c, s, cache, &group);
	if (s->len > 1)
		kv_add_literal(c, s, "/");
	kv_add_string(c, s, BPF_CORE_READ(cgroup, kn, name));
}

static __always_inline bool is_populated(const struct cgroup___more *g)
{
	const struct cgroup_subsys_state___populated *css = (void *)&g->self;
	int n = BPF_CORE_READ(g, nr_populated_domain_children) +
		BPF_CORE_READ(g, nr_populated_threaded_children);

	if (bpf_core_field_exists(g->nr_populated_csets))
		return n + BPF_CORE_READ(g, nr_populated_csets) > 0;
	return n + BPF_CORE_READ(css, nr_populated_csets) > 0;
}

static __always_inline void put_counts(struct cgroup_row *r, const struct cgroup___more *g)
{
	kv_set(r, populated, is_populated(g));
	kv_set(r, frozen, BPF_CORE_READ(g, flags) >> CGRP_FROZEN & 1);
	kv_set(r, descendants, BPF_CORE_READ(g, nr_descendants));
	kv_set(r, dying, BPF_CORE_READ(g, nr_dying_descendants));
	if (HAS(memory) || HAS(memory_max))
		put_memory(r, g);
	if (HAS(pids) || HAS(pids_max))
		put_pids(r, g);
}

/*
 * The row of a group. The verifier goes through a step of the walk several times, and through a
 * function that is not static once, apart from it. The function knows the walk by its session
 * alone, and the group by an address.
 */
__noinline int emit(__u64 address, __u64 session)
{
	const struct cgroup_subsys_state *css = (void *)address;
	const struct cgroup *cgroup, *up;
	struct cgroup_row *r;
	struct kv_call c;

	if (!css || kv_begin_run(&c))
		return 1;
	c.session = session;
	cgroup = BPF_CORE_READ(css, cgroup);
	up = BPF_CORE_READ(css, parent, cgroup);
	r = kv_record(&c, struct cgroup_row);
	r->level = BPF_CORE_READ(cgroup, level) - c.scope->cgroup_level;
	r->id = BPF_CORE_READ(cgroup, kn, id);
	if (r->level)
		r->parent = BPF_CORE_READ(up, kn, id);
	put_counts(r, (void *)cgroup);
	if (HAS(controllers))
		put_controllers(&c, &r->controllers, (void *)cgroup);
	if (r->level)
		put_path(&c, &r->path, cgroup, up);
	else
		kv_put_literal(&c, &r->path, "/");
	return kv_spool_emit(&c);
}

/* --- the walk --- */

/*
 * Not on the stack: the verifier of 6.1 goes through a step once, with what the stack holds before
 * the first one, and drops code that runs in later steps alone.
 */
struct walk {
	__u64 top, at; /* of struct cgroup_subsys_state */
	__u64 session;
	__u64 is_below; /* the groups below @at are to come; 0: they have been met */
	__u64 is_whole;
};

KV_THREAD_MAP(kv_cgroup_walks, walk);

struct going {
	struct walk *walk;
};

/* A removed group has no directory any more. */
static __always_inline long visit(struct walk *w, __u64 at)
{
	__u64 rc = 0;

	w->at = at;
	w->is_below = true;
	if (BPF_CORE_READ((struct cgroup_subsys_state *)at, flags) & CSS_ONLINE)
		rc = emit(at, w->session);
	/* The verifier needs `rc & 1`, which a compiler that looks into emit() would drop. */
	kv_opaque(rc);
	return rc & 1;
}

/*
 * Down, along, or up, as css_next_descendant_pre(). Groups that were there before the walk and are
 * there behind it are met once.
 */
static long step(__u64 i, struct going *going)
{
	struct walk *w = going->walk;
	__u64 at = w->at, up, next;

	if (w->is_below) {
		next = kv_css_first(at);
		w->is_below = false;
		return next ? visit(w, next) : 0;
	}
	w->is_whole = at == w->top;
	if (w->is_whole)
		return 1;
	up = (__u64)BPF_CORE_READ((struct cgroup_subsys_state *)at, parent);
	next = up ? kv_css_next(at, up) : 0;
	if (next)
		return visit(w, next);
	w->at = up;
	return !up;
}

/* The group at the top: that of the reader's namespace, which the reader keeps, or the root. */
static __always_inline __u64 find_top(const struct kv_scope *scope)
{
	const struct kernfs_node___dir *dir = (void *)scope->cgroup;
	const struct task_struct *current = bpf_get_current_task_btf();
	const struct cgroup___more *own;

	if (dir)
		return (__u64)BPF_CORE_READ(dir, priv);
	own = (void *)BPF_CORE_READ(current, cgroups, dfl_cgrp);
	return (__u64)BPF_CORE_READ(own, root) + bpf_core_field_offset(struct cgroup_root, cgrp);
}

static __always_inline bool walk(const struct kv_call *c)
{
	struct walk *w = kv_of_thread(kv_cgroup_walks, bpf_get_current_task_btf());
	struct going going = {.walk = w};

	if (!w)
		return false;
	w->session = c->session;
	w->is_whole = false;
	w->top = find_top(c->scope) + bpf_core_field_offset(struct cgroup, self);
	if (visit(w, w->top))
		return false;
	bpf_loop(KV_CSS_STEPS, step, &going, 0);
	return w->is_whole;
}

/* All that a walk needs, before it may not sleep: emit() does not know that it may not. */
static __always_inline bool has_memory(void)
{
	struct task_struct *current = bpf_get_current_task_btf();

	return kv_of_thread(kv_cgroup_walks, current) && kv_of_thread(kv_cgroups, current) &&
	       kv_of_thread(kv_controllers, current) && kv_of_thread(kv_chunks, current) &&
	       kv_second_buffer();
}

SEC("call")
int cgroup(void *ctx)
{
	struct kv_call c;
	bool is_whole;

	if (kv_begin_run(&c) || c.scope->cgroup == KV_CGROUP_UNKNOWN || !has_memory())
		return 1;
	if (HAS_RCU_CALLS)
		bpf_rcu_read_lock();
	is_whole = walk(&c);
	if (HAS_RCU_CALLS)
		bpf_rcu_read_unlock();
	return is_whole ? kv_spool_end(&c) : 1;
}
