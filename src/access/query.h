/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Questions about one task that the kernel answers to a single call, where it
 * can. Where it can't, iterators made for one task tell the same.
 */
#ifndef KVIEW_ACCESS_QUERY_H
#define KVIEW_ACCESS_QUERY_H

#include <stdbool.h>
#include <sys/types.h>

#include "kview/abi.h"

struct kv_types;

/* Programs that are called, of the tool `ask`; -1: the kernel can't. */
struct kv_query {
	int identity_fd, process_fd;
};

#define KV_QUERY_INIT ((struct kv_query){-1, -1})

/**
 * kv_query_open() - get ready to ask
 * @asker: KV_QUERY_INIT; stays so if the kernel can't
 * @self: what an iterator says of the calling thread: the answer must be the same
 * @types: to load the tool with, or NULL
 */
void kv_query_open(struct kv_query *query, const struct kv_identity *self, struct kv_types *types);

void kv_query_close(struct kv_query *query);

static inline bool kv_query_is_open(const struct kv_query *query)
{
	return query->identity_fd >= 0;
}

/**
 * kv_query_identity() - who a thread is, as kv_identity_ask()
 *
 * Return: 0 or -errno; -ESRCH: there is no such thread.
 */
int kv_query_identity(const struct kv_query *query, pid_t tid, struct kv_identity *id);

/**
 * kv_query_process() - a process, if a reader may know of it
 * @pid: in our own pid namespace
 *
 * Return: 0 or -errno; -ENOENT: there is none.
 */
int kv_query_process(const struct kv_query *query, const struct kv_scope *scope, pid_t pid,
		     struct kv_process *process);

#endif
