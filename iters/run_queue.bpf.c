// SPDX-License-Identifier: GPL-2.0-only
/* The view `run_queue`: how long threads have waited for a processor, by control group. */
#include "kview.h"
#include "clock.h"
#include "last_thread.h"
#include "latency.h"
#include "group_name.h"

struct run_queue {
	struct kv_head _head;
	__u32 _pad;
	__u64 id KV_ROLE(key)
		KV_MEANS("id of the control group, the inode number of its directory; "
			 "- for all that had no room") KV_NONE(0) KV_WIDTH(8);
	__u64 waits KV_ROLE(counter) KV_MEANS("how often its threads have waited for a processor")
		KV_WIDTH(9);
	__u64 time KV_ROLE(counter) KV_MEANS("how long they have waited, together") KV_UNIT("s")
		KV_SHOW(seconds);
	__u64 removed KV_MEANS("when the group was removed, Unix time; - while it is there")
		KV_UNIT("s") KV_SHOW(seconds) KV_NONE(0);
	struct kv_str container KV_MEANS("id of the container that the group is named for")
		KV_WIDTH(9);
	struct kv_str cgroup KV_MEANS("path in the cgroup v2 hierarchy") KV_WIDTH(20);
	__u64 wait[KV_LATENCIES] KV_ROLE(counter) KV_MEANS("how many waits were how long")
		KV_UNIT("s") KV_SHOW(seconds) KV_BUCKETS(KV_LATENCY_FIRST);
};

KV_VIEW_OF_MAP(kv_places, run_queue, "a row per control group: its threads' waits for processors",
	       "6.1");

static __always_inline bool kv_has_container(void)
{
	return kv_has(run_queue, container);
}

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/*
 * The kernel adds to run_delay when a thread gets a processor, and when it is moved from one run
 * queue to another meanwhile: sched_info_arrive(), sched_info_dequeue() in kernel/sched/stats.h.
 * So what a thread has more at the end of a run than at the end of the last one is how long it
 * waited for this run, wherever.
 */
struct sched_info___queue {
	unsigned long pcount;
	unsigned long long run_delay;
};

struct task_struct___queue {
	struct sched_info___queue sched_info;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/* --- groups --- */

struct group_key {
	__u64 id; /* kernfs_node.id */
};

struct group {
	__u64 kn;      /* address of the node: other hierarchies have the same ids */
	__u64 removed; /* ns since boot; 0: it is there */
	struct kv_group name;
};

#define KV_PLACE_KEY struct group_key
#define KV_PLACE_DATA struct group
#define KV_PLACES 1024
#include "places.h"

/* A processor's own sums, since processors would wait for each other's lines of memory. */
struct waits {
	__u64 turn; /* of the group that they are of */
	__u64 time; /* ns */
	__u64 counts[KV_LATENCIES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KV_PLACES);
	__type(key, __u32);
	__type(value, struct waits);
} waits SEC(".maps");

/* Each processor does so for itself: see begin_anew(). */
static __always_inline void kv_give_way(struct kv_place *p)
{
}

/* This processor's sums are of a group that has given way, or of none yet. */
static __always_inline void begin_anew(struct waits *w, __u64 turn)
{
	__u32 zero = 0;
	struct waits *rest = bpf_map_lookup_elem(&waits, &zero);
	struct kv_place *first = kv_place_at(zero);

	if (!rest || !first)
		return;
	if (w->time) {
		first->state = KV_PLACE_SHOWN;
		rest->time += w->time;
		for (int i = 0; i < KV_LATENCIES; i++)
			rest->counts[i] += w->counts[i];
	}
	__builtin_memset(w, 0, sizeof(*w));
	w->turn = turn;
}

#define CSS_ONLINE 2 /* include/linux/cgroup-defs.h */

static __always_inline __u32 add_group(const struct cgroup *cgroup, struct kernfs_node *kn,
				       const struct group_key *key)
{
	struct kv_naming *naming = kv_naming();
	struct kv_place *p;
	__u32 place;

	/* What a thread waits on its way out of a group that is removed begins no row. */
	if (!naming || !(cgroup->self.flags & CSS_ONLINE))
		return 0;
	place = kv_place_take(true);
	p = kv_place_at(place);
	if (!place || !p)
		return 0;
	kv_name_group(naming, kn);
	bpf_probe_read_kernel(&p->data.name, sizeof(p->data.name), &naming->group);
	p->data.kn = kv_address(kn);
	p->data.removed = 0;
	return kv_place_show(place, p, key);
}

SEC("tp_btf/cgroup_rmdir")
int kv_group_removed(__u64 *ctx)
{
	const struct cgroup *cgroup = (void *)ctx[0];
	struct kernfs_node *kn = cgroup->kn;
	struct group_key key = {kn->id};
	__u32 place = kv_place_find(&key);
	struct kv_place *p = kv_place_at(place);

	if (place && p && p->data.kn == kv_address(kn))
		p->data.removed = bpf_ktime_get_boot_ns();
	return 0;
}

/* --- waits --- */

struct thread {
	__u64 task;  /* its address */
	__u64 delay; /* ns that it had waited at the end of its last run */
	__u32 place; /* of its group */
	__u32 _pad;
};

#define KV_THREAD struct thread
#include "thread_table.h"

/* The place of the thread's group, which is most often the one that it had before. */
static __always_inline __u32 place_of(struct thread *t, const struct task_struct *task)
{
	struct css_set *cset = task->cgroups;
	struct cgroup *cgroup = cset->dfl_cgrp;
	struct kernfs_node *kn = cgroup->kn;
	struct group_key key = {kn->id};
	__u32 place = t->place;
	struct kv_place *p = kv_place_at(place);

	if (place && p && p->key.id == key.id)
		return place;
	place = kv_place_find(&key);
	return t->place = place ? place : add_group(cgroup, kn, &key);
}

static __always_inline void count(__u32 place, __u64 wait)
{
	struct waits *w = bpf_map_lookup_elem(&waits, &place);
	struct kv_place *p = kv_place_at(place);

	if (!p || !w)
		return;
	kv_place_use(p, place, true);
	if (w->turn != p->turn)
		begin_anew(w, p->turn);
	w->time += wait;
	kv_histogram_add(w->counts, wait, KV_LATENCY_FIRST);
}

SEC("tp_btf/sched_switch")
int run_ends(__u64 *ctx)
{
	const struct task_struct *task = (void *)ctx[1];
	const struct task_struct___queue *q = (void *)task;
	__u64 address, delay, wait;
	struct thread *t;

	if (!task->pid) /* the processor was idle */
		return 0;
	address = kv_address(task);
	delay = q->sched_info.run_delay;
	t = kv_thread_find(address);
	if (t) {
		wait = delay - t->delay;
		t->delay = delay;
		count(place_of(t, task), wait);
	} else {
		t = kv_thread_add(address);
		if (t)
			t->delay = delay;
		else
			kv_dropped();
		/* Of a first run it is known how long that was waited for. */
		if (t && q->sched_info.pcount == 1)
			count(place_of(t, task), delay);
	}
	if (task->__state & TASK_DEAD)
		kv_thread_forget(address);
	return 0;
}

/* --- the view --- */

/* Of all processors. No pointer to the record: clang would leave out what its columns are. */
struct sum {
	__u64 *counts;
	__u64 turn;
	__u64 time, waits;
	__u32 place;
	__u32 is_of_others; /* of groups that have given way, not of the one whose turn it is */
};

static long add_cpu(__u64 cpu, struct sum *s)
{
	const struct waits *w;
	__u32 place = s->place;

	w = bpf_map_lookup_percpu_elem(&waits, &place, cpu);
	if (!w)
		return 1;
	if ((w->turn != s->turn) != s->is_of_others)
		return 0;
	s->time += w->time;
	for (int i = 0; i < KV_LATENCIES; i++) {
		__u64 n = w->counts[i];

		s->counts[i] += n;
		s->waits += n;
	}
	return 0;
}

#define CPUS_MAX 8192 /* as CONFIG_NR_CPUS may be */

/* Sums of groups that have given way, which their processors have not moved to the first place yet. */
static long add_place(__u64 i, struct sum *s)
{
	const struct kv_place *p = kv_place_at(i);

	if (!i || !p)
		return !p;
	s->place = i;
	s->turn = p->turn;
	s->is_of_others = true;
	bpf_loop(CPUS_MAX, add_cpu, s, 0);
	return 0;
}

SEC("iter/bpf_map_elem")
int run_queue(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct kv_place *p = ctx->value;
	const __u32 *place = ctx->key;
	struct sum sum = {};
	struct run_queue *r;
	struct kv_call c;
	__u64 boot, turn;

	if (kv_begin_elem(&c, ctx->meta, p))
		return 1;
	if (!p || !place || !kv_place_begin(p, &turn))
		return 0;
	r = kv_record(&c, struct run_queue);
	sum.place = *place;
	sum.turn = turn;
	sum.counts = r->wait;
	bpf_loop(CPUS_MAX, add_cpu, &sum, 0);
	if (!*place)
		bpf_loop(KV_PLACES, add_place, &sum, 0);
	r->time = sum.time;
	r->waits = sum.waits;
	boot = kv_boot_time(&c);
	r->id = p->key.id;
	r->removed = boot && p->data.removed ? boot + p->data.removed : 0;
	kv_put_group(&c, run_queue, r, &p->data.name);
	return kv_place_stays(p, turn) ? kv_emit(&c) : KV_RETRY;
}
