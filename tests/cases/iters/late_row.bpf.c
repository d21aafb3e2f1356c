// SPDX-License-Identifier: GPL-2.0-only
/*
 * A view of a user's, for the cases: rows for the first four tasks, and one in the
 * call behind the last task, which with them does not fit into one read.
 */
#include "kview.h"

#define BYTES 4000

struct late_row {
	struct kv_head _head;
	__u32 is_last KV_MEANS("1: behind all tasks");
	struct kv_str one;
	struct kv_str two;
};

KV_VIEW(late_row, "rows that fill more than one read, for the cases", "5.8");

static const char zeros[BYTES];

SEC("iter/task")
int late(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct late_row *r;
	struct kv_call c;
	int verdict = kv_begin_task(&c, ctx->meta, task, KV_PUBLIC);

	if (verdict == KV_RETRY || (task && (verdict != KV_SHOW || ctx->meta->seq_num >= 4)))
		return verdict & 1;
	r = kv_record(&c, struct late_row);
	r->is_last = !task;
	kv_put_bytes(&c, &r->one, zeros, sizeof(zeros));
	kv_put_bytes(&c, &r->two, zeros, sizeof(zeros));
	return kv_emit(&c);
}
