/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Resident memory, to the page. Since 6.2 (f1a7941243c1) each counter of an mm has a part per
 * CPU, which is added to the total only when it has grown. For small processes, and for those
 * with threads on many CPUs, the parts are much of the sum.
 */
#ifndef KVIEW_RSS_H
#define KVIEW_RSS_H

#include "percpu.h"

/* Each view that includes this defines it behind its record: kv_has() of its column. */
static __always_inline bool kv_has_rss(void);

#define KV_CPUS_MAX 768 /* the parts of further CPUs are not added */

/* The kernel's counters of pages, as in include/linux/mm_types_task.h. */
enum kv_rss_counter {
	KV_RSS_FILE,
	KV_RSS_ANON,
	KV_RSS_SWAP,
	KV_RSS_SHMEM,
	KV_RSS_COUNTERS,
};

/*
 * Which mm a sum is of, and when it was made. The mm of another process may soon get the same
 * address. An mm of the same process cannot, until the process executes another program.
 */
struct kv_rss_key {
	__u64 mm, exec, tgid;
	__u64 now; /* in jiffies */
};

/* The sums are kept for the next threads of the process. */
struct kv_rss {
	struct kv_rss_key key;
	__u64 pages[KV_RSS_COUNTERS];
	__u64 is_known;		      /* 0: the kernel's counters are larger than the room here */
	__u64 n;		      /* CPUs whose @offsets are known; 0: none yet */
	__u64 counters[2][64];	      /* the kernel's, before and after adding the parts */
	__u64 parts[KV_RSS_COUNTERS]; /* per-CPU pointers */
	__u64 together;		      /* the parts are adjacent: since 6.6 (14ef95be6f55) */
	__s64 sums[KV_RSS_COUNTERS];
	__s32 part[KV_RSS_COUNTERS]; /* on one CPU */
	__u64 offsets[KV_CPUS_MAX];
};

KV_THREAD_MAP(kv_rss_of, kv_rss);

struct kv_rss_call {
	struct kv_rss *rss;
	struct mm_struct *mm;
	__u64 base; /* kv_percpu_base() */
};

static long kv_rss_find_cpu(__u64 i, struct kv_rss_call *c)
{
	__u64 part = kv_percpu_part(i);

	if (!part || i >= KV_CPUS_MAX)
		return 1;
	c->rss->offsets[i] = part - c->base;
	c->rss->n = i + 1;
	return 0;
}

static __always_inline bool kv_rss_read_part(struct kv_rss *rss, __u64 offset)
{
	if (rss->together)
		return !bpf_probe_read_kernel(rss->part, sizeof(rss->part),
					      (void *)(rss->parts[0] + offset));
	for (int k = 0; k < KV_RSS_COUNTERS; k++)
		if (bpf_probe_read_kernel(&rss->part[k], sizeof(rss->part[k]),
					  (void *)(rss->parts[k] + offset)))
			return false;
	return true;
}

static long kv_rss_add_cpu(__u64 i, struct kv_rss_call *c)
{
	struct kv_rss *rss = c->rss;

	if (i >= rss->n || i >= KV_CPUS_MAX)
		return 1;
	if (kv_rss_read_part(rss, rss->offsets[i]))
		for (int k = 0; k < KV_RSS_COUNTERS; k++)
			rss->sums[k] += rss->part[k];
	return 0;
}

/* Reads all counters of the mm at once. */
static __always_inline void kv_rss_read(struct kv_rss_call *c, int to)
{
	__u64 size = KV_RSS_COUNTERS * bpf_core_type_size(struct percpu_counter___rss);

	if (size <= sizeof(c->rss->counters[to]))
		bpf_probe_read_kernel(
			c->rss->counters[to], size,
			(void *)c->mm +
				bpf_core_field_offset(struct mm_struct___rss_percpu, rss_stat));
}

#define KV_RSS_GET(rss, from, k, member)                                 \
	kv_rss_get(rss, from,                                            \
		   (k)*bpf_core_type_size(struct percpu_counter___rss) + \
			   bpf_core_field_offset(struct percpu_counter___rss, member))

static __always_inline __u64 kv_rss_get(struct kv_rss *rss, int from, __u64 at)
{
	return at <= sizeof(rss->counters[from]) - 8 ? *(__u64 *)((void *)rss->counters[from] + at)
						     : 0;
}

/* A part may be added to the total meanwhile: then all is read again. */
static long kv_rss_try(__u64 i, struct kv_rss_call *c)
{
	struct kv_rss *rss = c->rss;
	bool is_same = true;

	kv_rss_read(c, 0);
	rss->together = true;
	for (int k = 0; k < KV_RSS_COUNTERS; k++) {
		rss->sums[k] = 0;
		rss->parts[k] = KV_RSS_GET(rss, 0, k, counters);
		rss->together &= rss->parts[k] == rss->parts[0] + k * sizeof(rss->part[0]);
	}
	kv_barrier();
	bpf_loop(KV_CPUS_MAX, kv_rss_add_cpu, c, 0);
	kv_barrier();
	kv_rss_read(c, 1);
	for (int k = 0; k < KV_RSS_COUNTERS; k++) {
		rss->pages[k] = kv_above_0(KV_RSS_GET(rss, 0, k, count) + rss->sums[k]);
		is_same &= KV_RSS_GET(rss, 0, k, count) == KV_RSS_GET(rss, 1, k, count);
	}
	return is_same;
}

#define KV_RSS_TRIES 8

/* Counts into rss->pages. Not static, so that it is verified once (see kv_find_pid()). */
__noinline int kv_rss_count(struct kv_rss *rss, __u64 mm)
{
	struct kv_rss_call c = {.rss = rss, .mm = (void *)mm};

	if (!rss || !kv_has_rss())
		return 0;
	if (kv_has_plain_rss()) {
		for (int k = 0; k < KV_RSS_COUNTERS; k++)
			rss->pages[k] = kv_plain_rss((void *)mm, k);
		rss->is_known = true;
		return 0;
	}
	if (!rss->n) {
		c.base = kv_percpu_base();
		bpf_loop(KV_CPUS_MAX, kv_rss_find_cpu, &c, 0);
	}
	rss->is_known = KV_RSS_COUNTERS * bpf_core_type_size(struct percpu_counter___rss) <=
			sizeof(rss->counters[0]);
	if (rss->is_known)
		bpf_loop(KV_RSS_TRIES, kv_rss_try, &c, 0);
	return 0;
}

/**
 * kv_rss_find() - pages of an mm, counted once for the threads of a process
 * @rss: of this thread; receives them, by kv_rss_counter
 *
 * Return: false: this kernel does not tell them.
 */
static __always_inline bool kv_rss_find(struct kv_rss *rss, const struct kv_rss_key *key)
{
	if (rss->key.mm != key->mm || rss->key.exec != key->exec || rss->key.tgid != key->tgid ||
	    rss->key.now != key->now) {
		rss->key = *key;
		kv_rss_count(rss, key->mm);
	}
	return rss->is_known;
}

/* kv_rss_pages() - resident ones of those that were found: what was swapped out is not */
static __always_inline __u64 kv_rss_pages(const struct kv_rss *rss)
{
	return rss->pages[KV_RSS_FILE] + rss->pages[KV_RSS_ANON] + rss->pages[KV_RSS_SHMEM];
}

#endif
