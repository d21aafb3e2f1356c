/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel can do, asked, never derived from its version. */
#ifndef KVIEW_LOAD_KERNEL_H
#define KVIEW_LOAD_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/**
 * kv_kernel_has_iter() - does the kernel have iterators of this kind?
 * @kind: as in SEC("iter/KIND")
 *
 * Looks for the function bpf_iter_KIND in the kernel's BTF.
 *
 * Return: 1, 0, or -errno with @err set where the kernel has no BTF.
 */
int kv_kernel_has_iter(const char *kind, struct kv_err *err);

/**
 * kv_kernel_check() - does the kernel have what every program of kview takes?
 *
 * That is bpf_loop() (5.17, e6f2dd0f8067) and iterators over one process (6.1,
 * f0d74c4da1f0): as its BTF has them, since distributions add what their version lacks.
 *
 * Return: 0, -EOPNOTSUPP or, where it has no BTF, another -errno, with @err set.
 */
int kv_kernel_check(struct kv_err *err);

/* kv_kernel_page_shift() - log2 of the page size */
uint32_t kv_kernel_page_shift(void);

/* kv_kernel_nodes() - highest possible NUMA node + 1 */
uint32_t kv_kernel_nodes(void);

/**
 * kv_kernel_vsyscall() - permissions of [vsyscall], as our own maps have it
 * @perms: receives 4 characters, NUL if there is none
 */
void kv_kernel_vsyscall(char perms[4]);

/* kv_kernel_has_descriptors() - are a few file descriptors left? libbpf hides that they are not */
bool kv_kernel_has_descriptors(void);

/* kv_kernel_capable() - is capability number @cap effective? linux/capability.h */
bool kv_kernel_capable(int cap);

/* kv_kernel_in_initial_user_ns() - do our capabilities count outside of containers? */
bool kv_kernel_in_initial_user_ns(void);

/* kv_kernel_has_process() - is @pid a process (not merely a thread)? */
bool kv_kernel_has_process(pid_t pid);

/* kv_kernel_process_of() - the process of thread @tid, 0 for none */
pid_t kv_kernel_process_of(pid_t tid);

/**
 * kv_kernel_perfmon_reads_maps() - does CAP_PERFMON open /proc/PID/maps?
 *
 * It does since 6.15 (mm_access() in kernel/fork.c). A child tries it.
 */
bool kv_kernel_perfmon_reads_maps(void);

/* kv_kernel_overflow_id() - the "uid" or "gid" shown for one that has no mapping */
uint32_t kv_kernel_overflow_id(const char *which);

#endif
