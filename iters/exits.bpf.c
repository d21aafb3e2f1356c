// SPDX-License-Identifier: GPL-2.0-only
/* The view `exits`: the processes that ended last, whoever has waited for them. */
#include "kview.h"
#include "clock.h"
#include "ended.h"
#include "group_name.h"

struct exits {
	struct kv_head _head;
	__s32 pid KV_ROLE(key) KV_MEANS("process id, in the first pid namespace") KV_WIDTH(7);
	__s32 ppid KV_MEANS("process id of the parent, 0 for none") KV_WIDTH(7);
	__u32 uid KV_MEANS("real user id") KV_WIDTH(5);
	__u64 start KV_MEANS("when it started, Unix time") KV_UNIT("s") KV_SHOW(seconds) KV_NONE(0);
	__u64 start_boot KV_ROLE(key)
		KV_MEANS("when it started, since boot: with pid, the identity of the process")
			KV_UNIT("s") KV_SHOW(seconds);
	__u64 end KV_MEANS("when its last thread ended, Unix time") KV_UNIT("s") KV_SHOW(seconds)
		KV_NONE(0);
	__u64 cputime KV_MEANS("time on processors, the scheduler's exact sum of all threads")
		KV_UNIT("s") KV_SHOW(seconds);
	__u64 rss_peak KV_MEANS("the most memory that was resident") KV_UNIT("bytes") KV_WIDTH(11);
	__s32 code KV_MEANS("exit status; - for a process that a signal ended") KV_NONE(-1)
		KV_WIDTH(4);
	__s32 signal KV_MEANS("number of the signal that ended it") KV_NONE(0) KV_WIDTH(6);
	__u32 core KV_MEANS("1: it dumped core") KV_WIDTH(4);
	__u32 _pad;
	struct kv_str container KV_MEANS("id of the container that its cgroup is named for")
		KV_WIDTH(9);
	struct kv_str cgroup KV_MEANS("path in the cgroup v2 hierarchy") KV_WIDTH(20);
	struct kv_str args KV_MEANS("arguments, if they were in memory; since Linux 6.16")
		KV_SHOW(list) KV_WIDTH(20);
	struct kv_str comm KV_MEANS("name of the first thread");
};

KV_VIEW_OF_MAP(ended, exits, "a row per process of the last 4096 that ended: status, times, memory",
	       "6.1");

static __always_inline bool kv_has_container(void)
{
	return kv_has(exits, container);
}

/* --- names of control groups, which are read once per group --- */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64); /* kernfs_node.id */
	__type(value, struct kv_group);
} groups SEC(".maps");

static __always_inline const struct kv_group *group_of(struct kv_naming *n,
						       const struct css_set *cset)
{
	struct cgroup *cgroup = cset->dfl_cgrp;
	struct kernfs_node *kn = cgroup->kn;
	__u64 id = kn->id;
	struct kv_group *known = bpf_map_lookup_elem(&groups, &id);

	if (known)
		return known;
	kv_name_group(n, kn);
	bpf_map_update_elem(&groups, &id, &n->group, BPF_ANY);
	return &n->group;
}

/*
 * Processes of one group may have groups of their own in other hierarchies, so what those name is
 * asked for each. A task that ends stays in its groups until cgroup_exit(), which comes later.
 */
static __always_inline void put_names(struct kv_group *to, const struct task_struct *task)
{
	struct css_set *cset = task->cgroups;
	struct kv_naming *n = kv_naming();

	if (!n)
		return;
	bpf_probe_read_kernel(to, sizeof(*to), group_of(n, cset));
	if (to->has_container)
		return;
	kv_find_any_container(&n->container, kv_address(cset));
	to->has_container = n->container.len;
	__builtin_memcpy(to->container, n->container.id, KV_CONTAINER_ID);
}

/* --- arguments --- */

#define ARGS 256
#define MARK (sizeof(KV_ARGS_MARK) - 1)

struct args {
	__u64 len;
	char bytes[ARGS + MARK + 6]; /* one more for the end of the argument that is cut */
};

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_struct___args {
	unsigned long arg_start, arg_end;
};

struct task_struct___args {
	struct mm_struct___args *mm;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/*
 * Of the current process, without waiting for any page. Before 6.16 it has given up its memory when
 * its end is told.
 */
static __always_inline void put_args(struct args *to, const struct task_struct *task)
{
	const struct task_struct___args *t = (void *)task;
	const struct mm_struct___args *mm = t->mm;
	__u64 start, len;

	to->len = 0;
	if (!mm)
		return;
	start = mm->arg_start;
	len = mm->arg_end - start;
	if (len > ARGS) {
		if (bpf_probe_read_user(to->bytes, ARGS, (void *)start))
			return;
		__builtin_memcpy(to->bytes + ARGS, "\0" KV_ARGS_MARK, MARK + 1);
		to->len = ARGS + MARK + 1;
		if (!to->bytes[ARGS - 1]) {
			__builtin_memcpy(to->bytes + ARGS, KV_ARGS_MARK, MARK);
			to->len--;
		}
		return;
	}
	kv_opaque(len);
	if (len && len <= ARGS && !bpf_probe_read_user(to->bytes, len, (void *)start))
		to->len = len;
}

/* --- collectors --- */

#define KEPT 4096

struct row {
	__u64 turn;	  /* 1 for the first process; 0: there is none, or it is being written */
	__u64 start, end; /* ns since boot */
	__u64 cputime;
	__u64 rss_peak;
	__s32 pid, ppid;
	__u32 uid, status;
	char comm[KV_COMM];
	struct kv_group group;
	struct args args;
};

/* A ring: the next process takes the place of the one that ended longest ago. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KEPT);
	__type(key, __u32);
	__type(value, struct row);
} ended SEC(".maps");

static __always_inline void fill(struct row *r, const struct task_struct *task,
				 const struct kv_ending *ending)
{
	const struct signal_struct___ended *signal = (void *)task->signal;
	const struct task_struct *leader = task->group_leader;
	const struct task_struct *parent = leader->real_parent;
	const struct cred *cred = task->real_cred;

	r->start = leader->start_boottime;
	r->end = bpf_ktime_get_boot_ns();
	r->cputime = ending->others + task->se.sum_exec_runtime;
	r->rss_peak = signal->maxrss << kv_table()->page_shift;
	r->pid = task->tgid;
	r->ppid = parent->tgid;
	r->uid = cred->uid.val;
	r->status = kv_wait_status(task);
	__builtin_memcpy(r->comm, ending->comm, KV_COMM);
	put_names(&r->group, task);
	put_args(&r->args, task);
}

static __always_inline void add_row(const struct task_struct *task, struct kv_ending *ending)
{
	struct row *r;
	__u32 slot;

	ending->turn = kv_take_number() + 1;
	ending->slot = slot = (ending->turn - 1) % KEPT;
	r = bpf_map_lookup_elem(&ended, &slot);
	if (!r)
		return;
	kv_process_comm(ending->comm, task);
	__sync_lock_test_and_set(&r->turn, 0);
	fill(r, task, ending);
	__sync_lock_test_and_set(&r->turn, ending->turn);
}

SEC("tp_btf/sched_process_exit")
int exits_end(__u64 *ctx)
{
	const struct task_struct *task = (void *)ctx[0];
	struct kv_ending ending = {};
	struct kv_end_row *own;
	bool is_first;

	if (!kv_is_last_thread(task))
		return 0;
	own = kv_end_row(task, &is_first);
	ending.others = kv_others_runtime(task);
	if (is_first || !own) {
		add_row(task, &ending);
		if (own) {
			own->slot = ending.slot;
			own->turn = ending.turn;
		}
	} else {
		ending.slot = own->slot;
		ending.turn = own->turn;
	}
	kv_end_begin(task, &ending);
	return 0;
}

/* Until then the time since the thread was switched to is not counted. */
SEC("tp_btf/sched_switch")
int exits_switch(__u64 *ctx)
{
	const struct task_struct *thread = (void *)ctx[1];
	struct kv_ending *ending;
	__u64 runtime;
	struct row *r;
	__u32 slot;

	ending = kv_end_now(thread, &runtime);
	if (!ending)
		return 0;
	slot = ending->slot;
	r = bpf_map_lookup_elem(&ended, &slot);
	/* Of several last threads, the last one knows most. */
	if (r && r->turn == ending->turn && r->cputime < ending->others + runtime)
		r->cputime = ending->others + runtime;
	kv_end_done(thread);
	return 0;
}

/* --- the view --- */

SEC("iter/bpf_map_elem")
int exits(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct row *row = ctx->value;
	struct exits *r;
	struct kv_call c;
	__u64 turn, boot, len;

	if (kv_begin_elem(&c, ctx->meta, row))
		return 1;
	if (!row)
		return 0;
	turn = row->turn;
	if (!turn)
		return 0;
	kv_barrier();
	r = kv_record(&c, struct exits);
	boot = kv_boot_time(&c);
	r->pid = row->pid;
	r->ppid = row->ppid;
	r->uid = row->uid;
	r->start_boot = row->start;
	r->start = boot ? boot + row->start : 0;
	r->end = boot ? boot + row->end : 0;
	r->cputime = row->cputime;
	r->rss_peak = row->rss_peak;
	r->signal = row->status & 0x7f;
	r->code = r->signal ? -1 : row->status >> 8 & 0xff;
	r->core = row->status >> 7 & 1;
	kv_put_group(&c, exits, r, &row->group);
	len = row->args.len;
	if (kv_has(exits, args) && len && len <= sizeof(row->args.bytes))
		kv_put_bytes(&c, &r->args, row->args.bytes, len);
	if (kv_has(exits, comm))
		kv_put_string(&c, &r->comm, row->comm);
	kv_barrier();
	/* Another process took its place meanwhile: that one is behind the others now. */
	if (row->turn != turn)
		return KV_RETRY;
	return kv_emit(&c);
}
