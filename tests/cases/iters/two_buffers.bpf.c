// SPDX-License-Identifier: GPL-2.0-only
/*
 * A view of a user's, for the cases: strings so long that a record takes both of its
 * buffers, one of them with its parts in both.
 */
#include "kview.h"

#define BYTES 3900
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define THOUSAND HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

struct two_buffers {
	struct kv_head _head;
	__s32 pid;
	struct kv_str first;
	struct kv_str second;
	struct kv_str third;
	struct kv_str fourth;
	struct kv_str fifth;
	struct kv_str sixth;
	struct kv_str seventh;
};

KV_VIEW(two_buffers, "rows with much text, for the cases", "5.8");

static const char digits[] = THOUSAND THOUSAND THOUSAND THOUSAND;

SEC("iter/task")
int dump(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct two_buffers *r;
	struct kv_call c;
	int verdict = kv_begin_task(&c, ctx->meta, task, KV_PUBLIC);

	if (verdict != KV_SHOW || !task)
		return verdict & 1;
	r = kv_record(&c, struct two_buffers);
	r->pid = task->tgid;
	kv_put_literal(&c, &r->first, "<");
	kv_add_string(&c, &r->first, digits);
	kv_add_string(&c, &r->first, digits + BYTES);
	kv_add_literal(&c, &r->first, ">");
	kv_put_bytes(&c, &r->second, digits, 1000);
	kv_put_bytes(&c, &r->third, digits + 1, 500);
	kv_put_literal(&c, &r->fourth, "end");
	kv_put_bytes(&c, &r->seventh, digits, KV_PATH_MAX + 1);
	kv_put_bytes(&c, &r->fifth, digits + 2, 3000);
	kv_put_literal(&c, &r->sixth, "no room");
	return kv_emit(&c);
}
