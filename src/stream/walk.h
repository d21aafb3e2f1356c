/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walk of one iteration, read by read: that of an iterator, or if it would take too long or
 * leave threads out, that of a list of threads (stream/threads.h). Knows nothing of records.
 */
#ifndef KVIEW_STREAM_WALK_H
#define KVIEW_STREAM_WALK_H

#include "access/reader.h"
#include "stream/args.h"
#include "stream/spool.h"
#include "stream/threads.h"
#include "load/elements.h"
#include "load/view.h"

struct kv_kernel_walk {
	const struct kv_view *view;
	const struct kv_host *host; /* has the query that lists threads; NULL: loaded when needed */
	pid_t pid;		    /* the only process, or 0 */
	bool is_mm;		    /* rows are of what all threads of a process share */
	struct kv_scope scope;
	struct kv_progress progress;
	int fd;			      /* of the iterator; -1: each thread has one, or none is */
	int net_ns;		      /* see kv_walk_open() */
	struct kv_threads *threads;   /* that are left; NULL: as the kernel finds them */
	struct kv_spool *spool;	      /* records of a view that spools them; NULL before the walk */
	struct kv_elements *elements; /* of a BPF map; NULL: of another view */
	struct kv_args_walk *args;    /* of a view with arguments that couriers fetch; or NULL */
	uint64_t reads;
	uint8_t seen;	/* KV_SAW_ bits of the reads of @fd */
	bool has_ended; /* nothing comes any more */
};

/**
 * kv_walk_open() - begin a walk through all objects, or those that a link is made for
 * @walk: to be ended with kv_walk_end() if this succeeds
 * @net_ns: descriptor of the network namespace to show, for which @link has no parameters and
 *	    kv_host.iter_in makes the iterator; it must outlive the walk; -1: our own
 *
 * Return: 0 or -errno.
 */
int kv_walk_open(struct kv_kernel_walk *walk, const struct kv_view *view,
		 const struct kv_host *host, const struct kv_scope *scope,
		 const struct kv_link *link, int net_ns);

void kv_walk_end(struct kv_kernel_walk *walk);

/**
 * kv_walk_read() - one read
 * @size: room, at least a chunk of run.c
 * @saw: receives KV_SAW_ bits
 *
 * Return: bytes; 0: the end; -EAGAIN, -EINTR: not now; -ESTALE: a process has lost the
 * thread that was next; another -errno; or KV_SAID or KV_SAID_NO_MEMORY with @err set.
 */
ssize_t kv_walk_read(struct kv_kernel_walk *walk, char *to, size_t size, uint8_t *saw,
		     struct kv_err *err);

#endif
