// SPDX-License-Identifier: GPL-2.0-only
/*
 * A query, which is no view: the threads that have something which others may share,
 * and the one that a walk was stopped at, as struct kv_thread, in the order of the walk.
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
	/* Whoever has the number of one that is listed from now on, and began later, is another. */
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
