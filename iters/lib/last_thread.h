/* SPDX-License-Identifier: GPL-2.0-only */
/* The end of a process, which is that of its last thread, and the name that it has then. */
#ifndef KVIEW_LAST_THREAD_H
#define KVIEW_LAST_THREAD_H

#include "kview.h"
#include "collect.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct signal_struct___last {
	atomic_t live;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

#define KV_COMM 16
#define TASK_DEAD 128 /* include/linux/sched.h: in its last moment on a processor */

/*
 * kv_is_last_thread() - of its process, at sched_process_exit
 *
 * It is true of several threads that end at once: each has counted itself out before any comes
 * here. So whatever is to be done once for a process takes more than that.
 */
static __always_inline bool kv_is_last_thread(const struct task_struct *task)
{
	const struct signal_struct___last *signal = (void *)task->signal;

	return !signal->live.counter;
}

/*
 * kv_process_comm() - the name of the process, which is its leader's. Its own threads alone can set
 * it, so to the last one it does not change meanwhile.
 */
static __always_inline void kv_process_comm(char to[KV_COMM], const struct task_struct *task)
{
	const struct task_struct *leader = task->group_leader;

	bpf_probe_read_kernel(to, KV_COMM, &leader->comm);
}

#endif
