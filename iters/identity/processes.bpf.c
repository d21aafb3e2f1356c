// SPDX-License-Identifier: GPL-2.0-only
/* No view: the processes that a reader may know of, as struct kv_process, for the names in pid/. */
#include "answer.h"

SEC("iter/task")
int processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct kv_reading *reading = kv_reading_find(bpf_get_current_task_btf());
	struct kv_process p = {};

	if (reading && task && answer_process(&reading->scope, task, &p))
		bpf_seq_write(ctx->meta->seq, &p, sizeof(p));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
