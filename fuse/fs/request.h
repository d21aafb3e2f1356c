/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A FUSE request that may take long: a job of its user's, and answered once, by who does it, or
 * with EINTR where its reader is interrupted and it gets nowhere, stuck in the kernel as it may be.
 *
 * A read of /proc is not interrupted by signals; so one that gets on is finished here too,
 * unless the thread that waits for it is being killed.
 */
#ifndef KVIEW_FS_REQUEST_H
#define KVIEW_FS_REQUEST_H

#include "fuse/fs/ops.h"

struct kv_request {
	struct kv_job job; /* first: the job is the request */
	struct kv_server *server;
	fuse_req_t req; /* may be touched by who has it answered alone */
	pid_t tid;	/* who waits; 0: not known */
	atomic_int state;
	uint64_t asked; /* CLOCK_MONOTONIC in ns: when it was known last not to be being killed */
	void (*run)(struct kv_request *r); /* answers it */
	/* as the request says */
	uint64_t ino, handle;
	size_t size;
	off_t off;
	void *object; /* of @handle; the request's reference is given back by @drop */
	void (*drop)(struct kv_server *s, uint64_t handle);
};

/* Lanes of what walks for no view; those of views are below. */
#define KV_LANE_TEXTS UINT64_MAX
#define KV_LANE_LISTINGS (UINT64_MAX - 1)

extern const struct kv_sched_ops kv_request_ops;

/**
 * kv_request_submit() - run it now, in the calling thread, or later in another one
 * @like: what is to be done; copied
 * @lane: requests of one user that may get stuck together have the same
 *
 * Return: 0; -ENOMEM: nothing was done, and nobody has answered.
 */
int kv_request_submit(const struct kv_request *like, uid_t uid, uint64_t lane);

/* kv_request_goes_on() - to be asked between two steps; waits while others need the CPU more */
bool kv_request_goes_on(struct kv_request *r);

/* kv_request_fail(), kv_request_reply() - answer it, unless it was given up */
void kv_request_fail(struct kv_request *r, int rc);
void kv_request_reply(struct kv_request *r, const struct iovec *iov, int n);

#endif
