/* SPDX-License-Identifier: GPL-2.0-only */
/* The system calls that a worker may make. */
#ifndef KVIEW_DAEMON_SECCOMP_H
#define KVIEW_DAEMON_SECCOMP_H

#include <stdbool.h>

#if !defined(__has_feature) /* gcc's, before 14 */
#define __has_feature(x) 0
#endif

/* Sanitizers: their reports, stack traces and threads take calls that no worker makes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KV_SECCOMP_IS_BUILT 0
#else
#define KV_SECCOMP_IS_BUILT 1
#endif

/**
 * kv_seccomp_worker() - from here on, only what serving takes
 * @is_filtered: set to whether there is a filter now: not where the kernel has
 *               none (no CONFIG_SECCOMP_FILTER), nor in builds with sanitizers
 *
 * For a process with no_new_privs and its connection open; of all its threads.
 *
 * Return: 0 or -errno.
 */
int kv_seccomp_worker(bool *is_filtered);

#endif
