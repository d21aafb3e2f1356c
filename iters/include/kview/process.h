/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What several views show of a task: numbers, ids, name. And the beginning of views whose
 * objects the threads of a process share.
 */
#ifndef KVIEW_PROCESS_H
#define KVIEW_PROCESS_H

#include "kview.h"

#define PF_WQ_WORKER 0x00000020

#define PIDTYPE_PGID 2
#define PIDTYPE_SID 3

/* Number in the reader's pid namespace; @pid may be an untrusted pointer. */
static __always_inline int kv_nested_nr(const struct kv_call *c, const struct pid *pid)
{
	return kv_pid_in(pid, c->pid_ns_level, c->pid_ns);
}

/* The same; 0: none, or outside the namespace. */
static __always_inline int kv_pid_nr(const struct kv_call *c, const struct pid *pid)
{
	if (c->pid_ns_level)
		return kv_nested_nr(c, pid);
	return pid ? pid->numbers[0].nr : 0;
}

static __always_inline int kv_tgid(const struct kv_call *c, const struct task_struct *task)
{
	if (c->pid_ns_level)
		return kv_nested_nr(c, BPF_CORE_READ(task, group_leader, thread_pid));
	return task->tgid;
}

static __always_inline int kv_tid(const struct kv_call *c, const struct task_struct *task)
{
	if (c->pid_ns_level)
		return kv_nested_nr(c, BPF_CORE_READ(task, thread_pid));
	return task->pid;
}

/* Ids in the reader's user namespace. */
static __always_inline __u32 kv_uid(const struct kv_call *c, __u32 uid)
{
	return c->scope && c->scope->user_ns_level ? (__u32)kv_show_id(c->scope, uid, false) : uid;
}

static __always_inline __u32 kv_gid(const struct kv_call *c, __u32 gid)
{
	return c->scope && c->scope->user_ns_level ? (__u32)kv_show_id(c->scope, gid, true) : gid;
}

/* ps's letter: __task_state_index() in include/linux/sched.h. */
static __always_inline char kv_state_letter(const struct task_struct *task)
{
	__u32 state = task->__state, exit = task->exit_state;
	__u32 s = (state | exit) & 0x7f;

	if ((state & 0x402) == 0x402) /* TASK_IDLE */
		return 'I';
	if (state & 0x9000) /* TASK_RTLOCK_WAIT, TASK_FROZEN */
		return 'D';
	return s & 0x40	  ? 'P'
	       : s & 0x20 ? 'Z'
	       : s & 0x10 ? 'X'
	       : s & 0x08 ? 't'
	       : s & 0x04 ? 'T'
	       : s & 0x02 ? 'D'
	       : s & 0x01 ? 'S'
			  : 'R';
}

#if defined(__TARGET_ARCH_x86) || defined(__TARGET_ARCH_arm64)
/*
 * task->comm by two loads: a helper that looks for the NUL takes several times as long. It is
 * loaded twice, since prctl() may be half done; from 6.13 on it takes no lock (3a3f61ce5e0b).
 */
static __always_inline void kv_put_task_comm(struct kv_call *c, struct kv_str *s,
					     struct task_struct *task)
{
	const volatile __u64 *comm;
	__u64 first, second, n;
	__u64 *to;

	_Static_assert(sizeof(task->comm) == 16, "TASK_COMM_LEN");
	if (bpf_core_field_size(task->comm) != sizeof(task->comm)) {
		kv_put_chars(c, s, task->comm);
		return;
	}
	comm = (void *)&task->comm;
	first = comm[0];
	second = comm[1];
	kv_barrier();
	to = (void *)kv_room(c, sizeof(task->comm));
	if (first != comm[0] || second != comm[1] || !to) {
		kv_put_chars(c, s, task->comm);
		return;
	}
	to[0] = first;
	to[1] = second;
	n = kv_count_chars(first);
	if (n == 8)
		n += kv_count_chars(second);
	kv_took(c, s, n);
}
#else /* where verifiers may insist on aligned stores */
static __always_inline void kv_put_task_comm(struct kv_call *c, struct kv_str *s,
					     struct task_struct *task)
{
	kv_put_chars(c, s, task->comm);
}
#endif

/*
 * kv_is_still_open() - has a table of open files the same one in that place still?
 *
 * The iterator took the file before the reader's right was checked. In between the task may
 * have dropped privileges, executed a program and closed the file.
 */
static __always_inline bool kv_is_still_open(struct fdtable *fdt, __u32 fd, struct file *file)
{
	struct file *now = NULL;

	if (fd < fdt->max_fds)
		bpf_probe_read_kernel(&now, sizeof(now), fdt->fd + fd);
	return now == file;
}

/* Are the names of kernel threads where they are expected? And of workers? */
static __always_inline bool kv_knows_kthreads(bool is_worker)
{
	if (!kv_knows(task_struct, worker_private) || !kv_knows(kthread, full_name))
		return false;
	return !is_worker || (kv_knows(kthread, data) && kv_knows(worker, pool) &&
			      kv_knows(worker, desc) && kv_knows(worker, current_work) &&
			      kv_knows(worker, rescue_wq) && kv_knows(workqueue_struct, name));
}

/* What a worker does, as wq_worker_comm() adds it to its name. */
static __always_inline void kv_add_work(struct kv_call *c, struct kv_str *s, struct worker *worker)
{
	struct kv_str work;
	long n;

	if (!BPF_CORE_READ(worker, pool))
		return;
	n = kv_read_chars((__u64)&worker->desc, bpf_core_field_size(worker->desc));
	if (!n)
		return;
	if (BPF_CORE_READ(worker, current_work))
		kv_add_literal(c, s, "+");
	else
		kv_add_literal(c, s, "-");
	kv_put_read_chars(c, &work, 0, n);
	kv_join(s, &work);
}

/*
 * A rescuer is named for its queue, whose name may be longer than comm has
 * room for; /proc shows it whole since 6.10 (2a1b02bcba78), and so names it.
 */
static __always_inline void kv_put_rescuer(struct kv_call *c, struct kv_str *s,
					   struct task_struct *task, struct worker *worker)
{
	struct workqueue_struct *wq = BPF_CORE_READ(worker, rescue_wq);
	char prefix[11] = {};

	bpf_core_read(prefix, sizeof(prefix) - 1, &task->comm);
	if (!wq || bpf_strncmp(prefix, sizeof(prefix) - 1, "kworker/R-") != 0)
		return;
	kv_put_literal(c, s, "kworker/R-");
	kv_add_chars(c, s, wq->name);
}

/*
 * A worker that ends first clears its PF_WQ_WORKER and is then freed (worker_thread() and
 * rescuer_thread() in kernel/workqueue.c). So as long as the task has the flag, what was read
 * before is a worker's. Otherwise the plain name stays.
 */
static __always_inline void kv_put_worker(struct kv_call *c, struct kv_str *s,
					  struct task_struct *task, struct kthread *kthread)
{
	struct worker *worker = BPF_CORE_READ(kthread, data);
	const struct kv_str plain = *s;
	__u64 len = c->scratch->len;

	if (!worker)
		return;
	kv_put_rescuer(c, s, task, worker);
	kv_add_work(c, s, worker);
	kv_barrier();
	if (task->flags & PF_WQ_WORKER)
		return;
	*s = plain;
	c->scratch->len = len;
}

/**
 * kv_put_comm() - append the name that /proc/PID/comm shows
 *
 * The name of a kernel thread may exceed 15 bytes, and that of a worker includes its work
 * (proc_task_name() in fs/proc/array.c). The long name is set once and freed with the task. If
 * this kernel keeps it elsewhere, the names of kernel threads are (unreadable).
 */
static __always_inline void kv_put_comm(struct kv_call *c, struct kv_str *s,
					struct task_struct *task)
{
	struct kthread *kthread = NULL;
	const char *name = NULL;
	__u32 flags = task->flags;

	if ((flags & PF_KTHREAD) && !kv_knows_kthreads(flags & PF_WQ_WORKER)) {
		s->off = KV_STR_UNREADABLE;
		return;
	}
	if (flags & PF_KTHREAD) {
		kthread = task->worker_private;
		name = BPF_CORE_READ(kthread, full_name);
	}
	if (name && !(flags & PF_WQ_WORKER))
		kv_put_string(c, s, name);
	else
		kv_put_task_comm(c, s, task);
	if (kthread && (flags & PF_WQ_WORKER))
		kv_put_worker(c, s, task, kthread);
}

/* kv_begin_process() - kv_begin_task() for a view of processes: only a first thread has a row */
static __always_inline int kv_begin_process(struct kv_call *c, struct bpf_iter_meta *meta,
					    const struct task_struct *task, enum kv_guard guard)
{
	int verdict = kv_begin_call(c, meta, task);

	if (verdict == KV_SHOW && task->pid != task->tgid)
		return KV_LEAVE;
	return verdict == KV_SHOW ? kv_begin_row(c, task, guard) : verdict;
}

/**
 * kv_begin_common() - kv_begin_task() for an object that threads of a process share
 * @common: what of the task the object belongs to
 *
 * One of the threads that share the object shows it: see threads.h.
 */
static __always_inline int kv_begin_common(struct kv_call *c, struct bpf_iter_meta *meta,
					   const struct task_struct *task, enum kv_guard guard,
					   enum kv_common common)
{
	int verdict = kv_begin_call(c, meta, task);
	__u64 stands;

	/* The next read is to go on with this thread, which is not judged yet. */
	if (verdict == KV_RETRY && task && c->scope)
		c->progress->judged.nr = kv_walk_nr(c->scope, task);
	if (verdict == KV_SHOW && (task->pid != task->tgid || c->progress->listed)) {
		stands = kv_stands_for(c->scope, c->progress, meta->session_id, kv_address(task),
				       common);
		/* The verifier needs `verdict & 1` in the program, which the compiler would drop. */
		kv_opaque(stands);
		verdict = stands;
	} else if (verdict == KV_SHOW) {
		c->progress->judged.nr = KV_NR_LEADER;
	}
	return verdict == KV_SHOW ? kv_begin_row(c, task, guard) : verdict;
}

#endif
