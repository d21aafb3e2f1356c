/* SPDX-License-Identifier: GPL-2.0-only */
/* The system calls that a worker, or a courier, may make. */
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
 * kv_seccomp_worker() - from here on allow only the system calls that serving needs
 * @is_filtered: set to whether there is a filter now. There is none on a kernel without
 *               CONFIG_SECCOMP_FILTER, nor in a build with sanitizers
 *
 * It takes no_new_privs, and holds for all threads of the process.
 *
 * Return: 0 or -errno.
 */
int kv_seccomp_worker(bool *is_filtered);

/* kv_seccomp_courier() - the same for couriers and their keeper */
int kv_seccomp_courier(void);

#endif
