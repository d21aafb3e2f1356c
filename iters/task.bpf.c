// SPDX-License-Identifier: GPL-2.0-only
/* The view `task`: what ps -eL shows, a row per thread. */
#include "kview.h"
#include "cgroup.h"
#include "clock.h"
#include "path.h"
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

/*
 * What the row is read from. For each pointer loaded from the task, the verifier searches the
 * types of the whole kernel (btf_nested_type_is_trusted()), once per path to the load. So all
 * are loaded at the beginning, where there is one path.
 */
struct parts {
	struct signal_struct *signal;
	const struct cred *cred;
	struct task_struct *parent;
	struct pid *pid;
	struct mm_struct *mm;
	__u64 exec;
	struct cgroup *cgroup;
	struct kernfs_node *cgroup_kn;
};

static __always_inline void find_parts(struct parts *parts, struct task_struct *task)
{
	parts->signal = task->signal;
	parts->cred = task->real_cred;
	parts->pid = task->thread_pid;
	parts->mm = task->mm;
	parts->exec = task->self_exec_id;
	if (kv_has(task, ppid))
		parts->parent = task->real_parent;
	if (kv_has(task, cgroup)) {
		parts->cgroup = task->cgroups->dfl_cgrp;
		parts->cgroup_kn = parts->cgroup->kn;
	}
}

/* For rss.h and tty.h. */
static __always_inline bool kv_has_rss(void)
{
	return kv_has(task, rss);
}

static __always_inline bool kv_has_tty(void)
{
	return kv_has(task, tty);
}

/* As kv_is_as_seen(). The mm is read as a number, not as a pointer: see struct parts. */
static __always_inline bool has_parts(struct task_struct *task, const struct parts *parts)
{
	return BPF_CORE_READ(task, mm) == parts->mm && task->self_exec_id == parts->exec;
}

struct exe_cache {
	struct kv_kept path;
	__u64 may_ptrace;
};

KV_THREAD_MAP(kv_exes, exe_cache);

/*
 * A file that is replaced as the executable (prctl(PR_SET_MM_EXE_FILE)) is freed without a grace
 * period and may be reused. Then it may have the same address, but not the same inode.
 */
static __always_inline void put_exe(struct kv_call *c, struct kv_str *s, struct kv_kept *kept,
				    struct task_struct *task, const struct parts *parts)
{
	struct mm_struct *mm = parts->mm;
	struct file *file = mm->exe_file;
	const struct vfsmount *mnt;
	struct dentry *dentry;
	struct inode *inode;
	__u64 len = c->scratch->len;
	bool is_known;

	if (!file)
		return;
	mnt = file->f_path.mnt;
	dentry = file->f_path.dentry;
	if (!dentry)
		return; /* the file was freed */
	inode = dentry->d_inode;
	const __u64 key[KV_KEY_MAX] = {
		c->session,
		(__u64)mnt,
		(__u64)dentry,
		(__u64)dentry->d_parent,
		(__u64)inode,
		inode->i_ino, /* of pseudo files, whose dentries have no place, never the same */
		(__u64)dentry->d_hash.pprev,
		dentry->d_seq.seqcount.sequence,
	};
	is_known = kv_put_kept(c, s, kept, key, KV_KEY_MAX);
	if (!is_known)
		kv_put_path_typed(c, s, mnt, dentry);
	kv_barrier();
	if (mm->exe_file != file || file->f_path.mnt != mnt || file->f_path.dentry != dentry ||
	    dentry->d_inode != inode || !has_parts(task, parts)) {
		s->len = 0;
		s->off = KV_STR_UNREADABLE;
		c->scratch->len = len;
		return;
	}
	if (!is_known)
		kv_keep(c, s, kept, key, KV_KEY_MAX);
}

/* As __task_state_index() in include/linux/sched.h. */
static __always_inline char state_letter(struct task_struct *task)
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

/*
 * stime * rtime / (stime + utime), of 32 significant bits each, so that the product has 64: as
 * scale_stime() in kernel/sched/cputime.c did it.
 */
static __always_inline __u64 scale_stime(__u64 stime, __u64 utime, __u64 rtime)
{
	__u64 total = stime + utime;
	__u32 shift = 0;

	for (int i = 0; i < 32 && ((rtime | total) >> 32); i++) {
		stime >>= 1;
		rtime >>= 1;
		total >>= 1;
		shift++;
	}
	return total ? stime * rtime / total << shift : 0;
}

/*
 * The exact run time is split in the ratio of the ticks, but neither part ever decreases:
 * cputime_adjust() in kernel/sched/cputime.c.
 */
static __always_inline void put_parts_of_time(struct task *r, struct task_struct *task)
{
	__u64 utime = task->utime, stime = task->stime, rtime = task->se.sum_exec_runtime;
	__u64 past_utime = task->prev_cputime.utime, past_stime = task->prev_cputime.stime;

	if (past_utime + past_stime >= rtime) {
		r->utime = past_utime;
		r->stime = past_stime;
		return;
	}
	if (!stime)
		r->stime = 0;
	else if (!utime)
		r->stime = rtime;
	else
		r->stime = scale_stime(stime, utime, rtime);
	if (r->stime < past_stime)
		r->stime = past_stime;
	r->utime = rtime - r->stime;
	if (r->utime < past_utime) {
		r->utime = past_utime;
		r->stime = rtime - past_utime;
	}
}

/*
 * /proc/PID/stat shows these times to everybody, in ticks of USER_HZ. Exact times would let a
 * reader measure what another user's process does. cputime is exact, as in /proc/PID/schedstat.
 */
#define TICK 10000000

static __always_inline void cut_times(struct task *r)
{
	r->start -= r->start % TICK;
	r->utime -= r->utime % TICK;
	r->stime -= r->stime % TICK;
}

/* r->start is the time since boot so far. */
static __always_inline void put_start(const struct kv_call *c, struct task *r)
{
	__u64 boot = kv_has(task, start) ? kv_boot_time(c) : 0;

	r->start = boot ? boot + r->start : 0;
}

static __always_inline void put_memory(struct task *r, struct kv_rss *rss,
				       const struct task_struct *task, const struct parts *parts)
{
	const struct kv_rss_key key = {
		.mm = kv_address(parts->mm),
		.exec = parts->exec,
		.tgid = task->tgid,
		.now = bpf_jiffies64(),
	};
	__u32 shift = kv_table()->page_shift;

	kv_set(r, vsize, (__u64)parts->mm->total_vm << shift);
	if (!kv_has(task, rss))
		return;
	r->rss = kv_has_plain_rss() ? kv_plain_rss(parts->mm) : kv_rss_pages(rss, &key);
	if (r->rss != KV_RSS_UNKNOWN)
		r->rss <<= shift;
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
		r->state[0] = state_letter(task);
	kv_set(r, cpu, task->thread_info.cpu);
	kv_set(r, prio, task->prio - 100);
	kv_set(r, nice, task->static_prio - 120);
	kv_set(r, policy, task->policy);
	kv_set(r, cputime, task->se.sum_exec_runtime);
	if (kv_has(task, utime) || kv_has(task, stime)) /* neither without the other */
		put_parts_of_time(r, task);
	kv_set(r, minflt, task->min_flt);
	kv_set(r, majflt, task->maj_flt);
	kv_set(r, nvcsw, task->nvcsw);
	kv_set(r, nivcsw, task->nivcsw);
}

static __always_inline void put_cgroup(struct kv_call *c, struct kv_str *s,
				       struct kv_cgroup_cache *cache, const struct parts *parts)
{
	const struct kv_cgroup group = {
		.kn = parts->cgroup_kn,
		.id = parts->cgroup_kn->id,
		.level = parts->cgroup->level,
		.flags = parts->cgroup->self.flags,
	};

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
	struct exe_cache *exes;
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
	if (!(task->flags & PF_KTHREAD) && parts.mm)
		put_memory(r, rss, task, &parts);
	kv_barrier();
	if (!has_parts(task, &parts) || !kv_settle(&c))
		return KV_RETRY;
	if (kv_has(task, cgroup) && parts.cgroup_kn)
		put_cgroup(&c, &r->cgroup, cgroups, &parts);
	/*
	 * Last, with a check of its own: a path may take longer than an execve(). For a process
	 * that executes programs without end, the row would be made again without end.
	 */
	if (kv_has(task, exe) && !(task->flags & PF_KTHREAD) && parts.mm && exes->may_ptrace)
		put_exe(&c, &r->exe, &exes->path, task, &parts);
	return kv_emit(&c);
}
