/* SPDX-License-Identifier: GPL-2.0-only */
/* Identity queries: what kview's own programs tell of a task, to an iterator or to a call. */
#ifndef KVIEW_ANSWER_H
#define KVIEW_ANSWER_H

#include "master.h"
#include "reader.h"

/* --- who a thread is --- */

struct climb {
	const struct dentry *dentry;
	const struct vfsmount *mnt;
	__u64 is_top;
	__u64 sum; /* kv_mix() of all dentries and mounts on the way */
};

/* From mount to mount, as prepend_path() in fs/d_path.c, until a directory has a name. */
static long climb_step(__u64 i, struct climb *c)
{
	const struct vfsmount *mnt = c->mnt;
	const struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
	const struct mount *up;

	if (c->dentry != BPF_CORE_READ(mnt, mnt_root))
		return 1;
	up = BPF_CORE_READ(m, mnt_parent);
	if (up == m || !up) {
		c->is_top = 1;
		return 1;
	}
	c->dentry = BPF_CORE_READ(m, mnt_mountpoint);
	c->mnt = (void *)up + bpf_core_field_offset(struct mount, mnt);
	c->sum = kv_mix(kv_mix(c->sum, (__u64)c->dentry), (__u64)c->mnt);
	return 0;
}

/*
 * Mounts may be moved meanwhile, so the way up is walked twice. If the walks differ, the root
 * counts as not the top: paths are then walked by the programs. A thread that shares the root
 * may change it while it is read. No path meets a root that is half of one and half of another,
 * so paths then begin at the top, as in /proc for files outside a root.
 */
static __always_inline void put_root(struct kv_identity *id, struct task_struct *task)
{
	struct climb climb = {
		.mnt = BPF_CORE_READ(task, fs, root.mnt),
		.dentry = BPF_CORE_READ(task, fs, root.dentry),
	};
	struct climb again = climb;

	id->root_mnt = (__u64)climb.mnt;
	id->root_dentry = (__u64)climb.dentry;
	bpf_loop(1 << 10, climb_step, &climb, 0);
	kv_barrier();
	bpf_loop(1 << 10, climb_step, &again, 0);
	id->root_is_top = climb.is_top && again.is_top && climb.sum == again.sum;
}

static __always_inline void put_pid(struct kv_identity *id, struct task_struct *task)
{
	const struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	struct upid upid = {};

	id->id = (__u64)task->tgid << 32 | (__u32)task->pid;
	id->thread_start = task->start_boottime;
	id->start = BPF_CORE_READ(task, group_leader, start_boottime);
	id->exec = task->self_exec_id;
	id->pid_ns_level = BPF_CORE_READ(pid, level);
	kv_pid_at(pid, id->pid_ns_level, &upid);
	id->pid = upid.nr;
	id->pid_ns = (__u64)upid.ns;
	id->pid_ns_inum = BPF_CORE_READ(upid.ns, ns.inum);
}

/* Of its effective cred, which is not its real one while a file system acts for the thread. */
static __always_inline void put_cred(struct kv_identity *id, struct task_struct *task)
{
	const struct cred *cred = BPF_CORE_READ(task, cred);
	const struct user_namespace *ns = BPF_CORE_READ(cred, user_ns);

	id->fsuid = BPF_CORE_READ(cred, fsuid.val);
	id->fsgid = BPF_CORE_READ(cred, fsgid.val);
	id->euid = BPF_CORE_READ(cred, euid.val);
	id->caps = kv_caps(cred, cap_effective);
	id->user_ns = (__u64)ns;
	id->user_ns_level = BPF_CORE_READ(ns, level);
	id->user_ns_inum = BPF_CORE_READ(ns, ns.inum);
}

static __always_inline void put_master(struct kv_identity *id, struct task_struct *task)
{
	id->master = kv_master_of(BPF_CORE_READ(task, cred, user_ns), id->fsuid);
}

#define SIGKILL 9

static __always_inline void put_state(struct kv_identity *id, struct task_struct *task)
{
	if (!bpf_core_field_exists(task->pending.signal.sig))
		return; /* unknown: it counts as alive */
	/* complete_signal() turns each fatal signal into SIGKILL for every thread. */
	id->is_being_killed = BPF_CORE_READ(task, pending.signal.sig[0]) >> (SIGKILL - 1) & 1;
}

static __always_inline bool knows_cgroups(void)
{
	return kv_knows(nsproxy, cgroup_ns) && kv_knows(cgroup_namespace, ns) &&
	       kv_knows(cgroup_namespace, root_cset) && kv_knows(css_set, dfl_cgrp) &&
	       kv_knows(cgroup, kn) && kv_knows(cgroup, level);
}

static __always_inline void put_cgroup(struct kv_identity *id, struct task_struct *task)
{
	const struct cgroup_namespace *ns;
	const struct cgroup *root;

	id->cgroup = KV_CGROUP_UNKNOWN;
	if (!knows_cgroups())
		return;
	ns = BPF_CORE_READ(task, nsproxy, cgroup_ns);
	root = BPF_CORE_READ(ns, root_cset, dfl_cgrp);
	id->cgroup_ns = (__u64)ns;
	id->cgroup_ns_inum = BPF_CORE_READ(ns, ns.inum);
	id->cgroup = (__u64)BPF_CORE_READ(root, kn);
	id->cgroup_level = BPF_CORE_READ(root, level);
}

static __always_inline void put_net(struct kv_identity *id, struct task_struct *task)
{
	const struct net *ns;

	if (!kv_knows(nsproxy, net_ns) || !kv_knows(net, ns))
		return;
	ns = BPF_CORE_READ(task, nsproxy, net_ns);
	id->net_ns = (__u64)ns;
	id->net_ns_inum = BPF_CORE_READ(ns, ns.inum);
}

/* A thread that waits for its open() can change nothing of this. */
static __always_inline void answer_identity(struct kv_identity *id, struct task_struct *task)
{
	put_pid(id, task);
	put_cred(id, task);
	put_cgroup(id, task);
	put_net(id, task);
	put_root(id, task);
	put_master(id, task);
	put_state(id, task);
	id->walk_skips = kv_walk_skips_threads();
}

/* --- the processes that a reader may know of --- */

/* May the reader know of the process whose leader @task is? */
static __always_inline bool answer_process(const struct kv_scope *scope, struct task_struct *task,
					   struct kv_process *p)
{
	const struct pid *pid;

	if (task->pid != task->tgid || !kv_is_in_pid_ns(scope, task))
		return false;
	p->is_hidden = kv_is_hidden(scope, task);
	if (p->is_hidden && scope->hidepid >= KV_HIDEPID_INVISIBLE)
		return false;
	pid = BPF_CORE_READ(task, thread_pid);
	p->start = task->start_boottime;
	p->pid = kv_pid_in(pid, scope->host_level, scope->host_ns);
	p->nr = kv_pid_in(pid, scope->pid_ns_level, scope->pid_ns);
	return p->pid && p->nr;
}

#endif
