// SPDX-License-Identifier: GPL-2.0-only
/*
 * No view: identity queries by a call. These programs answer as reader.bpf.c and
 * processes.bpf.c do, for one task by its number. A call takes a microsecond, an iterator
 * made for one task ten.
 *
 * Programs that are called may look up tasks since 6.10 (a8e03b6bbb2c).
 */
#include "answer.h"

/* By the number in the caller's pid namespace, since 6.14 (675c3596ff32). */
extern struct task_struct *bpf_task_from_vpid(__s32 vpid) __ksym __weak;
/* By the number in the initial pid namespace. */
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym __weak;
extern void bpf_task_release(struct task_struct *task) __ksym __weak;
/* These programs may sleep. Between these calls what they read of a task stays. */
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

/* Set before the object is loaded: look tasks up by bpf_task_from_pid()? */
const volatile __u32 kv_ask_initial SEC(KV_ASK_MAP) = 0;

static __always_inline struct task_struct *find(__s32 nr)
{
	return kv_ask_initial ? bpf_task_from_pid(nr) : bpf_task_from_vpid(nr);
}

/* 1: there is such a thread. */
SEC("syscall")
int ask_identity(struct kv_ask_identity *ask)
{
	struct task_struct *task = find(ask->tid);
	struct kv_identity id = {};

	if (!task)
		return 0;
	bpf_rcu_read_lock();
	answer_identity(&id, task);
	bpf_rcu_read_unlock();
	bpf_task_release(task);
	ask->identity = id;
	return 1;
}

/* 1: there is such a process, and the reader may know of it. */
SEC("syscall")
int ask_process(struct kv_ask_process *ask)
{
	struct task_struct *task = find(ask->pid);
	struct kv_scope scope = ask->scope;
	struct kv_process p = {};
	bool is_known;

	if (!task)
		return 0;
	bpf_rcu_read_lock();
	is_known = answer_process(&scope, task, &p);
	bpf_rcu_read_unlock();
	bpf_task_release(task);
	ask->process = p;
	return is_known;
}

char LICENSE[] SEC("license") = "GPL";
