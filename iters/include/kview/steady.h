/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program reads may change, be freed, and be used anew for something else
 * while it looks: reads that are believed only if nothing did.
 *
 * A program runs within one RCU read section (unless it is sleepable: then this
 * holds only between bpf_rcu_read_lock() and its end). So what the kernel frees
 * after a grace period stays what it is until the program returns, and neither
 * can its address come to mean another object: tasks, creds, pids and the
 * namespaces they hold, css_sets, cgroups and their kernfs_nodes, inodes, mounts,
 * dentries of directory trees and their names, fdtables but that of a files_struct
 * itself, workqueue_structs.
 *
 * Freed at once, and to be asked for again once they were read:
 *   mm_struct               struct kv_seen here
 *   its exe_file            put_exe() in task.bpf.c
 *   files_struct            fd_flags() in task_file.bpf.c
 *   tty_struct              kv_read_tty() in tty.h
 *   worker                  kv_put_worker() in process.h
 *   slabs on a list         count_free() in kmem_cache.bpf.c
 * What changes in place: names of dentries (path.h), arrays of characters
 * (kv_put_chars() in put.h), task->comm (process.h).
 */
#ifndef KVIEW_STEADY_H
#define KVIEW_STEADY_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/*
 * kv_barrier() - reads above it come before those below
 *
 * Whether something stayed as it is must be read after it. x86 keeps the order by
 * itself. Elsewhere it takes an atomic operation that returns a value, which is a
 * full barrier in the kernel's memory model, whatever the JIT makes of it; clang
 * 14 knows none for the default -mcpu, hence the bytes of
 *	r2 = atomic_fetch_add((u64 *)(r1 + 0), r2)
 */
#if defined(__TARGET_ARCH_x86)
#define kv_barrier() asm volatile("" : : : "memory")
#else
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define KV_ATOMIC_FETCH_ADD ".byte 0xdb, 0x12, 0, 0, 0, 0, 0, 1"
#else
#define KV_ATOMIC_FETCH_ADD ".byte 0xdb, 0x21, 0, 0, 1, 0, 0, 0"
#endif
static __always_inline void kv_barrier(void)
{
	__u64 any = 0;
	register __u64 *at asm("r1") = &any;

	asm volatile("r2 = 0\n" KV_ATOMIC_FETCH_ADD : : "r"(at) : "r2", "memory");
}
#endif

/* Sums of values in a row: of two that differ in one value, and of others but for chance. */
static __always_inline __u64 kv_mix(__u64 sum, __u64 value)
{
	return (sum ^ value) * 0x9e3779b97f4a7c15;
}

/*
 * Whose memory: what is read of a task's mm, and what is decided by it, holds if
 * both are the same afterwards. Another mm of the same address would be there only
 * after two executions, and the first of them has counted self_exec_id up by then
 * (begin_new_exec() in fs/exec.c, behind exec_mmap()). The cred says nothing here:
 * a task can give itself another one each microsecond, without end.
 */
struct kv_seen {
	__u64 mm; /* address */
	__u64 exec;
	__u64 cred; /* address; what rights were decided by, see kv_still_may() */
};

static __always_inline void kv_see(struct kv_seen *seen, const struct task_struct *task)
{
	seen->mm = (__u64)BPF_CORE_READ(task, mm);
	seen->exec = BPF_CORE_READ(task, self_exec_id);
	kv_barrier();
}

static __always_inline bool kv_is_as_seen(const struct kv_seen *seen,
					  const struct task_struct *task)
{
	kv_barrier();
	return seen->mm == (__u64)BPF_CORE_READ(task, mm) &&
	       seen->exec == BPF_CORE_READ(task, self_exec_id);
}

#endif
