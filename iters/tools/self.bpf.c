// SPDX-License-Identifier: GPL-2.0-only
/*
 * No view, a tool of kview's own: what the reading thread is called in the
 * initial pid namespace, as tgid << 32 | tid. A thread in a nested namespace
 * has no other way to know.
 */
#include <linux/bpf.h>
#include "../kernel.h"
#include <bpf/bpf_helpers.h>

SEC("iter/task")
int self(struct bpf_iter__task *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (ctx->meta->seq_num == 0 && ctx->task)
		bpf_seq_write(ctx->meta->seq, &id, sizeof(id));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
