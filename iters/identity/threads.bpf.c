// SPDX-License-Identifier: GPL-2.0-only
/*
 * No view: the threads of all processes or of one, as struct kv_thread, in the order of a walk.
 * Left out are threads without files or without memory, whichever the walk is about, but for
 * the thread that the walk was stopped at.
 */
#include "threads.h"

SEC("iter/task")
int threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct kv_reading *reading = kv_reading_find(bpf_get_current_task_btf());
	struct kv_progress *p;
	struct kv_thread t = {};

	if (!reading || !task)
		return 0;
	p = &reading->progress;
	/* A thread that began later than this is not listed, though it may have a listed number. */
	if (!p->listed)
		p->listed = bpf_ktime_get_boot_ns();
	t.nr = kv_walk_nr(&reading->scope, task);
	if (!t.nr)
		return 0; /* it was just reaped */
	t.common = kv_common_of(task, p->common);
	if (!t.common && t.nr != p->stopped_at)
		return 0;
	t.tgid = task->tgid;
	t.tid = task->pid;
	bpf_seq_write(ctx->meta->seq, &t, sizeof(t));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
