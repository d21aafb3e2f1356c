// SPDX-License-Identifier: GPL-2.0-only
/* The view `run_queue`: how long threads have waited for a processor, by control group. */
#include "kview.h"
#include "collect.h"
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

KV_VIEW_OF_MAP(groups, run_queue, "a row per control group: its threads' waits for processors",
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

#define GROUPS 1024

struct group {
	__u64 shown;   /* 0: the place is free, or it is being written */
	__u64 turn;    /* which group has this place */
	__u64 id;      /* kernfs_node.id */
	__u64 kn;      /* address of that: other hierarchies have the same ids */
	__u64 removed; /* ns since boot; 0: it is there */
	struct kv_group name;
};

/* The first place is for what finds no other. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GROUPS);
	__type(key, __u32);
	__type(value, struct group);
} groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GROUPS);
	__type(key, __u64); /* id */
	__type(value, __u32);
} places SEC(".maps");

/* Places of groups that were removed, in that order, and those that were not needed after all. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, GROUPS);
	__type(value, __u32);
} removed SEC(".maps");

/* A processor's own sums, since processors would wait for each other's lines of memory. */
struct waits {
	__u64 turn; /* of the group that they are of: those of another one count no more */
	__u64 time; /* ns */
	__u64 counts[KV_LATENCIES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GROUPS);
	__type(key, __u32);
	__type(value, struct waits);
} waits SEC(".maps");

/* A place that nobody has, 0: there is none. */
static __always_inline __u32 take_place(__u64 *turn)
{
	struct kv_collected *counts = kv_counts();
	struct group *g;
	__u32 place;
	__u64 id;

	*turn = 0;
	if (!counts)
		return 0;
	if (counts->used < GROUPS - 1) {
		*turn = kv_take_number() + 1;
		if (*turn < GROUPS)
			return *turn;
	}
	if (bpf_map_pop_elem(&removed, &place))
		return 0;
	g = bpf_map_lookup_elem(&groups, &place);
	if (!g)
		return 0;
	id = g->id;
	__sync_lock_test_and_set(&g->shown, 0);
	if (id)
		bpf_map_delete_elem(&places, &id);
	*turn = kv_take_number() + 1;
	return place;
}

/* Once for a group: its rows stay until another one needs the place. */
static __always_inline void free_later(struct group *g, __u32 place)
{
	if (!__sync_val_compare_and_swap(&g->removed, 0, bpf_ktime_get_boot_ns()))
		bpf_map_push_elem(&removed, &place, BPF_ANY);
}

#define CSS_ONLINE 2 /* include/linux/cgroup-defs.h */

static __always_inline __u32 add_group(const struct cgroup *cgroup, struct kernfs_node *kn,
				       __u64 id)
{
	struct kv_naming *naming = kv_naming();
	__u32 place, *known;
	struct group *g;
	__u64 turn;

	/* Of a group that is removed already nobody would tell. */
	if (!naming || !(cgroup->self.flags & CSS_ONLINE))
		return 0;
	place = take_place(&turn);
	g = bpf_map_lookup_elem(&groups, &place);
	if (!place || !g)
		return 0;
	g->turn = turn; /* other processors count as soon as they find the place */
	g->id = id;
	g->kn = kv_address(kn);
	g->removed = 0;
	kv_name_group(naming, kn);
	bpf_probe_read_kernel(&g->name, sizeof(g->name), &naming->group);
	if (!bpf_map_update_elem(&places, &id, &place, BPF_NOEXIST)) {
		__sync_lock_test_and_set(&g->shown, 1);
		if (!(cgroup->self.flags & CSS_ONLINE))
			free_later(g, place);
		return place;
	}
	/* Another processor was first. */
	g->id = 0;
	free_later(g, place);
	known = bpf_map_lookup_elem(&places, &id);
	return known ? *known : 0;
}

SEC("tp_btf/cgroup_rmdir")
int kv_group_removed(__u64 *ctx)
{
	const struct cgroup *cgroup = (void *)ctx[0];
	struct kernfs_node *kn = cgroup->kn;
	__u64 id = kn->id;
	__u32 *known = bpf_map_lookup_elem(&places, &id), place = known ? *known : 0;
	struct group *g = bpf_map_lookup_elem(&groups, &place);

	if (place && g && g->kn == kv_address(kn))
		free_later(g, place);
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
	__u64 id = kn->id;
	__u32 place = t->place, *known;
	struct group *g = bpf_map_lookup_elem(&groups, &place);

	if (place && g && g->id == id)
		return place;
	known = bpf_map_lookup_elem(&places, &id);
	return t->place = known ? *known : add_group(cgroup, kn, id);
}

static __always_inline void count(__u32 place, __u64 wait)
{
	struct group *g = bpf_map_lookup_elem(&groups, &place);
	struct waits *w = bpf_map_lookup_elem(&waits, &place);

	if (!g || !w)
		return;
	if (!place) {
		g->turn = g->shown = 1;
		kv_dropped();
	}
	if (w->turn != g->turn) {
		__builtin_memset(w, 0, sizeof(*w));
		w->turn = g->turn;
	}
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
	__u32 _pad;
};

static long add_cpu(__u64 cpu, struct sum *s)
{
	const struct waits *w;
	__u32 place = s->place;

	w = bpf_map_lookup_percpu_elem(&waits, &place, cpu);
	if (!w)
		return 1;
	if (w->turn != s->turn)
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

SEC("iter/bpf_map_elem")
int run_queue(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct group *g = ctx->value;
	const __u32 *key = ctx->key;
	struct sum sum = {};
	struct run_queue *r;
	struct kv_call c;
	__u64 boot;

	if (kv_begin_elem(&c, ctx->meta, g))
		return 1;
	if (!g || !key)
		return 0;
	sum.place = *key;
	if (!g->shown)
		return 0;
	kv_barrier();
	sum.turn = g->turn;
	r = kv_record(&c, struct run_queue);
	sum.counts = r->wait;
	bpf_loop(CPUS_MAX, add_cpu, &sum, 0);
	r->time = sum.time;
	r->waits = sum.waits;
	boot = kv_boot_time(&c);
	r->id = g->id;
	r->removed = boot && g->removed ? boot + g->removed : 0;
	kv_put_group(&c, run_queue, r, &g->name);
	kv_barrier();
	/* Another group took its place meanwhile: it is read anew. */
	if (!g->shown || g->turn != sum.turn)
		return KV_RETRY;
	return kv_emit(&c);
}
