// SPDX-License-Identifier: GPL-2.0-only
/*
 * No view, a tool of kview's own: the numbers of all processes as __s32, in
 * ascending order, for listing pid/.
 */
#include <linux/bpf.h>
#include "../kernel.h"
#include <bpf/bpf_helpers.h>

SEC("iter/task")
int pids(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	int pid;

	if (!task || task->pid != task->tgid)
		return 0;
	pid = task->tgid;
	bpf_seq_write(ctx->meta->seq, &pid, sizeof(pid));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
