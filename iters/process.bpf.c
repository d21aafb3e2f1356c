// SPDX-License-Identifier: GPL-2.0-only
/* The view `process`: what ps -e shows, and much of what else /proc/PID has, a row per process. */
#include "kview.h"
#include "cgroup.h"
#include "clock.h"
#include "exe.h"
#include "process.h"
#include "rss.h"
#include "tty.h"

struct process {
	struct kv_head _head;
	__s32 pid KV_ROLE(key) KV_MEANS("process id") KV_WIDTH(7);
	__s32 ppid KV_MEANS("process id of the parent, 0 for none") KV_WIDTH(7);
	__s32 pgid KV_MEANS("process group id") KV_WIDTH(7);
	__s32 sid KV_MEANS("session id") KV_WIDTH(7);
	struct kv_str tty KV_MEANS("controlling terminal") KV_WIDTH(6);
	__u32 uid KV_MEANS("real user id") KV_WIDTH(5);
	__u32 euid KV_MEANS("effective user id") KV_WIDTH(5);
	__u32 suid KV_MEANS("saved user id") KV_WIDTH(5);
	__u32 gid KV_MEANS("real group id") KV_WIDTH(5);
	__u32 egid KV_MEANS("effective group id") KV_WIDTH(5);
	char state[4] KV_MEANS(
		"of the first thread: R running, S sleeping, D disk sleep, T stopped, "
		"t traced, X dead, Z ended, P parked, I idle") KV_WIDTH(1);
	__s32 threads KV_ROLE(gauge) KV_MEANS("threads") KV_WIDTH(7);
	__s32 nice KV_MEANS("nice value of the first thread, -20 to 19") KV_WIDTH(4);
	__u32 policy KV_MEANS("scheduling policy of the first thread, as in task") KV_WIDTH(6);
	__s32 oom_score_adj KV_MEANS(
		"adjustment of the score by which memory runs out, -1000 to 1000") KV_WIDTH(5);
	__u64 start KV_MEANS("when the process started, Unix time; cut to 10 ms for who may not "
			     "ptrace it") KV_UNIT("s") KV_SHOW(seconds) KV_NONE(0);
	__u64 start_boot KV_MEANS(
		"when it started, since boot: with pid, the identity of the process; cut "
		"likewise") KV_UNIT("s") KV_SHOW(seconds);
	__u64 utime KV_ROLE(counter)
		KV_MEANS("time in user mode, ended threads included; cut likewise") KV_UNIT("s")
			KV_SHOW(seconds) KV_NONE(-1);
	__u64 stime KV_ROLE(counter)
		KV_MEANS("time in kernel mode, ended threads included; cut likewise") KV_UNIT("s")
			KV_SHOW(seconds) KV_NONE(-1);
	__u64 cputime KV_ROLE(counter)
		KV_MEANS("time on processors, the scheduler's exact sum, ended threads included")
			KV_UNIT("s") KV_SHOW(seconds) KV_NONE(-1);
	__u64 minflt KV_ROLE(counter) KV_MEANS("page faults without I/O, ended threads included")
		KV_NONE(-1) KV_WIDTH(8);
	__u64 majflt KV_ROLE(counter) KV_MEANS("page faults with I/O, ended threads included")
		KV_NONE(-1) KV_WIDTH(6);
	__u64 nvcsw KV_ROLE(counter) KV_MEANS("voluntary context switches, ended threads included")
		KV_NONE(-1) KV_WIDTH(8);
	__u64 nivcsw KV_ROLE(counter)
		KV_MEANS("involuntary context switches, ended threads included") KV_NONE(-1)
			KV_WIDTH(6);
	__u64 vsize KV_ROLE(gauge) KV_MEANS("virtual memory") KV_UNIT("bytes") KV_WIDTH(12);
	__u64 rss KV_ROLE(gauge) KV_MEANS("resident memory, to the page") KV_UNIT("bytes")
		KV_NONE(-1) KV_WIDTH(11);
	__u64 rss_anon KV_ROLE(gauge) KV_MEANS("of it: anonymous") KV_UNIT("bytes") KV_NONE(-1)
		KV_WIDTH(11);
	__u64 rss_file KV_ROLE(gauge) KV_MEANS("of it: of files") KV_UNIT("bytes") KV_NONE(-1)
		KV_WIDTH(11);
	__u64 rss_shmem KV_ROLE(gauge) KV_MEANS("of it: shared memory") KV_UNIT("bytes") KV_NONE(-1)
		KV_WIDTH(11);
	__u64 rss_peak KV_MEANS("the most that was resident") KV_UNIT("bytes") KV_NONE(-1)
		KV_WIDTH(11);
	__u64 swap KV_ROLE(gauge) KV_MEANS("anonymous memory that was swapped out") KV_UNIT("bytes")
		KV_NONE(-1) KV_WIDTH(11);
	__u64 pagetables KV_ROLE(gauge) KV_MEANS("page tables") KV_UNIT("bytes") KV_WIDTH(10);
	__u64 hugetlb KV_ROLE(gauge) KV_MEANS("pages of hugetlbfs, not counted in rss")
		KV_UNIT("bytes") KV_WIDTH(10);
	__u64 fds KV_ROLE(gauge) KV_MEANS("open file descriptors") KV_NONE(-1) KV_WIDTH(6);
	__u64 fd_limit KV_MEANS("soft limit of file descriptors (RLIMIT_NOFILE)") KV_NONE(-1)
		KV_WIDTH(8);
	__u64 rchar KV_ROLE(counter) KV_MEANS("read by system calls, for who may read /proc/PID/io")
		KV_UNIT("bytes") KV_NONE(-1) KV_WIDTH(11);
	__u64 wchar KV_ROLE(counter) KV_MEANS("written by system calls, likewise") KV_UNIT("bytes")
		KV_NONE(-1) KV_WIDTH(11);
	__u64 read_bytes KV_ROLE(counter) KV_MEANS("read from storage, likewise") KV_UNIT("bytes")
		KV_NONE(-1) KV_WIDTH(11);
	__u64 write_bytes KV_ROLE(counter) KV_MEANS("written to storage, likewise") KV_UNIT("bytes")
		KV_NONE(-1) KV_WIDTH(11);
	__u32 loginuid KV_MEANS("user id of the login that it stems from") KV_NONE(-1) KV_WIDTH(8);
	__s32 seccomp KV_MEANS("seccomp: 0 off, 1 strict, 2 filter") KV_WIDTH(7);
	__u32 no_new_privs KV_MEANS("1: no execve() gives it privileges") KV_WIDTH(12);
	__u32 _pad;
	__u64 cap_eff KV_MEANS("effective capabilities, in hex") KV_SHOW(hex) KV_WIDTH(16);
	__u32 mntns KV_MEANS("inode of its mount namespace, for who may ptrace it") KV_NONE(0)
		KV_WIDTH(10);
	__u32 netns KV_MEANS("of its network namespace, likewise") KV_NONE(0) KV_WIDTH(10);
	__u32 pidns KV_MEANS("of its pid namespace, likewise") KV_NONE(0) KV_WIDTH(10);
	__u32 userns KV_MEANS("of its user namespace, likewise") KV_NONE(0) KV_WIDTH(10);
	__u32 cgroupns KV_MEANS("of its cgroup namespace, likewise") KV_NONE(0) KV_WIDTH(10);
	__s32 vpid KV_MEANS("process id in its own pid namespace") KV_WIDTH(7);
	struct kv_str container KV_MEANS("id of the container that its cgroup is named for")
		KV_WIDTH(9);
	struct kv_str cgroup KV_MEANS("path in the cgroup v2 hierarchy") KV_WIDTH(20);
	struct kv_str exe KV_MEANS("executable file, for who may ptrace it") KV_WIDTH(24);
	struct kv_str cwd KV_MEANS("working directory, likewise") KV_WIDTH(6);
	struct kv_str root KV_MEANS("root directory, likewise") KV_WIDTH(4);
	struct kv_str comm KV_MEANS("name of the first thread, as in /proc/PID/comm");
};

KV_VIEW(process, "a row per process: ids, times, memory, I/O, limits, namespaces, container",
	"5.8");

#define KV_FDS_VIEW process
#define KV_USAGE_VIEW process
#include "fds.h"
#include "usage.h"

#define RLIMIT_NOFILE 7
#define PFA_NO_NEW_PRIVS 0 /* include/linux/sched.h */

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct rlimit {
	unsigned long rlim_cur;
};

struct signal_struct___process {
	struct rlimit rlim[RLIMIT_NOFILE + 1];
	short oom_score_adj;
};

struct seccomp {
	int mode;
};

struct task_struct___process {
	kuid_t loginuid;
	struct seccomp seccomp;
	unsigned long atomic_flags;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/* What the row is read from; see struct kv_memory. */
struct parts {
	struct signal_struct *signal;
	const struct cred *cred;
	struct task_struct *parent;
	struct pid *pid;
	struct kv_memory memory;
	struct css_set *cset;
	struct cgroup *cgroup;
	struct kernfs_node *cgroup_kn;
	struct files_struct *files;
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
};

static __always_inline bool has_namespaces(void)
{
	return kv_has(process, mntns) || kv_has(process, netns) || kv_has(process, cgroupns);
}

static __always_inline void find_parts(struct parts *parts, struct task_struct *task)
{
	parts->signal = task->signal;
	parts->cred = task->real_cred;
	parts->pid = task->thread_pid;
	parts->memory.mm = task->mm;
	parts->memory.exec = task->self_exec_id;
	if (kv_has(process, ppid))
		parts->parent = task->real_parent;
	if (kv_has(process, cgroup)) {
		parts->cset = task->cgroups;
		parts->cgroup = parts->cset->dfl_cgrp;
		parts->cgroup_kn = parts->cgroup->kn;
	}
	if (kv_has(process, fds))
		parts->files = task->files;
	if (kv_has(process, cwd) || kv_has(process, root))
		parts->fs = task->fs;
	if (has_namespaces())
		parts->nsproxy = task->nsproxy;
}

/* For rss.h, tty.h and container.h. */
static __always_inline bool kv_has_rss(void)
{
	return kv_has(process, rss) || kv_has(process, rss_anon) || kv_has(process, rss_file) ||
	       kv_has(process, rss_shmem) || kv_has(process, rss_peak) || kv_has(process, swap);
}

static __always_inline bool kv_has_tty(void)
{
	return kv_has(process, tty);
}

static __always_inline bool kv_has_container(void)
{
	return kv_has(process, container);
}

static __always_inline void put_ids(const struct kv_call *c, struct process *r,
				    const struct task_struct *task, const struct parts *parts)
{
	struct signal_struct *signal = parts->signal;
	const struct cred *cred = parts->cred;

	r->pid = kv_tgid(c, task);
	kv_set(r, ppid, parts->pid ? kv_tgid(c, parts->parent) : 0);
	kv_set(r, pgid, kv_pid_nr(c, signal->pids[PIDTYPE_PGID]));
	kv_set(r, sid, kv_pid_nr(c, signal->pids[PIDTYPE_SID]));
	kv_set(r, threads, signal->nr_threads);
	r->uid = kv_uid(c, cred->uid.val);
	r->euid = kv_uid(c, cred->euid.val);
	kv_set(r, suid, kv_uid(c, cred->suid.val));
	r->gid = kv_gid(c, cred->gid.val);
	kv_set(r, egid, kv_gid(c, cred->egid.val));
}

/* As from_kuid(): an id that the reader's user namespace does not have is none. */
static __always_inline __u32 login(const struct kv_call *c, __u32 uid)
{
	if (uid == KV_NOBODY || !c->scope || !c->scope->user_ns_level)
		return uid;
	return kv_map_id((void *)c->scope->user_ns, false, uid, false);
}

/* Columns that are read from the task and its signal_struct as they are. */
static __always_inline void put_plain(const struct kv_call *c, struct process *r,
				      const struct task_struct *task, const struct parts *parts)
{
	const struct task_struct___process *more = (void *)task;
	const struct signal_struct___process *signal = (void *)parts->signal;
	const struct cred *cred = parts->cred;

	if (kv_has(process, state))
		r->state[0] = kv_state_letter(task);
	kv_set(r, nice, task->static_prio - 120);
	kv_set(r, policy, task->policy);
	kv_set(r, oom_score_adj, signal->oom_score_adj);
	kv_set(r, fd_limit, signal->rlim[RLIMIT_NOFILE].rlim_cur);
	kv_set(r, loginuid, login(c, more->loginuid.val));
	kv_set(r, seccomp, more->seccomp.mode);
	kv_set(r, no_new_privs, more->atomic_flags >> PFA_NO_NEW_PRIVS & 1);
	kv_set(r, cap_eff, kv_caps(cred, cap_effective));
}

static __always_inline void put_start(const struct kv_call *c, struct process *r)
{
	__u64 boot = kv_has(process, start) ? kv_boot_time(c) : 0;

	r->start = boot ? boot + r->start_boot : 0;
}

static __always_inline void put_io(struct process *r, const struct kv_usage *u)
{
	kv_set(r, rchar, u->rchar);
	kv_set(r, wchar, u->wchar);
	kv_set(r, read_bytes, u->read_bytes);
	kv_set(r, write_bytes, u->write_bytes);
}

static __always_inline void put_times(struct process *r, const struct kv_usage *u, bool may_ptrace)
{
	if (kv_has_usage_time()) {
		r->utime = may_ptrace ? u->time.utime : kv_cut_time(u->time.utime);
		r->stime = may_ptrace ? u->time.stime : kv_cut_time(u->time.stime);
	}
	kv_set(r, cputime, u->time.runtime);
	kv_set(r, minflt, u->minflt);
	kv_set(r, majflt, u->majflt);
	kv_set(r, nvcsw, u->nvcsw);
	kv_set(r, nivcsw, u->nivcsw);
}

/* Return: false: there is no memory. */
static __always_inline bool put_usage(struct kv_call *c, struct process *r,
				      const struct task_struct *task, const struct parts *parts,
				      const struct kv_exe_cache *exes)
{
	struct kv_usage *u = kv_of_thread(kv_usages, bpf_get_current_task_btf());

	if (!u)
		return false;
	r->utime = r->stime = r->cputime = -1;
	r->minflt = r->majflt = r->nvcsw = r->nivcsw = -1;
	r->rchar = r->wchar = r->read_bytes = r->write_bytes = -1;
	kv_sum_usage(u, task, parts->signal);
	if (u->steps > KV_USAGE_LONG)
		kv_look_soon(c->scope);
	if (!u->is_steady)
		return true;
	put_times(r, u, exes->may_ptrace);
	if (kv_has_io() && kv_may(c, task, KV_IO))
		put_io(r, u);
	return true;
}

static __always_inline void put_rss(struct process *r, const struct kv_rss *rss,
				    const struct mm_struct *mm, __u32 shift)
{
	__u64 pages = kv_rss_pages(rss);

	kv_set(r, rss, pages << shift);
	kv_set(r, rss_anon, rss->pages[KV_RSS_ANON] << shift);
	kv_set(r, rss_file, rss->pages[KV_RSS_FILE] << shift);
	kv_set(r, rss_shmem, rss->pages[KV_RSS_SHMEM] << shift);
	kv_set(r, swap, rss->pages[KV_RSS_SWAP] << shift);
	if (!kv_has(process, rss_peak))
		return;
	if (pages < mm->hiwater_rss) /* it is updated before pages are given back */
		pages = mm->hiwater_rss;
	r->rss_peak = pages << shift;
}

static __always_inline void put_memory(struct process *r, const struct task_struct *task,
				       const struct parts *parts)
{
	struct kv_rss *rss = kv_of_thread(kv_rss_of, bpf_get_current_task_btf());
	const struct mm_struct *mm = parts->memory.mm;
	const struct kv_rss_key key = {
		.mm = kv_address(mm),
		.exec = parts->memory.exec,
		.tgid = task->tgid,
		.now = bpf_jiffies64(),
	};
	__u32 shift = kv_table()->page_shift;

	kv_set(r, vsize, (__u64)mm->total_vm << shift);
	kv_set(r, pagetables, mm->pgtables_bytes.counter);
	kv_set(r, hugetlb, (__u64)mm->hugetlb_usage.counter << shift);
	if (!kv_has_rss())
		return;
	if (rss && kv_rss_find(rss, &key))
		put_rss(r, rss, mm, shift);
	else
		r->rss = r->rss_anon = r->rss_file = r->rss_shmem = r->rss_peak = r->swap = -1;
}

/* In its own pid namespace: the lowest one where it has a number. */
static __always_inline void put_own_pid(struct process *r, const struct pid *pid, bool may_ptrace)
{
	struct upid upid = {};

	if (!pid)
		return;
	kv_pid_at(pid, BPF_CORE_READ(pid, level), &upid);
	kv_set(r, vpid, upid.nr);
	if (kv_has(process, pidns) && may_ptrace)
		r->pidns = BPF_CORE_READ(upid.ns, ns.inum);
}

/* A namespace is held by the nsproxy, and that by the task, unless the task has another one meanwhile. */
static __always_inline bool put_namespaces(struct process *r, const struct task_struct *task,
					   const struct parts *parts)
{
	struct nsproxy *nsproxy = parts->nsproxy;

	kv_set(r, userns, parts->cred->user_ns->ns.inum);
	if (!has_namespaces() || !nsproxy)
		return true;
	kv_set(r, mntns, nsproxy->mnt_ns->ns.inum);
	kv_set(r, netns, nsproxy->net_ns->ns.inum);
	kv_set(r, cgroupns, nsproxy->cgroup_ns->ns.inum);
	kv_barrier();
	return BPF_CORE_READ(task, nsproxy) == nsproxy;
}

/*
 * A directory is freed at once when the process changes to another one, or ends. That of a setuid
 * program, which it may execute meanwhile, is not for who was asked for before.
 * @path: of the fs_struct
 */
static __always_inline void put_dir(struct kv_call *c, struct kv_str *s,
				    const struct task_struct *task, const struct fs_struct *fs,
				    const struct path *path, const struct kv_memory *memory)
{
	const struct vfsmount *mnt = path->mnt;
	const struct dentry *dentry = path->dentry;
	__u64 len = c->scratch->len;

	if (!dentry)
		return;
	kv_put_path_typed(c, s, mnt, dentry);
	kv_barrier();
	if (BPF_CORE_READ(task, fs) == fs && path->mnt == mnt && path->dentry == dentry &&
	    kv_has_memory(task, memory))
		return;
	s->len = 0;
	s->off = KV_STR_UNREADABLE;
	c->scratch->len = len;
}

static __always_inline bool put_cgroup(struct kv_call *c, struct process *r,
				       const struct task_struct *task, const struct parts *parts)
{
	struct kv_cgroup_cache *cache = kv_of_thread(kv_cgroups, bpf_get_current_task_btf());
	const struct kv_cgroup group = kv_cgroup_of(parts->cgroup, parts->cgroup_kn);

	if (!cache)
		return false;
	kv_put_cgroup(c, &r->cgroup, cache, &group);
	return !kv_has(process, container) ||
	       kv_put_container(c, &r->container, cache, task, parts->cset);
}

/* Columns for which there is no right of their own. */
static __always_inline bool put_public(struct kv_call *c, struct process *r,
				       struct task_struct *task, const struct parts *parts,
				       const struct kv_exe_cache *exes)
{
	put_plain(c, r, task, parts);
	r->start_boot = task->start_boottime;
	if (!exes->may_ptrace)
		r->start_boot = kv_cut_time(r->start_boot);
	put_start(c, r);
	put_own_pid(r, parts->pid, exes->may_ptrace);
	if (kv_has(process, comm))
		kv_put_comm(c, &r->comm, task);
	if (!(task->flags & PF_KTHREAD) && parts->memory.mm)
		put_memory(r, task, parts);
	return !kv_has(process, tty) || kv_put_tty(c, &r->tty, parts->signal);
}

/* Columns for those who have the right. */
static __always_inline bool put_guarded(struct kv_call *c, struct process *r,
					struct task_struct *task, const struct parts *parts,
					const struct kv_exe_cache *exes)
{
	r->fds = -1;
	if (kv_has(process, fds) && (kv_table()->fds_are_public || kv_may(c, task, KV_FILES)) &&
	    !kv_put_fds(&r->fds, task, parts->files))
		return false;
	return !exes->may_ptrace || put_namespaces(r, task, parts);
}

/* Paths come last, with checks of their own: they may take longer than an execve(). */
static __always_inline void put_paths(struct kv_call *c, struct process *r,
				      struct task_struct *task, const struct parts *parts,
				      struct kv_exe_cache *exes)
{
	if (!exes->may_ptrace)
		return;
	if (kv_has(process, exe) && !(task->flags & PF_KTHREAD) && parts->memory.mm)
		kv_put_exe(c, &r->exe, &exes->path, task, &parts->memory);
	if (!parts->fs)
		return;
	if (kv_has(process, cwd))
		put_dir(c, &r->cwd, task, parts->fs, &parts->fs->pwd, &parts->memory);
	if (kv_has(process, root))
		put_dir(c, &r->root, task, parts->fs, &parts->fs->root, &parts->memory);
}

SEC("iter/task")
int process(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct parts parts = {};
	struct kv_exe_cache *exes;
	struct kv_call c;
	struct process *r;
	int verdict;

	if (task)
		find_parts(&parts, task);
	verdict = kv_begin_process(&c, ctx->meta, task, KV_PUBLIC);
	if (verdict != KV_SHOW || !task)
		return verdict & 1;
	exes = kv_of_thread(kv_exes, bpf_get_current_task_btf());
	if (!exes)
		return KV_RETRY;
	r = kv_record(&c, struct process);
	put_ids(&c, r, task, &parts);
	if (!r->pid || !parts.pid)
		return 0; /* it was just reaped, and has no numbers */
	exes->may_ptrace = kv_may(&c, task, KV_PTRACE);
	if (!put_public(&c, r, task, &parts, exes) || !put_usage(&c, r, task, &parts, exes) ||
	    !put_guarded(&c, r, task, &parts, exes))
		return KV_RETRY;
	kv_barrier();
	if (!kv_has_memory(task, &parts.memory) || !kv_settle(&c))
		return KV_RETRY;
	if (kv_has(process, cgroup) && parts.cgroup_kn && !put_cgroup(&c, r, task, &parts))
		return KV_RETRY;
	put_paths(&c, r, task, &parts, exes);
	return kv_emit(&c);
}
