// SPDX-License-Identifier: GPL-2.0-only
/* The view `syscalls`: the system calls of processes, how they ended and how long they took. */
#include "kview.h"
#include "numbers.h"

struct calls {
	__u64 count;
	__u64 time; /* ns */
};

#define KV_COUNTS struct calls
#define KV_ROWS 32768
#include "process_rows.h"

enum abi {
	ABI_NATIVE,
	ABI_COMPAT,
};

struct syscalls {
	struct kv_head _head;
	KV_OWNER_COLUMNS;
	enum kv_syscall call KV_ROLE(key)
		KV_MEANS("system call, by its native name; - for numbers above 1023") KV_NONE(-1)
			KV_WIDTH(16);
	enum abi abi KV_ROLE(key) KV_MEANS("native; compat: a call for 32 bits on 64") KV_NONE(-1)
		KV_WIDTH(6);
	enum kv_errno error KV_ROLE(key) KV_MEANS("errno, by name; - for calls without an error")
		KV_NONE(0) KV_WIDTH(12);
	__u64 count KV_ROLE(counter) KV_MEANS("calls that have returned") KV_WIDTH(9);
	__u64 time KV_ROLE(counter) KV_MEANS("from the calls to the returns, together") KV_UNIT("s")
		KV_SHOW(seconds);
	KV_OWNER_COMM;
	__u32 _pad2;
};

KV_VIEW_OF_PROCESS_ROWS(syscalls, "a row per process, system call and errno: calls, time");

/* --- what kind of call a row counts --- */

#define ERRNO_SHIFT 16
#define COMPAT (1 << 15)
#define NUMBER (COMPAT - 1)
#define NUMBERS 1024   /* beyond all that machines have; one row is for what programs invent */
#define MAX_ERRNO 4095 /* include/linux/err.h */

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_info___calls {
	unsigned long flags;
	__u32 status;
};

struct task_struct___calls {
	struct thread_info___calls thread_info;
};

struct pt_regs___calls {
	unsigned long orig_ax; /* of x86 */
	__s32 syscallno;       /* of arm64 */
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/* in_32bit_syscall() of x86, is_compat_task() of arm64 */
static __always_inline bool is_compat(const struct task_struct *task)
{
	const struct task_struct___calls *t = (void *)task;

#if defined(__TARGET_ARCH_x86)
	return t->thread_info.status & 2 /* TS_COMPAT */;
#elif defined(__TARGET_ARCH_arm64)
	return t->thread_info.flags >> 22 & 1 /* TIF_32BIT */;
#else
	return false;
#endif
}

static __always_inline __u32 kind_of(const struct task_struct *task, __u64 number)
{
	return (number < NUMBERS ? number : NUMBER) | (is_compat(task) ? COMPAT : 0);
}

/* They do not return. Calls for 32 bits are there by number, here and below. */
#if defined(__TARGET_ARCH_arm64)
#define COMPAT_EXIT_GROUP 248
#else
#define COMPAT_EXIT_GROUP 252
#endif

static __always_inline bool is_exit(__u32 kind)
{
	if (kind & COMPAT)
		return kind == (COMPAT | 1) || kind == (COMPAT | COMPAT_EXIT_GROUP);
	return kind == SYS_exit || kind == SYS_exit_group;
}

/* It returns what the interrupted program had in a register. */
static __always_inline bool is_sigreturn(__u32 kind)
{
	if (kind & COMPAT)
		return kind == (COMPAT | 119) || kind == (COMPAT | 173);
	return kind == SYS_rt_sigreturn;
}

/* A thread that has just been made returns from a call that another began. */
static __always_inline bool is_fork(__u32 kind)
{
	if (kind & COMPAT)
		return kind == (COMPAT | 2) || kind == (COMPAT | 120) || kind == (COMPAT | 190) ||
		       kind == (COMPAT | SYS_clone3);
#if defined(__TARGET_ARCH_x86)
	if (kind == SYS_fork || kind == SYS_vfork)
		return true;
#endif
	return kind == SYS_clone || kind == SYS_clone3;
}

/* --- threads --- */

#define KNOWN 4

/* A thread: its call, and where its last calls were counted, so that most need no look-up. */
struct thread {
	__u64 task;  /* its address; 0: this place is free */
	__u64 began; /* the call, ns; 0: it is in none that we know */
	__u32 kind;  /* of the call */
	__u32 _pad;
	struct {
		__u32 kind;
		__u32 place; /* 0: none */
	} known[KNOWN];
	__u64 _pad2; /* to 64 bytes, a line of most caches */
};

#define KV_THREAD struct thread
#include "thread_table.h"

/* Its address will be another's. */
SEC("tp_btf/sched_process_exit")
int kv_thread_ends(__u64 *ctx)
{
	kv_thread_forget(kv_address((void *)ctx[0]));
	return 0;
}

SEC("raw_tp/sys_enter")
int call_begins(__u64 *ctx)
{
	const struct task_struct *task = bpf_get_current_task_btf();
	__u64 address = kv_address(task);
	__u32 kind = kind_of(task, ctx[1]);
	struct thread *t;

	if (is_exit(kind))
		return 0;
	t = kv_thread_find(address);
	if (!t)
		t = kv_thread_add(address);
	if (!t)
		return 0;
	t->kind = kind;
	t->began = bpf_ktime_get_ns();
	return 0;
}

static __always_inline __u32 place_of(struct thread *t, const struct task_struct *task, __u32 kind)
{
	__u32 i = (kind ^ kind >> ERRNO_SHIFT) % KNOWN, place = t->known[i].place;

	if (place && t->known[i].kind == kind)
		return place;
	place = kv_row_place(task, kind);
	t->known[i].kind = kind;
	t->known[i].place = place;
	return place;
}

static __always_inline __u32 with_error(__u32 kind, __s64 ret)
{
	if (ret >= 0 || ret < -MAX_ERRNO || is_sigreturn(kind))
		return kind;
	return kind | (__u32)-ret << ERRNO_SHIFT;
}

static __always_inline void count(__u32 place, __u64 time)
{
	struct calls *calls = kv_row_counts(place);

	if (!calls)
		return;
	__sync_fetch_and_add(&calls->count, 1);
	__sync_fetch_and_add(&calls->time, time);
}

/* We have not seen it begin: seccomp has answered it, or it was begun before us. */
static __always_inline void count_unseen(const struct task_struct *task, __u64 regs, __s64 ret)
{
	const struct pt_regs___calls *r = (void *)regs;
	__u32 kind;

#if defined(__TARGET_ARCH_x86)
	kind = kind_of(task, BPF_CORE_READ(r, orig_ax));
#elif defined(__TARGET_ARCH_arm64)
	kind = kind_of(task, (__u32)BPF_CORE_READ(r, syscallno));
#else
	return;
#endif
	if (!is_fork(kind) || ret)
		count(kv_row_place(task, with_error(kind, ret)), 0);
}

SEC("raw_tp/sys_exit")
int call_ends(__u64 *ctx)
{
	const struct task_struct *task = bpf_get_current_task_btf();
	struct thread *t = kv_thread_find(kv_address(task));

	if (!t || !t->began) {
		count_unseen(task, ctx[0], ctx[1]);
		return 0;
	}
	count(place_of(t, task, with_error(t->kind, ctx[1])), bpf_ktime_get_ns() - t->began);
	t->began = 0;
	return 0;
}

KV_SHOW_PROCESS_ROWS(syscalls)
{
	__u32 kind = row->key.kind;

	r->call = row->owner && (kind & NUMBER) < NUMBERS ? kind & NUMBER : -1U;
	r->abi = row->owner ? kind >> 15 & 1 : -1U;
	r->error = kind >> ERRNO_SHIFT;
	r->count = row->counts.count;
	r->time = row->counts.time;
}
