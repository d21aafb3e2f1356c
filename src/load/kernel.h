/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel can do, and what it says of processes. Its version is never asked for. */
#ifndef KVIEW_LOAD_KERNEL_H
#define KVIEW_LOAD_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct kv_table;

/**
 * kv_kernel_check() - does the kernel have what kview's programs need?
 * @kind: an iterator that it must have too, as in SEC("iter/KIND"), or NULL
 * @since: for the hint: the first Linux that has this iterator, or ""
 *
 * Every program needs bpf_loop() (5.17, e6f2dd0f8067) and iterators over one process (6.1,
 * f0d74c4da1f0). The answer is in the kernel's BTF: distributions backport features.
 *
 * Return: 0, -EOPNOTSUPP or, where it has no BTF, another -errno, with @err set.
 */
int kv_kernel_check(const char *kind, const char *since, struct kv_err *err);

/**
 * kv_kernel_kinds() - the kinds of iterators that this kernel has
 * @kinds: their names in order, the last NULL; to be freed with kv_kernel_kinds_free()
 *
 * Return: 0 or -errno with @err set.
 */
int kv_kernel_kinds(char ***kinds, struct kv_err *err);

void kv_kernel_kinds_free(char **kinds);

/* kv_kernel_table() - fill in what the kernel is like: page_shift to fds_are_public */
void kv_kernel_table(struct kv_table *table);

/* kv_kernel_has_descriptors() - are a few file descriptors left? libbpf hides that they are not */
bool kv_kernel_has_descriptors(void);

/* kv_kernel_capable() - is capability number @cap effective? linux/capability.h */
bool kv_kernel_capable(int cap);

/* kv_kernel_in_initial_user_ns() - do our capabilities count outside of containers? */
bool kv_kernel_in_initial_user_ns(void);

/* kv_kernel_has_process() - is @pid a process (not merely a thread)? */
bool kv_kernel_has_process(pid_t pid);

/**
 * kv_kernel_status() - a line of /proc/TID/status
 * @field: "Groups"
 *
 * Return: what follows "Groups:", to be freed, or NULL.
 */
char *kv_kernel_status(pid_t tid, const char *field);

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
