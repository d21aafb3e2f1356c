/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which thread of a process shows the files or the memory that its threads share: the leader,
 * or if the leader does not have them, the thread with the lowest number that does. So each is
 * shown once, in whatever order threads are walked.
 *
 * The kernel's file and vma iterators leave out threads that share their leader's files. They
 * compare with the leader alone. So if the leader has exited, every thread would repeat all
 * rows, and each thread with open files of its own would repeat the mappings.
 */
#ifndef KVIEW_THREADS_H
#define KVIEW_THREADS_H

#include "reader.h"

enum kv_stands {
	KV_STANDS_NOT, /* another thread shows it */
	KV_STANDS,
	KV_STANDS_MAYBE, /* too many threads would have to be looked at */
};

/* kv_common_of() - address of the files or of the memory of a thread; 0: it has none */
static __always_inline __u64 kv_common_of(const struct task_struct *task, enum kv_common common)
{
	if (common == KV_COMMON_MM)
		return (__u64)BPF_CORE_READ(task, mm);
	return (__u64)BPF_CORE_READ(task, files);
}

/* kv_walk_nr() - the number of a thread in kview's own pid namespace, which orders walks */
static __always_inline int kv_walk_nr(const struct kv_scope *scope, const struct task_struct *task)
{
	return kv_pid_in(BPF_CORE_READ(task, thread_pid), scope->host_level, scope->host_ns);
}

/* Looks through the threads of a process for one of a lower number that has the same. */
struct kv_search {
	__u64 node, end; /* addresses of members of the list; of the one searched for */
	__u64 head;	 /* and of its head, which is no thread */
	__u64 own, tid, common;
	__u64 steps, found, is_done;
};

static long kv_search_step(__u64 i, struct kv_search *s)
{
	const struct list_head *node = (void *)s->node;
	const struct task_struct *thread;

	s->steps++;
	s->node = (__u64)BPF_CORE_READ(node, prev);
	if (!s->node)
		return 1; /* that thread has just left the list */
	s->is_done = s->node == s->end;
	if (s->is_done || s->node == s->head)
		return s->is_done;
	thread = (void *)(s->node - bpf_core_field_offset(struct task_struct, thread_node));
	if (kv_common_of(thread, s->common) != s->own ||
	    (__u32)BPF_CORE_READ(thread, pid) >= s->tid)
		return 0;
	s->found = s->is_done = 1;
	return 1;
}

/* Does one of at most @max other threads have a lower number, and the same? */
static __always_inline enum kv_stands kv_stands_among(struct kv_progress *p,
						      const struct task_struct *task,
						      enum kv_common common, __u32 max)
{
	const struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct kv_search s = {
		.node = kv_address(task) + bpf_core_field_offset(struct task_struct, thread_node),
		.head = kv_address(signal) +
			bpf_core_field_offset(struct signal_struct, thread_head),
		.own = kv_common_of(task, common),
		.tid = (__u32)BPF_CORE_READ(task, pid),
		.common = common,
	};

	s.end = s.node;
	bpf_loop(max, kv_search_step, &s, 0);
	p->repeats += s.steps;
	if (!s.is_done)
		return KV_STANDS_MAYBE;
	return s.found ? KV_STANDS_NOT : KV_STANDS;
}

/* There were too many calls in vain: stop the walk at this thread. */
static __always_inline int kv_stop_at(struct kv_scope *scope, struct kv_progress *p,
				      const struct task_struct *task, __u32 common)
{
	int nr = kv_walk_nr(scope, task);

	if (!nr)
		return KV_LEAVE; /* it was just reaped: the walk is stopped at the next one */
	scope->saw |= KV_SAW_REPEATS;
	p->common = common;
	p->stopped_at = nr;
	return KV_RETRY;
}

/* Threads to look at if no one would list them. Beyond that rows may be shown twice. */
#define KV_MAX_LOOKS 4096

static __always_inline __u32 kv_looks_left(const struct kv_progress *p)
{
	if (!p->max_repeats)
		return KV_MAX_LOOKS;
	return p->repeats < p->max_repeats ? p->max_repeats - p->repeats : 0;
}

/* Does the thread show what it shares, as the other threads are now? */
static __always_inline enum kv_stands kv_stands(struct kv_progress *p,
						const struct task_struct *task,
						enum kv_common common)
{
	const struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	const struct files_struct *files;
	__u64 own, leaders;

	if (task == leader)
		return KV_STANDS;
	own = kv_common_of(task, common);
	leaders = kv_common_of(leader, common);
	if (!own || own == leaders)
		return KV_STANDS_NOT;
	files = (void *)own;
	if (common == KV_COMMON_FILES && BPF_CORE_READ(files, count.counter) == 1)
		return KV_STANDS;
	return kv_stands_among(p, task, common, kv_looks_left(p));
}

/*
 * Does a thread show what it shares? That is decided once per thread and walk, so that a table
 * begun by one thread is not continued by another. @scope: NULL for a reader of the pin.
 */
__noinline int kv_stands_for(struct kv_scope *scope, struct kv_progress *p, __u64 session,
			     __u64 address, __u32 common)
{
	const struct task_struct *task = (void *)address;
	__u64 start = BPF_CORE_READ(task, start_boottime);
	enum kv_stands stands;

	if (!p)
		return KV_LEAVE;
	/* This thread was chosen from the list, unless it is a later one with the same number. */
	if (p->listed)
		return start > p->listed ? KV_LEAVE : KV_SHOW;
	if (p->judged.session != session || p->judged.task != address || p->judged.start != start) {
		stands = kv_stands(p, task, common);
		if (stands == KV_STANDS_MAYBE && scope && p->max_repeats)
			return kv_stop_at(scope, p, task, common);
		p->judged.session = session;
		p->judged.task = address;
		p->judged.start = start;
		p->judged.shows = stands != KV_STANDS_NOT;
		p->judged.nr = scope ? kv_walk_nr(scope, task) : 0;
	}
	if (p->judged.shows)
		return KV_SHOW;
	p->repeats++;
	return kv_looks_left(p) || !scope ? KV_LEAVE : kv_stop_at(scope, p, task, common);
}

#endif
