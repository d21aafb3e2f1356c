// SPDX-License-Identifier: GPL-2.0-only
/* The view `task`: what ps -eL shows, a row per thread. */
#include "kview.h"
#include "cgroup.h"
#include "clock.h"
#include "cputime.h"
#include "exe.h"
#include "process.h"
#include "rss.h"
#include "tty.h"

struct task {
	struct kv_head _head;
	__s32 pid KV_ROLE(key) KV_MEANS("process id (thread group id)") KV_WIDTH(7);
	__s32 tid KV_ROLE(key) KV_MEANS("thread id") KV_WIDTH(7);
	__s32 ppid KV_MEANS("process id of the parent of the process, 0 for none") KV_WIDTH(7);
	__s32 pgid KV_MEANS("process group id of the process") KV_WIDTH(7);
	__s32 sid KV_MEANS("session id of the process") KV_WIDTH(7);
	struct kv_str tty KV_MEANS("controlling terminal of the process") KV_WIDTH(6);
	__u32 uid KV_MEANS("real user id") KV_WIDTH(5);
	__u32 euid KV_MEANS("effective user id") KV_WIDTH(5);
	__u32 gid KV_MEANS("real group id") KV_WIDTH(5);
	char state[4] KV_MEANS("R running, S sleeping, D disk sleep, T stopped, t traced, "
			       "X dead, Z zombie, P parked, I idle") KV_WIDTH(1);
	__u32 cpu KV_MEANS("processor it ran on last") KV_WIDTH(3);
	__s32 prio KV_MEANS("kernel priority, as in /proc/PID/stat") KV_WIDTH(4);
	__s32 nice KV_MEANS("nice value, -20 to 19") KV_WIDTH(4);
	__u32 policy KV_MEANS("scheduling policy: 0 other, 1 fifo, 2 rr, 3 batch, 5 idle, "
			      "6 deadline, 7 ext") KV_WIDTH(6);
	__s32 threads KV_ROLE(gauge) KV_MEANS("threads in the process") KV_WIDTH(7);
	__u64 start KV_MEANS("when the thread started, Unix time; cut to 10 ms for who may not "
			     "ptrace it") KV_UNIT("s") KV_SHOW(seconds) KV_NONE(0);
	__u64 utime KV_ROLE(counter)
		KV_MEANS("time of the thread in user mode, as /proc/PID/task/TID/stat; cut "
			 "likewise") KV_UNIT("s") KV_SHOW(seconds);
	__u64 stime KV_ROLE(counter)
		KV_MEANS("time of the thread in kernel mode, as there; cut likewise") KV_UNIT("s")
			KV_SHOW(seconds);
	__u64 cputime KV_ROLE(counter)
		KV_MEANS("time of the thread on a processor, the scheduler's exact sum")
			KV_UNIT("s") KV_SHOW(seconds);
	__u64 minflt KV_ROLE(counter) KV_MEANS("page faults of the thread without I/O") KV_WIDTH(8);
	__u64 majflt KV_ROLE(counter) KV_MEANS("page faults of the thread with I/O") KV_WIDTH(6);
	__u64 nvcsw KV_ROLE(counter) KV_MEANS("voluntary context switches of the thread")
		KV_WIDTH(8);
	__u64 nivcsw KV_ROLE(counter) KV_MEANS("involuntary context switches of the thread")
		KV_WIDTH(6);
	__u64 vsize KV_ROLE(gauge) KV_MEANS("virtual memory of the process") KV_UNIT("bytes")
		KV_WIDTH(12);
	__u64 rss KV_ROLE(gauge) KV_MEANS("resident memory of the process, to the page")
		KV_UNIT("bytes") KV_NONE(-1) KV_WIDTH(11);
	__u32 pidns KV_MEANS("inode of its pid namespace, for who may ptrace it") KV_NONE(0)
		KV_WIDTH(10);
	struct kv_str cgroup KV_MEANS("path of the thread in the cgroup v2 hierarchy") KV_WIDTH(20);
	struct kv_str exe KV_MEANS("executable file of the process, for who may ptrace it")
		KV_WIDTH(24);
	struct kv_str comm KV_MEANS("name of the thread, as in /proc/PID/task/TID/comm");
};

KV_VIEW(task, "a row per thread: ids, state, times, memory, names", "5.8");

/* What the row is read from; see struct kv_memory. */
struct parts {
	struct signal_struct *signal;
	const struct cred *cred;
	struct task_struct *parent;
	struct pid *pid;
	struct kv_memory memory;
	struct cgroup *cgroup;
	struct kernfs_node *cgroup_kn;
};

static __always_inline void find_parts(struct parts *parts, struct task_struct *task)
{
	parts->signal = task->signal;
	parts->cred = task->real_cred;
	parts->pid = task->thread_pid;
	parts->memory.mm = task->mm;
	parts->memory.exec = task->self_exec_id;
	if (kv_has(task, ppid))
		parts->parent = task->real_parent;
	if (kv_has(task, cgroup)) {
		parts->cgroup = task->cgroups->dfl_cgrp;
		parts->cgroup_kn = parts->cgroup->kn;
	}
}

/* For rss.h, tty.h and container.h. */
static __always_inline bool kv_has_rss(void)
{
	return kv_has(task, rss);
}

static __always_inline bool kv_has_tty(void)
{
	return kv_has(task, tty);
}

static __always_inline bool kv_has_container(void)
{
	return false;
}

static __always_inline void put_times(struct task *r, const struct task_struct *task)
{
	struct kv_cputime t = {
		.utime = task->utime,
		.stime = task->stime,
		.runtime = task->se.sum_exec_runtime,
	};

	kv_adjust_cputime(&t, task->prev_cputime.utime, task->prev_cputime.stime);
	r->utime = t.utime;
	r->stime = t.stime;
}

static __always_inline void cut_times(struct task *r)
{
	r->start = kv_cut_time(r->start);
	r->utime = kv_cut_time(r->utime);
	r->stime = kv_cut_time(r->stime);
}

/* r->start is the time since boot so far. */
static __always_inline void put_start(const struct kv_call *c, struct task *r)
{
	__u64 boot = kv_has(task, start) ? kv_boot_time(c) : 0;

	r->start = boot ? boot + r->start : 0;
}

#define KV_NO_RSS (~0ULL)

static __always_inline void put_memory(struct task *r, struct kv_rss *rss,
				       const struct task_struct *task, const struct parts *parts)
{
	const struct kv_rss_key key = {
		.mm = kv_address(parts->memory.mm),
		.exec = parts->memory.exec,
		.tgid = task->tgid,
		.now = bpf_jiffies64(),
	};
	__u32 shift = kv_table()->page_shift;

	kv_set(r, vsize, (__u64)parts->memory.mm->total_vm << shift);
	if (kv_has(task, rss))
		r->rss = kv_rss_find(rss, &key) ? kv_rss_pages(rss) << shift : KV_NO_RSS;
}

static __always_inline void put_ids(const struct kv_call *c, struct task *r,
				    struct task_struct *task, const struct parts *parts)
{
	struct signal_struct *signal = parts->signal;
	const struct cred *cred = parts->cred;

	r->pid = kv_tgid(c, task);
	r->tid = kv_tid(c, task);
	kv_set(r, ppid, parts->pid ? kv_tgid(c, parts->parent) : 0);
	kv_set(r, pgid, kv_pid_nr(c, signal->pids[PIDTYPE_PGID]));
	kv_set(r, sid, kv_pid_nr(c, signal->pids[PIDTYPE_SID]));
	kv_set(r, threads, signal->nr_threads);
	r->uid = kv_uid(c, cred->uid.val);
	r->euid = kv_uid(c, cred->euid.val);
	r->gid = kv_gid(c, cred->gid.val);
}

/* Columns that are read from the task itself. */
static __always_inline void put_plain(struct task *r, struct task_struct *task)
{
	if (kv_has(task, state))
		r->state[0] = kv_state_letter(task);
	kv_set(r, cpu, task->thread_info.cpu);
	kv_set(r, prio, task->prio - 100);
	kv_set(r, nice, task->static_prio - 120);
	kv_set(r, policy, task->policy);
	kv_set(r, cputime, task->se.sum_exec_runtime);
	if (kv_has(task, utime) || kv_has(task, stime)) /* neither without the other */
		put_times(r, task);
	kv_set(r, minflt, task->min_flt);
	kv_set(r, majflt, task->maj_flt);
	kv_set(r, nvcsw, task->nvcsw);
	kv_set(r, nivcsw, task->nivcsw);
}

static __always_inline void put_cgroup(struct kv_call *c, struct kv_str *s,
				       struct kv_cgroup_cache *cache, const struct parts *parts)
{
	const struct kv_cgroup group = kv_cgroup_of(parts->cgroup, parts->cgroup_kn);

	kv_put_cgroup(c, s, cache, &group);
}

/* Inode number of the initial pid namespace: include/uapi/linux/nsfs.h. */
#define PROC_PID_INIT_INO 0xEFFFFFFC

static __always_inline __u32 pid_ns(struct pid *pid)
{
	struct upid upid = {};

	if (!pid)
		return 0;
	if (!pid->level)
		return PROC_PID_INIT_INO;
	kv_pid_at(pid, pid->level, &upid);
	return BPF_CORE_READ(upid.ns, ns.inum);
}

SEC("iter/task")
int task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct parts parts = {};
	struct kv_exe_cache *exes;
	struct kv_cgroup_cache *cgroups;
	struct kv_rss *rss;
	struct kv_call c;
	struct task *r;
	int verdict;

	if (task)
		find_parts(&parts, task);
	verdict = kv_begin_task(&c, ctx->meta, task, KV_PUBLIC);
	if (verdict != KV_SHOW || !task)
		return verdict & 1;
	exes = kv_of_thread(kv_exes, bpf_get_current_task_btf());
	cgroups = kv_of_thread(kv_cgroups, bpf_get_current_task_btf());
	rss = kv_of_thread(kv_rss_of, bpf_get_current_task_btf());
	if (!exes || !cgroups || !rss)
		return KV_RETRY;
	r = kv_record(&c, struct task);
	put_ids(&c, r, task, &parts);
	if (!r->tid || !r->pid)
		return 0; /* it was just reaped, and has no numbers */
	put_plain(r, task);
	r->start = task->start_boottime;
	exes->may_ptrace = kv_may(&c, task, KV_PTRACE);
	if (!exes->may_ptrace)
		cut_times(r);
	else if (kv_has(task, pidns))
		r->pidns = pid_ns(parts.pid);
	put_start(&c, r);
	if (kv_has(task, tty) && !kv_put_tty(&c, &r->tty, parts.signal))
		return KV_RETRY;
	if (kv_has(task, comm))
		kv_put_comm(&c, &r->comm, task);
	if (!(task->flags & PF_KTHREAD) && parts.memory.mm)
		put_memory(r, rss, task, &parts);
	kv_barrier();
	if (!kv_has_memory(task, &parts.memory) || !kv_settle(&c))
		return KV_RETRY;
	if (kv_has(task, cgroup) && parts.cgroup_kn)
		put_cgroup(&c, &r->cgroup, cgroups, &parts);
	/*
	 * Last, with a check of its own: a path may take longer than an execve(). For a process
	 * that executes programs without end, the row would be made again without end.
	 */
	if (kv_has(task, exe) && !(task->flags & PF_KTHREAD) && parts.memory.mm && exes->may_ptrace)
		kv_put_exe(&c, &r->exe, &exes->path, task, &parts.memory);
	return kv_emit(&c);
}
