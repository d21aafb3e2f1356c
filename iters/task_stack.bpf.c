// SPDX-License-Identifier: GPL-2.0-only
/* The view `task_stack`: where each thread is in the kernel, as /proc/PID/task/TID/stack. */
#include "kview.h"
#include "process.h"

struct task_stack {
	struct kv_head _head;
	__s32 pid KV_ROLE(key) KV_MEANS("process id (thread group id)") KV_WIDTH(7);
	__s32 tid KV_ROLE(key) KV_MEANS("thread id") KV_WIDTH(7);
	struct kv_str stack KV_MEANS(
		"functions of the kernel, the innermost first; of a thread that "
		"runs, as far as it can be told") KV_SHOW(list) KV_WIDTH(40);
	struct kv_str comm KV_MEANS("name of the thread");
};

KV_VIEW(task_stack, "a row per thread: where it is in the kernel", "5.13");

#define MAX_FRAMES 64 /* MAX_STACK_TRACE_DEPTH in fs/proc/base.c */

/* A name of KSYM_NAME_LEN, two numbers, and a module's name: sprint_backtrace(). */
#define FRAME_MAX 640

struct frames {
	__u64 at[MAX_FRAMES];
};

KV_THREAD_MAP(kv_frames, frames);

struct adding {
	struct kv_call *c;
	struct kv_str *s;
	const struct frames *frames;
	__u64 n;
};

static long add_frame(__u64 i, struct adding *a)
{
	static const char format[] = "%pB";
	char *to = kv_room(a->c, FRAME_MAX);
	__u64 at;
	long n;

	if (i >= a->n || i >= MAX_FRAMES)
		return 1;
	at = a->frames->at[i];
	n = to ? bpf_snprintf(to, FRAME_MAX, format, &at, sizeof(at)) : FRAME_MAX + 1;
	if (n <= 0 || n > FRAME_MAX || a->s->len + n > KV_PATH_MAX) {
		a->s->off = n <= 0 ? KV_STR_UNREADABLE : KV_STR_TOO_LONG;
		return 1;
	}
	/* With the NUL, which is between those of a list. */
	a->c->scratch->len += n;
	a->s->len += n;
	return 0;
}

/*
 * The helper writes into a buffer of the CPU. Some kernels preempt the program there: then it fails
 * for all others meanwhile, and may return what another one wrote. So only a reading without a
 * preemption counts.
 */
static __always_inline long read_stack(struct frames *frames, struct task_struct *task)
{
	struct task_struct *current = bpf_get_current_task_btf();
	__u64 before = BPF_CORE_READ(current, nivcsw);
	long size = bpf_get_task_stack(task, frames->at, sizeof(frames->at), 0);

	return BPF_CORE_READ(current, nivcsw) == before ? size : -1;
}

#define TRIES 4

/* A thread that has ended has no stack any more. */
static __always_inline void put_stack(struct kv_call *c, struct kv_str *s, struct frames *frames,
				      struct task_struct *task)
{
	struct adding adding = {.c = c, .s = s, .frames = frames};
	long size = -1;

	for (int i = 0; i < TRIES && size < 0; i++)
		size = read_stack(frames, task);
	s->len = 0;
	s->off = KV_STR_UNREADABLE;
	if (size < 0 && !task->exit_state)
		return;
	s->off = c->scratch->len;
	if (size > 0)
		adding.n = (__u64)size / sizeof(frames->at[0]);
	bpf_loop(MAX_FRAMES, add_frame, &adding, 0);
	if (s->len)
		s->len--; /* the last NUL */
}

SEC("iter/task")
int task_stack(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct frames *frames;
	struct task_stack *r;
	struct kv_call c;
	int verdict = kv_begin_task(&c, ctx->meta, task, KV_STACK);

	if (verdict != KV_SHOW || !task)
		return verdict & 1;
	frames = kv_of_thread(kv_frames, bpf_get_current_task_btf());
	if (!frames)
		return KV_RETRY;
	r = kv_record(&c, struct task_stack);
	r->pid = kv_tgid(&c, task);
	r->tid = kv_tid(&c, task);
	if (!r->tid || !r->pid)
		return 0; /* it was just reaped, and has no numbers */
	kv_put_comm(&c, &r->comm, task);
	put_stack(&c, &r->stack, frames, task);
	return kv_emit(&c);
}
