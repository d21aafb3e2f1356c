// SPDX-License-Identifier: GPL-2.0-only
/*
 * A view of a user's, for the cases: a row per thread, with a column of every
 * type and display there is. No line of userspace knows it.
 */
#include "kview.h"
#include "process.h"

/* A member that kview's own views don't read. */
struct task_struct___bits {
	int exit_signal;
} __attribute__((preserve_access_index));

struct thread_bits {
	struct kv_head _head;
	__s32 pid KV_MEANS("process id");
	__s32 tid KV_MEANS("thread id") KV_WIDTH(7);
	__u32 flags KV_MEANS("flags of the task") KV_SHOW(hex);
	__u64 start KV_MEANS("when it started, since boot") KV_UNIT("s") KV_SHOW(seconds);
	__s8 nice KV_MEANS("nice value");
	__u8 policy KV_MEANS("scheduling policy");
	__u16 threads KV_MEANS("threads in the process") KV_SHOW(oct);
	__s32 exit_signal KV_MEANS("what its parent gets; none for other threads") KV_NONE(-1);
	__u32 odd KV_MEANS("its thread id if that is odd") KV_NONE(-1);
	__u32 dev KV_MEANS("always 8:1") KV_SHOW(dev);
	char name[16] KV_MEANS("name, cut at 15 bytes");
	struct kv_str leader KV_MEANS("name of the thread group's leader");
	struct kv_str empty KV_MEANS("always the empty string");
	struct kv_str nothing KV_MEANS("never a value");
	__u32 _pad;
};

KV_VIEW(thread_bits, "a row per thread, for the cases", "5.8");

SEC("iter/task")
int bits(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_struct___bits *more = (void *)task;
	struct thread_bits *r;
	struct kv_call c;
	int verdict = kv_begin_task(&c, ctx->meta, task, KV_PUBLIC);

	if (verdict != KV_SHOW || !task)
		return verdict & 1;
	r = kv_record(&c, struct thread_bits);
	r->pid = kv_tgid(&c, task);
	r->tid = kv_tid(&c, task);
	r->flags = task->flags;
	r->start = task->start_boottime;
	r->nice = task->static_prio - 120;
	r->policy = task->policy;
	r->threads = task->signal->nr_threads;
	r->exit_signal = BPF_CORE_READ(more, exit_signal);
	r->odd = task->pid & 1 ? (__u32)task->pid : ~0u;
	r->dev = 8 << 20 | 1;
	BPF_CORE_READ_STR_INTO(&r->name, task, comm);
	kv_put_chars(&c, &r->leader, task->group_leader->comm);
	kv_put_literal(&c, &r->empty, "");
	return kv_emit(&c);
}
