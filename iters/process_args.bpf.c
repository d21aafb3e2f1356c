// SPDX-License-Identifier: GPL-2.0-only
/*
 * The view `process_args`: a row per process, with its arguments. To copy them out of the memory of
 * another process may wait for ever, so kview puts them in: src/stream/args.h.
 */
#include "kview.h"
#include "cputime.h"
#include "master.h"
#include "process.h"

struct process_args {
	struct kv_head _head;
	__s32 pid KV_ROLE(key) KV_MEANS("process id (thread group id)") KV_WIDTH(7);
	struct kv_whose _whose;
	__u64 start_boot KV_ROLE(key)
		KV_MEANS("when the process started, since boot in the first time namespace; cut to "
			 "10 ms for who may not ptrace it") KV_UNIT("s") KV_SHOW(seconds);
	struct kv_str args KV_MEANS("arguments, as /proc/PID/cmdline; (busy): not without waiting")
		KV_SHOW(list) KV_FROM(cmdline) KV_WIDTH(40);
	struct kv_str comm KV_MEANS("name of the process's first thread");
};

KV_VIEW(process_args, "a row per process: its arguments", "5.8");

/* The pid namespace below kview's own that the process is in; 0: none, or no longer. */
static __always_inline __u32 pid_ns_below(const struct kv_scope *scope,
					  const struct task_struct *task)
{
	const struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 level = scope->host_level + 1;
	struct upid upid = {};

	if (!pid || BPF_CORE_READ(pid, level) < level)
		return 0;
	kv_pid_at(pid, level, &upid);
	return BPF_CORE_READ(upid.ns, ns.inum);
}

/*
 * Who answers for a process that others have to wait for. A container without a user namespace is
 * one user, apart from all others, since its root can take any id. Only root can make several pid
 * namespaces without a user namespace, which has a master.
 */
static __always_inline __u32 user_of(const struct kv_scope *scope, const struct task_struct *task)
{
	const struct cred *cred = BPF_CORE_READ(task, real_cred);
	const struct user_namespace *ns = BPF_CORE_READ(cred, user_ns);
	__u32 below = BPF_CORE_READ(ns, level) ? 0 : pid_ns_below(scope, task);

	return below ? below : kv_master_of(ns, BPF_CORE_READ(cred, uid.val));
}

SEC("iter/task")
int process_args(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process_args *r;
	struct kv_call c;
	int verdict;

	verdict = kv_begin_process(&c, ctx->meta, task, KV_PUBLIC);
	if (verdict != KV_SHOW || !task)
		return verdict & 1;
	r = kv_record(&c, struct process_args);
	r->pid = kv_tgid(&c, task);
	if (!r->pid)
		return 0; /* it was just reaped, and has no number */
	r->start_boot = r->_whose.start = task->start_boottime;
	if (!kv_may(&c, task, KV_PTRACE))
		r->start_boot = kv_cut_time(r->start_boot);
	if (c.scope) {
		r->_whose.nr = kv_walk_nr(c.scope, task);
		if (!r->_whose.nr)
			return 0; /* likewise */
		r->_whose.user = user_of(c.scope, task);
	}
	r->args.off = KV_STR_UNREADABLE; /* until it is put in; a reader of the pin gets no more */
	kv_put_comm(&c, &r->comm, task);
	return kv_emit(&c);
}
