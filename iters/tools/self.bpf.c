// SPDX-License-Identifier: GPL-2.0-only
/*
 * No view, a tool of kview's own: what the reading thread is called in the
 * initial pid namespace, and how deep its own one lies. A thread in a nested
 * namespace has no other way to know.
 */
#include <linux/bpf.h>
#include "../kernel.h"
#include <bpf/bpf_helpers.h>
#include "../abi.h"

SEC("iter/task")
int self(struct bpf_iter__task *ctx)
{
	struct kv_self self = {
		.id = bpf_get_current_pid_tgid(),
		.pid_ns_level = bpf_get_current_task_btf()->thread_pid->level,
	};

	if (ctx->meta->seq_num == 0 && ctx->task)
		bpf_seq_write(ctx->meta->seq, &self, sizeof(self));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
