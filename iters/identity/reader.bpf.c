// SPDX-License-Identifier: GPL-2.0-only
/*
 * A query, which is no view: who a thread is, as struct kv_identity. The iterator is made for
 * that one thread.
 */
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
