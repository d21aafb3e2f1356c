/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A FUSE request that may take long is a job of the scheduler. It is answered once: by the thread
 * that runs it, or with EINTR if the reader was interrupted while the job makes no progress.
 *
 * Signals do not interrupt a read of /proc. So a job that makes progress is finished here too,
 * unless the thread that waits for it is being killed.
 */
#ifndef KVIEW_FS_REQUEST_H
#define KVIEW_FS_REQUEST_H

#include "fuse/fs/ops.h"

struct kv_request {
	struct kv_job job; /* first: the job is the request */
	struct kv_server *server;
	fuse_req_t req; /* belongs to whoever answers it, see @state */
	pid_t tid;	/* the thread that waits for the answer; 0: not known */
	atomic_int state;
	uint64_t asked; /* CLOCK_MONOTONIC in ns: when @tid was last seen not to be dying */
	void (*run)(struct kv_request *r); /* does the work and answers */
	/* from the FUSE request */
	uint64_t ino, handle;
	size_t size;
	off_t off;
	void *object; /* of @handle; the request's reference is given back by @drop */
	void (*drop)(struct kv_server *s, uint64_t handle);
};

/* Lanes of reads that run no view's iterator; the lanes of views are lower numbers. */
#define KV_LANE_TEXTS UINT64_MAX
#define KV_LANE_LISTINGS (UINT64_MAX - 1)

extern const struct kv_sched_ops kv_request_ops;

/**
 * kv_request_submit() - run it now, in the calling thread, or later in another one
 * @like: copied; @job, @tid, @state and @asked are filled in
 * @lane: requests of one user that may get stuck together have the same
 *
 * Without memory for it the request is answered with ENOMEM, and its object dropped.
 */
void kv_request_submit(const struct kv_request *like, uid_t uid, uint64_t lane);

/* kv_request_goes_on() - asked between two steps: is it still wanted? Waits while others need the slot */
bool kv_request_goes_on(struct kv_request *r);

/* kv_request_fail(), kv_request_reply() - answer it, unless it was given up */
void kv_request_fail(struct kv_request *r, int rc);
void kv_request_reply(struct kv_request *r, const struct iovec *iov, int n);

#endif
