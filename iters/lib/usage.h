/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the threads of a process have used together, with those that have ended:
 * thread_group_cputime() in kernel/sched/cputime.c, do_task_stat() in fs/proc/array.c and
 * do_io_accounting() in fs/proc/base.c.
 *
 * Included behind the record of a view that has the columns, with KV_USAGE_VIEW defined as the name
 * of its struct.
 */
#ifndef KVIEW_USAGE_H
#define KVIEW_USAGE_H

#include "cputime.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	seqcount_spinlock_t seqcount;
} kv_seqlock_t;

struct task_io_accounting {
	__u64 rchar;
	__u64 wchar;
	__u64 read_bytes;
	__u64 write_bytes;
};

/* Of the threads that have ended. */
struct signal_struct___usage {
	struct list_head thread_head;
	kv_seqlock_t stats_lock;
	__u64 utime;
	__u64 stime;
	struct prev_cputime prev_cputime;
	unsigned long nvcsw;
	unsigned long nivcsw;
	unsigned long min_flt;
	unsigned long maj_flt;
	struct task_io_accounting ioac;
	unsigned long long sum_sched_runtime;
};

struct task_struct___usage {
	struct list_head thread_node;
	struct sched_entity se;
	__u64 utime;
	__u64 stime;
	unsigned long nvcsw;
	unsigned long nivcsw;
	unsigned long min_flt;
	unsigned long maj_flt;
	struct task_io_accounting ioac;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

struct kv_usage {
	struct kv_cputime time;
	__u64 minflt, majflt;
	__u64 nvcsw, nivcsw;
	__u64 rchar, wchar, read_bytes, write_bytes;
	__u64 is_steady; /* no thread ended meanwhile */
	__u64 signal;
	__u64 head, at; /* of the list of threads */
	__u64 steps;
};

KV_THREAD_MAP(kv_usages, kv_usage);

/* Neither without the other. */
static __always_inline bool kv_has_usage_time(void)
{
	return kv_has(KV_USAGE_VIEW, utime) || kv_has(KV_USAGE_VIEW, stime);
}

static __always_inline bool kv_has_runtime(void)
{
	return kv_has_usage_time() || kv_has(KV_USAGE_VIEW, cputime);
}

static __always_inline bool kv_has_io(void)
{
	return kv_has(KV_USAGE_VIEW, rchar) || kv_has(KV_USAGE_VIEW, wchar) ||
	       kv_has(KV_USAGE_VIEW, read_bytes) || kv_has(KV_USAGE_VIEW, write_bytes);
}

static __always_inline bool kv_has_usage(void)
{
	return kv_has_runtime() || kv_has_io() || kv_has(KV_USAGE_VIEW, minflt) ||
	       kv_has(KV_USAGE_VIEW, majflt) || kv_has(KV_USAGE_VIEW, nvcsw) ||
	       kv_has(KV_USAGE_VIEW, nivcsw);
}

/* How a member is read: directly, where the verifier knows the type, or as of any address. */
#define KV_DIRECT(from, member) ((from)->member)

#define kv_add_usage(u, column, value)             \
	do {                                       \
		if (kv_has(KV_USAGE_VIEW, column)) \
			(u)->column += (value);    \
	} while (0)

/* What a task and a signal_struct have under the same names. */
#define kv_add_usages(u, from, read)                                        \
	do {                                                                \
		kv_add_usage(u, minflt, read(from, min_flt));               \
		kv_add_usage(u, majflt, read(from, maj_flt));               \
		kv_add_usage(u, nvcsw, read(from, nvcsw));                  \
		kv_add_usage(u, nivcsw, read(from, nivcsw));                \
		kv_add_usage(u, rchar, read(from, ioac.rchar));             \
		kv_add_usage(u, wchar, read(from, ioac.wchar));             \
		kv_add_usage(u, read_bytes, read(from, ioac.read_bytes));   \
		kv_add_usage(u, write_bytes, read(from, ioac.write_bytes)); \
		if (kv_has_usage_time()) {                                  \
			(u)->time.utime += read(from, utime);               \
			(u)->time.stime += read(from, stime);               \
		}                                                           \
	} while (0)

/* Of the threads that have ended. */
#define kv_add_ended(u, signal, read)                                         \
	do {                                                                  \
		kv_add_usages(u, signal, read);                               \
		if (kv_has_runtime())                                         \
			(u)->time.runtime += read(signal, sum_sched_runtime); \
	} while (0)

#define kv_add_thread(u, task, read)                                          \
	do {                                                                  \
		kv_add_usages(u, task, read);                                 \
		if (kv_has_runtime())                                         \
			(u)->time.runtime += read(task, se.sum_exec_runtime); \
	} while (0)

#define kv_usage_seq(signal, read) read(signal, stats_lock.seqcount.seqcount.sequence)

static __always_inline void kv_usage_begin(struct kv_usage *u)
{
	kv_barrier();
	u->time = (struct kv_cputime){};
	u->minflt = u->majflt = u->nvcsw = u->nivcsw = 0;
	u->rchar = u->wchar = u->read_bytes = u->write_bytes = 0;
}

static long kv_usage_step(__u64 i, struct kv_usage **usage)
{
	struct kv_usage *u = *usage;
	const struct task_struct___usage *task;

	if (u->at == u->head || !u->at)
		return 1;
	task = (void *)u->at - bpf_core_field_offset(struct task_struct, thread_node);
	kv_add_thread(u, task, BPF_CORE_READ);
	u->at = (__u64)BPF_CORE_READ(task, thread_node.next);
	u->steps++;
	return 0;
}

#define KV_THREADS_MAX (4 << 20) /* PID_MAX_LIMIT */
#define KV_USAGE_TRIES 64
#define KV_USAGE_STEPS 65536 /* of all tries; more of them would take longer than a read may */
#define KV_USAGE_LONG 1000

/*
 * A thread that ends adds its counts to those of the process and leaves the list, under stats_lock:
 * __exit_signal() in kernel/exit.c.
 */
static long kv_usage_try(__u64 i, struct kv_usage **usage)
{
	struct kv_usage *u = *usage;
	const struct signal_struct___usage *signal = (void *)u->signal;
	__u32 seq = kv_usage_seq(signal, BPF_CORE_READ);

	kv_usage_begin(u);
	kv_add_ended(u, signal, BPF_CORE_READ);
	u->head = u->signal + bpf_core_field_offset(struct signal_struct___usage, thread_head);
	u->at = (__u64)BPF_CORE_READ(signal, thread_head.next);
	bpf_loop(KV_THREADS_MAX, kv_usage_step, &u, 0);
	kv_barrier();
	u->is_steady = !(seq & 1) && seq == (__u32)kv_usage_seq(signal, BPF_CORE_READ);
	return u->is_steady || u->steps > KV_USAGE_STEPS;
}

/* Sums up what the threads of a process have used. Not static, so that it is verified once. */
__noinline int kv_usage_of_threads(struct kv_usage *u, __u64 signal)
{
	if (!u || !kv_has_usage())
		return 0;
	u->signal = signal;
	bpf_loop(KV_USAGE_TRIES, kv_usage_try, &u, 0);
	return 0;
}

/*
 * The same for a process with one thread, as most are: in a tenth of the time. If it is not on the
 * list, its counts are those of an ended one by now.
 */
static __always_inline void kv_usage_of_one(struct kv_usage *u,
					    const struct task_struct___usage *task,
					    const struct signal_struct___usage *signal)
{
	__u32 seq = kv_usage_seq(signal, KV_DIRECT);

	kv_usage_begin(u);
	kv_add_ended(u, signal, KV_DIRECT);
	kv_add_thread(u, task, KV_DIRECT);
	u->at = (__u64)signal->thread_head.next;
	kv_barrier();
	u->is_steady = !(seq & 1) && seq == kv_usage_seq(signal, KV_DIRECT) &&
		       u->at == kv_address(&task->thread_node);
}

/**
 * kv_sum_usage() - sum up what a process has used
 * @u: of this thread; receives it. If u->is_steady is false, threads end all the time, and the
 *     sums may lack one, or count it twice
 * @task: its first thread
 * @signal: of @task, loaded through pointers from the program's context, so that the verifier
 *	    knows its type
 */
static __always_inline void kv_sum_usage(struct kv_usage *u, const struct task_struct *task,
					 const struct signal_struct *signal)
{
	const struct signal_struct___usage *more = (void *)signal;

	if (!kv_has_usage())
		return;
	u->is_steady = false;
	u->steps = 0;
	if (signal->nr_threads == 1)
		kv_usage_of_one(u, (void *)task, more);
	if (!u->is_steady)
		kv_usage_of_threads(u, kv_address(signal));
	if (kv_has_usage_time())
		kv_adjust_cputime(&u->time, more->prev_cputime.utime, more->prev_cputime.stime);
}

#endif
