// SPDX-License-Identifier: GPL-2.0-only
/* No view: the identity query by an iterator made for one thread. It gives a struct kv_identity. */
#include "answer.h"

SEC("iter/task")
int reader(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct kv_identity id = {};

	if (!task)
		return 0;
	answer_identity(&id, task);
	bpf_seq_write(ctx->meta->seq, &id, sizeof(id));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
