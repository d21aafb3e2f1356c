// SPDX-License-Identifier: GPL-2.0-only
/*
 * No view, a tool of kview's own: the processes that a reader may know of, as
 * struct kv_process, for pid/ and the names in it.
 */
#include "../reader.h"

SEC("iter/task")
int processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct kv_scope *scope = kv_scope_find();
	struct kv_process p = {};
	const struct pid *pid;

	if (!scope || !task || task->pid != task->tgid || !kv_is_in_pid_ns(scope, task))
		return 0;
	p.is_hidden = kv_is_hidden(scope, task);
	if (p.is_hidden && scope->hidepid >= KV_HIDEPID_INVISIBLE)
		return 0;
	pid = BPF_CORE_READ(task, thread_pid);
	p.start = task->start_boottime;
	p.pid = kv_pid_in(pid, scope->host_level, scope->host_ns);
	p.nr = kv_pid_in(pid, scope->pid_ns_level, scope->pid_ns);
	if (p.pid && p.nr)
		bpf_seq_write(ctx->meta->seq, &p, sizeof(p));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
