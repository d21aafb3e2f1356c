/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels that several views may meet, in one place: a
 * private flavour of the struct (the ___suffix is dropped when types are
 * matched) and a function that picks what the running kernel has. One that a
 * single function knows stands with it.
 *
 * Each says in which release it changed, by which commit, and for which kernel it is kept:
 * it may go when kview no longer runs on that one. The oldest is 6.1: what 6.1 and all
 * later ones have needs no place here. Where no commit is named, the change was seen in the
 * types of Debian's kernel of that release.
 */
#ifndef KVIEW_COMPAT_H
#define KVIEW_COMPAT_H

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* rss_stat became an array of percpu_counter in 6.2 (f1a7941243c1). Kept for: 6.1. */
struct percpu_counter___rss {
	long long count;
	int *counters;
};

struct mm_struct___rss_percpu {
	struct percpu_counter___rss rss_stat[4];
};

struct mm_rss_stat___old {
	atomic64_t count[4];
};

struct mm_struct___rss_old {
	struct mm_rss_stat___old rss_stat;
};

/* kernfs_node.parent became __parent in 6.15 (633488947ef6). Kept for: 6.12. */
struct kernfs_node___parent_old {
	struct kernfs_node___parent_old *parent;
};

struct kernfs_node___parent_new {
	struct kernfs_node___parent_new *__parent;
};

/*
 * A file opened by overlayfs on behalf of a mapping, since 6.6 (def3ae83da02): see
 * kv_is_since_6_6(). That this is asked is kept for: 6.1.
 */
struct backing_file___since_6_6 {
	struct path user_path;
};

/*
 * Names given by prctl(PR_SET_VMA_ANON_NAME), since 5.17. That this is asked is kept for
 * good: there are kernels without CONFIG_ANON_VMA_NAME. Until 6.2 (d09e8ca6cb93) the
 * pointer shared its place with `shared` and was valid only for mappings without a file.
 * Kept for: 6.1.
 */
struct anon_vma_name___opt {
	char name[1];
};

struct vm_area_struct___anon_name {
	struct anon_vma_name___opt *anon_name;
	struct list_head shared;
};

/* For kv_is_since_6_6(). */
struct sched_entity___since_6_6 {
	__u64 deadline;
};

/*
 * kernel_cap_t was two words, the lower one first, until 6.3 (f122a08b197d). Kept for: 6.1,
 * where words are big-endian.
 */
struct kernel_cap_struct {
	__u32 cap[2];
};

/*
 * mm_struct.flags became a bitmap in 6.18 (the series "mm: make mm->flags a bitmap and
 * 64-bit on all arches"). The word is kept for: 6.12. Both are kept for: 6.18.
 */
struct mm_struct___flags_word {
	unsigned long flags;
};

struct kv_mm_flags___bitmap {
	unsigned long __mm_flags[1];
};

struct mm_struct___flags_bitmap {
	struct kv_mm_flags___bitmap flags;
};

/*
 * Dumpability is the task's in 7.2, no longer its memory's. What there was before is kept
 * for: 6.18.
 */
enum task_dumpable {
	TASK_DUMPABLE_OWNER = 1,
};

struct task_exec_state {
	enum task_dumpable dumpable;
	struct user_namespace *user_ns;
};

struct task_struct___exec_state {
	struct task_exec_state *exec_state;
};

/*
 * Dumpability of a task that has given up its memory, since 7.1 (31e62c2ebbfd) and in
 * stable releases of older kernels. That this is asked is kept for: 6.1 without that patch.
 * All of it is kept for: 7.1.
 */
struct task_struct___user_dumpable {
	unsigned int user_dumpable : 1;
};

/* kmem_cache.node[] became per_node[].node in 7.2. Kept for: 6.18. */
struct kmem_cache_node;

struct kmem_cache_per_node_ptrs {
	struct kmem_cache_node *node;
};

struct kmem_cache___per_node {
	struct kmem_cache_per_node_ptrs per_node[1];
};

struct kmem_cache___node {
	struct kmem_cache_node *node[1];
};

/* An iterator over tasks for any program, since 6.7 (c68a78ffe2cb). For kv_walk_skips_threads(). */
struct bpf_iter_task___since_6_7 {
	__u64 __opaque[3];
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/* kv_knows() - has this kernel's struct @type that member? */
#define kv_knows(type, member) bpf_core_field_exists(struct type, member)

/*
 * Of what nothing is in BTF, what came with the same release tells: sched_entity.deadline
 * (147f3efaa241), and struct backing_file. One of them may have gone again. Kept for: 6.1.
 */
static __always_inline bool kv_is_since_6_6(void)
{
	return bpf_core_field_exists(struct sched_entity___since_6_6, deadline) ||
	       bpf_core_type_exists(struct backing_file___since_6_6);
}

/*
 * vma_is_initial_heap() takes no neighbour of the heap for the heap since 6.6
 * (0db31d63f27f). Kept for: 6.1.
 */
static __always_inline bool kv_is_heap(__u64 start, __u64 end, __u64 start_brk, __u64 brk)
{
	if (kv_is_since_6_6())
		return start < brk && end > start_brk;
	return start <= brk && end >= start_brk;
}

/*
 * Until 6.7 (780aa8dfcb0b) the file and vma iterators of one process left out each thread
 * behind one that shares its leader's files, whatever that thread has. Nothing of it is in
 * BTF; the struct came with the same release. Kept for: 6.1.
 */
static __always_inline bool kv_walk_skips_threads(void)
{
	return !bpf_core_type_exists(struct bpf_iter_task___since_6_7);
}

static __always_inline __u64 kv_above_0(long long n)
{
	return n > 0 ? n : 0;
}

/* Until 6.2 one number each. Only constants are relocated. */
static __always_inline bool kv_has_plain_rss(void)
{
	return bpf_core_type_exists(struct mm_rss_stat___old);
}

static __always_inline __u64 kv_plain_rss(const struct mm_struct *mm, int counter)
{
	const void *at = (void *)mm + bpf_core_field_offset(struct mm_struct___rss_old, rss_stat);
	long long count = 0;

	bpf_probe_read_kernel(&count, sizeof(count), at + counter * sizeof(count));
	return kv_above_0(count);
}

/* What a slab cache has on NUMA node @i; NULL: nothing. */
static __always_inline struct kmem_cache_node *kv_slab_node(__u64 cache, __u64 i)
{
	struct kmem_cache_node *node = NULL;
	__u64 at;

	if (bpf_core_type_exists(struct kmem_cache_per_node_ptrs))
		at = bpf_core_field_offset(struct kmem_cache___per_node, per_node) +
		     i * bpf_core_type_size(struct kmem_cache_per_node_ptrs) +
		     bpf_core_field_offset(struct kmem_cache_per_node_ptrs, node);
	else
		at = bpf_core_field_offset(struct kmem_cache___node, node) + i * sizeof(node);
	bpf_probe_read_kernel(&node, sizeof(node), (void *)(cache + at));
	return node;
}

static __always_inline struct kernfs_node *kv_kernfs_parent(struct kernfs_node *kn)
{
	struct kernfs_node___parent_new *n = (void *)kn;
	struct kernfs_node___parent_old *old = (void *)kn;

	if (bpf_core_field_exists(n->__parent))
		return (void *)BPF_CORE_READ(n, __parent);
	return (void *)BPF_CORE_READ(old, parent);
}

/* A set of capabilities as one word, bit CAP_X. */
static __always_inline __u64 kv_caps_word(__u64 raw)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	if (bpf_core_type_exists(struct kernel_cap_struct))
		return raw << 32 | raw >> 32;
#endif
	return raw;
}

/* kv_caps() - a member of a cred, such as cap_effective, as that word */
#define kv_caps(cred, member)                                        \
	({                                                           \
		__u64 _raw = 0;                                      \
		bpf_core_read(&_raw, sizeof(_raw), &(cred)->member); \
		kv_caps_word(_raw);                                  \
	})

#define KV_MMF_DUMPABLE_MASK 3
#define KV_SUID_DUMP_USER 1

static __always_inline bool kv_is_mm_dumpable(const struct mm_struct *mm)
{
	const struct mm_struct___flags_bitmap *bitmap = (void *)mm;
	const struct mm_struct___flags_word *word = (void *)mm;
	unsigned long flags = 0;

	if (bpf_core_field_exists(bitmap->flags.__mm_flags))
		flags = BPF_CORE_READ(bitmap, flags.__mm_flags[0]);
	else
		flags = BPF_CORE_READ(word, flags);
	return (flags & KV_MMF_DUMPABLE_MASK) == KV_SUID_DUMP_USER;
}

/* May its user look into a task's memory? If not: who may, by a capability there. */
struct kv_dumpability {
	__u64 by_user;
	const struct user_namespace *ns; /* NULL: the initial one */
};

/*
 * task_still_dumpable() in kernel/ptrace.c. Before 31e62c2ebbfd the kernel did not check a task
 * without memory: it was dumpable. A later kernel that keeps the flag in an unknown place looks the
 * same here, so the answer for such a task is no. For a task with memory no guess is made: if the
 * flag is in an unknown place, the verifier refuses the program.
 */
static __always_inline void kv_dumpability(const struct task_struct *task, struct kv_dumpability *d)
{
	struct task_struct___user_dumpable *u = (void *)task;
	struct task_struct___exec_state *e = (void *)task;
	const struct mm_struct *mm;

	d->ns = NULL;
	if (bpf_core_field_exists(e->exec_state)) {
		d->by_user = BPF_CORE_READ(e, exec_state, dumpable) ==
			     bpf_core_enum_value(enum task_dumpable, TASK_DUMPABLE_OWNER);
		d->ns = BPF_CORE_READ(e, exec_state, user_ns);
		return;
	}
	mm = BPF_CORE_READ(task, mm);
	if (mm) {
		d->by_user = kv_is_mm_dumpable(mm);
		d->ns = BPF_CORE_READ(mm, user_ns);
	} else {
		d->by_user = bpf_core_field_exists(u->user_dumpable) &&
			     BPF_CORE_READ_BITFIELD_PROBED(u, user_dumpable);
	}
}

#endif
