/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Data may change, or be freed and reused, while a program reads it. Here are reads that count
 * only if that did not happen.
 *
 * A program runs within one RCU read section (a sleepable one only between
 * bpf_rcu_read_lock() and bpf_rcu_read_unlock()). So an object that the kernel frees after a
 * grace period stays until the program returns, and its address does not become another
 * object's: tasks, creds, pids and the
 * namespaces they hold, css_sets, cgroups and their kernfs_nodes, inodes, mounts,
 * dentries of directory trees and their names, fdtables but that of a files_struct
 * itself, workqueue_structs, net_devices.
 *
 * Freed at once, so whether they are still in place is checked after reading them:
 *   mm_struct               struct kv_seen here
 *   its exe_file            kv_put_exe() in exe.h
 *   files_struct            fd_flags() in task_file.bpf.c
 *   tty_struct              kv_read_tty() in tty.h
 *   worker                  kv_put_worker() in process.h
 *   slabs on a list         count_free() in kmem_cache.bpf.c
 *   name of a DMA buffer    try_name() in dmabuf.bpf.c
 *   peer of a UNIX socket   kv_unix_peer_ino() in unix.h
 *   datagrams in a queue    kv_first_len() and kv_unix_rxq() in unix.h
 *   subflow of MPTCP        mptcp_backlog() in socket.bpf.c
 * Changed in place: names of dentries (path.h), arrays of characters
 * (kv_put_chars() in put.h), task->comm (process.h), ends of sockets (socket.h).
 */
#ifndef KVIEW_STEADY_H
#define KVIEW_STEADY_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/*
 * kv_barrier() - reads above it come before those below
 *
 * To know whether something changed, it must be read again after the data. x86 keeps that
 * order by itself. Elsewhere it takes an atomic operation that returns a value, which is a
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

/*
 * Adds a value to a sum that depends on the order of the values. If a single value differs, the
 * sums differ; if several do, the sums are equal only by chance.
 */
static __always_inline __u64 kv_mix(__u64 sum, __u64 value)
{
	return (sum ^ value) * 0x9e3779b97f4a7c15;
}

/*
 * The memory of a task. Data of the mm, and decisions made by it, hold if @mm and @exec are the
 * same afterwards. A task gets another mm of the same address only by executing two programs,
 * and the first one has incremented self_exec_id by then (begin_new_exec() in fs/exec.c, after
 * exec_mmap()). The cred is not compared: a task can change it every microsecond, without end.
 */
struct kv_seen {
	__u64 mm; /* address */
	__u64 exec;
	__u64 cred; /* address; rights were decided by it, see kv_still_may() */
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
