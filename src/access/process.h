/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processes that a reader may know of: the names below pid/. They are numbers in the
 * reader's pid namespace.
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
 * kv_process_find() - a process by its number in the reader's pid namespace
 *
 * Return: 0 with @process filled in; -ENOENT: there is none, or the reader may not know of it;
 * -errno.
 */
int kv_process_find(const struct kv_host *host, const struct kv_reader *reader, pid_t nr,
		    struct kv_process *process);

/* kv_process_look() - the same by its number in our own pid namespace */
int kv_process_look(const struct kv_host *host, const struct kv_reader *reader, pid_t pid,
		    struct kv_process *process);

struct kv_processes;

/**
 * kv_processes_new() - a listing; no iterator is made yet
 * @host: must outlive the listing
 * @reader: belongs to the listing on success, and is KV_READER_INIT then
 *
 * Return: NULL: out of memory.
 */
struct kv_processes *kv_processes_new(const struct kv_host *host, struct kv_reader *reader);

void kv_processes_free(struct kv_processes *processes);

/**
 * kv_processes_from() - the first process whose number is @nr or above
 *
 * The first call lists all processes. They are listed anew when @nr is less than in the last
 * call.
 *
 * Return: 1; 0: there is none; -errno.
 */
int kv_processes_from(struct kv_processes *processes, pid_t nr, struct kv_process *process);

#endif
