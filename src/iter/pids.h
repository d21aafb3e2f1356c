/* SPDX-License-Identifier: GPL-2.0-only */
/* The processes that there are, in ascending order: the names below pid/. */
#ifndef KVIEW_ITER_PIDS_H
#define KVIEW_ITER_PIDS_H

#include <sys/types.h>

struct kv_pids;

/**
 * kv_pids_new() - a listing; nothing is iterated yet
 * @link_fd: of the tool that lists processes, must outlive the listing
 *
 * Return: NULL: out of memory.
 */
struct kv_pids *kv_pids_new(int link_fd);

void kv_pids_free(struct kv_pids *pids);

/**
 * kv_pids_from() - the first process whose number is @from or above
 *
 * Ascending calls go on with one iteration; a step back begins another.
 *
 * Return: its number, 0 for none, or -errno.
 */
pid_t kv_pids_from(struct kv_pids *pids, pid_t from);

#endif
