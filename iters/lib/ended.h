/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that end, as collectors see them: at sched_process_exit of the last thread it still
 * has its names, and when that thread is switched away for the last time its CPU time is known.
 * Several threads may be the last at once.
 */
#ifndef KVIEW_ENDED_H
#define KVIEW_ENDED_H

#include "last_thread.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kv_seqlock___ended {
	seqcount_spinlock_t seqcount;
};

struct signal_struct___ended {
	struct kv_seqlock___ended stats_lock;
	unsigned int flags;
	int group_exit_code;
	unsigned long maxrss;
	unsigned long long sum_sched_runtime;
};

struct task_struct___ended {
	int exit_code;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */

/* A process between the end of its last thread and that thread's last moment on a processor. */
struct kv_ending {
	__u64 others;  /* ns on processors, of the threads that had ended before */
	__u64 counted; /* of this thread, that a row has already */
	__u64 slot;    /* of its row */
	__u64 turn;
	char comm[KV_COMM];
};

#define KV_ENDING_MAX 16384

/* LRU: the kernel may leave out a call, and then nobody forgets the process. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KV_ENDING_MAX);
	__type(key, __u32); /* of the last thread */
	__type(value, struct kv_ending);
} kv_endings SEC(".maps");

/* kv_wait_status() - of the process, as wait4(2) gives it */
static __always_inline __u32 kv_wait_status(const struct task_struct *task)
{
	const struct signal_struct___ended *signal = (void *)task->signal;
	const struct task_struct___ended *leader = (void *)task->group_leader;

	return signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : leader->exit_code;
}

/*
 * The threads of the list, which have all ended but one. A thread is removed from the list and added
 * to the sum of its process under stats_lock: __exit_signal() in kernel/exit.c. That must not have
 * happened meanwhile.
 */
struct kv_others {
	const struct list_head *node;
	const struct task_struct *own;
	const struct signal_struct___ended *signal;
	__u64 head;
	__u64 runtime; /* of all of them, and of those that were removed */
};

#define KV_OTHERS_MAX 65536

static long kv_others_step(__u64 i, struct kv_others *o)
{
	const struct task_struct *thread;
	const struct list_head *node = o->node;

	if (!node || (__u64)node == o->head)
		return 1;
	thread = (void *)node - bpf_core_field_offset(struct task_struct, thread_node);
	if (thread != o->own)
		o->runtime += BPF_CORE_READ(thread, se.sum_exec_runtime);
	o->node = BPF_CORE_READ(node, next);
	return 0;
}

static long kv_others_try(__u64 i, struct kv_others *o)
{
	const struct signal_struct___ended *signal = o->signal;
	const struct list_head *head = (void *)o->head;
	__u32 seq = BPF_CORE_READ(signal, stats_lock.seqcount.seqcount.sequence);

	kv_barrier();
	o->node = BPF_CORE_READ(head, next);
	o->runtime = BPF_CORE_READ(signal, sum_sched_runtime);
	bpf_loop(KV_OTHERS_MAX, kv_others_step, o, 0);
	kv_barrier();
	return !(seq & 1) && seq == BPF_CORE_READ(signal, stats_lock.seqcount.seqcount.sequence);
}

#define KV_END_TRIES 64

/* kv_others_runtime() - of all threads but the last one, ns */
static __always_inline __u64 kv_others_runtime(const struct task_struct *task)
{
	const struct signal_struct *signal = task->signal;
	struct kv_others o = {
		.own = task,
		.signal = (void *)signal,
		.head = kv_address(signal) +
			bpf_core_field_offset(struct signal_struct, thread_head),
	};

	bpf_loop(KV_END_TRIES, kv_others_try, &o, 0);
	return o.runtime;
}

/* Processes that have a row, by the first of their last threads. */
struct kv_end_key {
	__u64 start; /* of the process, ns since boot */
	__u64 pid;
};

struct kv_end_row {
	__u64 slot;
	__u64 turn; /* 0: it is not known yet */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KV_ENDING_MAX);
	__type(key, struct kv_end_key);
	__type(value, struct kv_end_row);
} kv_end_rows SEC(".maps");

/**
 * kv_end_row() - the row of the process of which @task is a last thread
 * @is_first: out: no other thread has come here, so this one fills the row, and tells @slot and
 *	      @turn of what is returned
 *
 * Return: NULL: there was no room to note it.
 */
static __always_inline struct kv_end_row *kv_end_row(const struct task_struct *task, bool *is_first)
{
	const struct task_struct *leader = task->group_leader;
	struct kv_end_key key = {leader->start_boottime, task->tgid};
	struct kv_end_row unknown = {};

	*is_first = !bpf_map_update_elem(&kv_end_rows, &key, &unknown, BPF_NOEXIST);
	return bpf_map_lookup_elem(&kv_end_rows, &key);
}

/* kv_end_begin() - note the process of which @task is a last thread */
static __always_inline void kv_end_begin(const struct task_struct *task,
					 const struct kv_ending *ending)
{
	__u32 tid = task->pid;

	if (bpf_map_update_elem(&kv_endings, &tid, ending, BPF_ANY))
		kv_dropped();
}

/**
 * kv_end_now() - is this a process that was noted, whose last thread is switched away?
 * @runtime: on success that thread's time on processors, ns. It may be switched away more than
 *	     once; the last time says all.
 */
static __always_inline struct kv_ending *kv_end_now(const struct task_struct *thread,
						    __u64 *runtime)
{
	__u32 tid;

	if (!thread->exit_state)
		return NULL;
	tid = thread->pid;
	*runtime = thread->se.sum_exec_runtime;
	return bpf_map_lookup_elem(&kv_endings, &tid);
}

/* kv_end_done() - forget it, if it is never switched to again */
static __always_inline void kv_end_done(const struct task_struct *thread)
{
	__u32 tid = thread->pid;

	if (thread->__state & TASK_DEAD)
		bpf_map_delete_elem(&kv_endings, &tid);
}

#endif
