/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walk of a view whose records are spooled (kview/spool.h): it is run at once, as a whole, and
 * its records are kept here until they are taken. So memory grows with the rows, up to
 * KV_SPOOL_CHUNKS, and shrinks as they are taken.
 */
#ifndef KVIEW_STREAM_SPOOL_H
#define KVIEW_STREAM_SPOOL_H

#include <sys/types.h>

#include "access/scope.h"
#include "load/view.h"

/*
 * What all spools of a process may keep, in bytes. A user may make many sockets, open many files,
 * and take a byte of each: beyond this, the read that would keep more fails with ENOMEM.
 */
#define KV_SPOOL_KEPT_MAX (256u << 20)

struct kv_spool;

/**
 * kv_spool_new() - run the walk
 * @begin: makes an iterator for it, or returns -errno; not asked for a program that is called
 * @spool: on success to be freed with kv_spool_free()
 *
 * A walk that the kernel stops, for lack of memory, is run anew, since it would lose rows.
 *
 * Return: 0; KV_SAID_NO_MEMORY with @err set: there were too many rows, or too little memory;
 * KV_SAID with @err set; or -errno.
 */
int kv_spool_new(const struct kv_view *view, const struct kv_scope *scope, int (*begin)(void *arg),
		 void *arg, struct kv_spool **spool, uint8_t *saw, struct kv_err *err);

/* kv_spool_read() - up to @size bytes of records; 0: the end. @size: at least KV_CHUNK_BYTES */
ssize_t kv_spool_read(struct kv_spool *spool, char *to, size_t size);

void kv_spool_free(struct kv_spool *spool);

#endif
