// SPDX-License-Identifier: GPL-2.0-only
/* The view `exit_totals`: what processes of a name that have ended took together. */
#include "kview.h"
#include "clock.h"
#include "ended.h"

struct exit_totals {
	struct kv_head _head;
	struct kv_str comm KV_ROLE(key) KV_MEANS(
		"name that their first threads had at the end; - for all names beyond 4095")
		KV_WIDTH(15);
	__u64 ended KV_ROLE(counter) KV_MEANS("processes that ended") KV_WIDTH(8);
	__u64 failed KV_ROLE(counter) KV_MEANS("of them: with an exit status other than 0")
		KV_WIDTH(8);
	__u64 killed KV_ROLE(counter) KV_MEANS("of them: by a signal") KV_WIDTH(8);
	__u64 cputime KV_ROLE(counter)
		KV_MEANS("time on processors, the scheduler's exact sum of all threads")
			KV_UNIT("s") KV_SHOW(seconds);
	__u64 lifetime KV_ROLE(counter) KV_MEANS("time from their starts to their ends")
		KV_UNIT("s") KV_SHOW(seconds);
	__u64 rss_peak KV_MEANS("the most memory that was resident in one of them") KV_UNIT("bytes")
		KV_WIDTH(11);
	__u64 last KV_ROLE(gauge) KV_MEANS("when the last of them ended, Unix time") KV_UNIT("s")
		KV_SHOW(seconds) KV_NONE(0);
};

KV_VIEW_OF_MAP(totals, exit_totals,
	       "a row per name of processes that ended: how many, how, times, memory", "6.1");

struct total {
	__u64 ended, failed, killed;
	__u64 cputime, lifetime;
	__u64 rss_peak;
	__u64 last; /* ns since boot */
	char comm[KV_COMM];
};

#define MAX_NAMES 4096

/* The first is of all names that have no row. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_NAMES);
	__type(key, __u32);
	__type(value, struct total);
} totals SEC(".maps");

struct name {
	char comm[KV_COMM];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_NAMES);
	__type(key, struct name);
	__type(value, __u32); /* place in @totals */
} places SEC(".maps");

/* A new row, unless another processor was first. */
static __always_inline __u32 add_name(const struct name *name)
{
	__u64 number = kv_take_number() + 1;
	__u32 place = number;
	struct total *total = number < MAX_NAMES ? bpf_map_lookup_elem(&totals, &place) : NULL;
	__u32 *known;

	if (!total)
		return 0;
	__builtin_memcpy(total->comm, name->comm, KV_COMM);
	if (!bpf_map_update_elem(&places, name, &place, BPF_NOEXIST))
		return place;
	known = bpf_map_lookup_elem(&places, name);
	return known ? *known : 0;
}

static __always_inline __u32 place_of(const struct name *name)
{
	__u32 *known = bpf_map_lookup_elem(&places, name);
	struct kv_collected *counts;
	__u32 place;

	if (known)
		return *known;
	counts = kv_counts();
	place = counts && counts->used < MAX_NAMES - 1 ? add_name(name) : 0;
	if (!place)
		kv_dropped();
	return place;
}

static __always_inline bool raise_try(__u64 *to, __u64 value)
{
	__u64 now = *to;

	return now >= value || __sync_val_compare_and_swap(to, now, value) == now;
}

static __always_inline void raise(__u64 *to, __u64 value)
{
	if (!raise_try(to, value) && !raise_try(to, value))
		raise_try(to, value);
}

static __always_inline void count(struct total *total, const struct task_struct *task,
				  const struct kv_ending *ending)
{
	const struct signal_struct___ended *signal = (void *)task->signal;
	const struct task_struct *leader = task->group_leader;
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 status = kv_wait_status(task);

	__sync_fetch_and_add(&total->ended, 1);
	if (status & 0x7f)
		__sync_fetch_and_add(&total->killed, 1);
	else if (status)
		__sync_fetch_and_add(&total->failed, 1);
	__sync_fetch_and_add(&total->cputime, kv_others_runtime(task) + ending->counted);
	__sync_fetch_and_add(&total->lifetime, now - leader->start_boottime);
	raise(&total->rss_peak, signal->maxrss << kv_table()->page_shift);
	raise(&total->last, now);
}

SEC("tp_btf/sched_process_exit")
int totals_end(__u64 *ctx)
{
	const struct task_struct *task = (void *)ctx[0];
	struct kv_ending ending = {.counted = task->se.sum_exec_runtime};
	struct kv_end_row *own;
	struct total *total;
	struct name name;
	bool is_first;
	__u32 place;

	if (!kv_is_last_thread(task))
		return 0;
	kv_process_comm(ending.comm, task);
	__builtin_memcpy(name.comm, ending.comm, KV_COMM);
	place = place_of(&name);
	ending.slot = place;
	total = bpf_map_lookup_elem(&totals, &place);
	if (!total)
		return 0;
	own = kv_end_row(task, &is_first);
	/* What another one has run since the first came here is counted when it is switched away. */
	if (is_first || !own)
		count(total, task, &ending);
	kv_end_begin(task, &ending);
	return 0;
}

/* Until then the time since the thread was switched to is not counted. */
SEC("tp_btf/sched_switch")
int totals_switch(__u64 *ctx)
{
	const struct task_struct *thread = (void *)ctx[1];
	struct kv_ending *ending;
	struct total *total;
	__u64 runtime;
	__u32 place;

	ending = kv_end_now(thread, &runtime);
	if (!ending)
		return 0;
	place = ending->slot;
	total = bpf_map_lookup_elem(&totals, &place);
	if (total)
		__sync_fetch_and_add(&total->cputime, runtime - ending->counted);
	ending->counted = runtime;
	kv_end_done(thread);
	return 0;
}

SEC("iter/bpf_map_elem")
int exit_totals(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct total *total = ctx->value;
	struct exit_totals *r;
	struct kv_call c;
	__u64 boot;

	if (kv_begin_elem(&c, ctx->meta, total))
		return 1;
	if (!total || !total->ended)
		return 0;
	r = kv_record(&c, struct exit_totals);
	boot = kv_boot_time(&c);
	r->ended = total->ended;
	r->failed = total->failed;
	r->killed = total->killed;
	r->cputime = total->cputime;
	r->lifetime = total->lifetime;
	r->rss_peak = total->rss_peak;
	r->last = boot ? boot + total->last : 0;
	if (kv_has(exit_totals, comm) && total->comm[0])
		kv_put_string(&c, &r->comm, total->comm);
	return kv_emit(&c);
}
