/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processes that a reader may know of: the names below pid/, which are
 * numbers in the reader's pid namespace.
 */
#ifndef KVIEW_ACCESS_PROCESS_H
#define KVIEW_ACCESS_PROCESS_H

#include <sys/ioctl.h>

#include "access/reader.h"

/* linux/nsfs.h has it since 6.11. */
#ifndef NS_GET_TGID_FROM_PIDNS
#define NS_GET_TGID_FROM_PIDNS _IOR(0xb7, 0x7, int)
#endif

/**
 * kv_process_find() - a process by the number that the reader knows
 * @nr: in the reader's pid namespace
 *
 * Return: 0 with @process filled in; -ENOENT: the reader knows none; -errno.
 */
int kv_process_find(const struct kv_host *host, const struct kv_reader *reader, pid_t nr,
		    struct kv_process *process);

/**
 * kv_process_look() - the same by the number that we know
 * @pid: in our own pid namespace
 */
int kv_process_look(const struct kv_host *host, const struct kv_reader *reader, pid_t pid,
		    struct kv_process *process);

struct kv_processes;

/**
 * kv_processes_new() - a listing; nothing is iterated yet
 * @host: must outlive the listing
 * @reader: on success the listing's, which closes it
 *
 * Return: NULL: out of memory.
 */
struct kv_processes *kv_processes_new(const struct kv_host *host, struct kv_reader *reader);

void kv_processes_free(struct kv_processes *processes);

/**
 * kv_processes_from() - the first process whose number is @nr or above
 * @process: nr, pid and start are filled in
 *
 * All are listed at the first call, and anew when @nr steps back.
 *
 * Return: 1; 0: there is none; -errno.
 */
int kv_processes_from(struct kv_processes *processes, pid_t nr, struct kv_process *process);

#endif
