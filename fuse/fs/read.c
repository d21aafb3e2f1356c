// SPDX-License-Identifier: GPL-2.0-only
/* READ requests: from handle and offset to bytes, or an error. */
#include "fuse/fs/read.h"

#include <errno.h>
#include <string.h>

#include "fuse/fs/request.h"

static void reply(void *request, const struct iovec *iov, int n)
{
	kv_request_reply(request, iov, n);
}

static bool is_cancelled(void *request)
{
	return !kv_request_goes_on(request);
}

/* The error for the reader. If it is ours to mend, the log gets it as well. */
static int report(struct kv_server *s, int rc, const struct kv_err *err)
{
	if (kv_file_is_answer(rc))
		return rc;
	kv_log_complain(&s->log, err->msg[0] ? err->msg : strerror(-rc));
	return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE ? rc : -EIO;
}

/* Open files with which a worker still prefetches: each may keep 64 KiB more. */
#define MAX_PREFETCHED 4

/* Only if a CPU has nothing else to do. Stuck jobs need none. */
static bool may_prefetch(void *request)
{
	struct kv_request *r = request;
	struct kv_server *s = r->server;
	struct kv_sched_counts counts;

	kv_sched_count(&s->sched, &counts);
	return counts.running - counts.stuck <= s->ncpus &&
	       kv_handles_count(&s->files) <= MAX_PREFETCHED &&
	       kv_sched_is_idle(&s->sched, &r->job);
}

static void run(struct kv_request *r)
{
	struct kv_read read = {
		.off = (uint64_t)r->off,
		.size = r->size,
		.cancelled = is_cancelled,
		.reply = reply,
		.arg = r,
	};
	struct kv_err err = {0};
	int rc = kv_file_read(r->object, &read, &err);

	if (rc)
		kv_request_fail(r, report(r->server, rc, &err));
	kv_file_prefetch(r->object, may_prefetch, r);
}

/* Reads of the same rows would get stuck in the same place. */
static uint64_t lane_of(const struct kv_server *s, fuse_ino_t told)
{
	uint64_t ino = kv_unseal_ino(&s->seal, told);
	const struct kv_node *node = kv_tree_node(&s->tree, ino);

	if (!node || !node->view || node->type == KV_NODE_SCHEMA)
		return KV_LANE_TEXTS;
	return (uint64_t)(node->view - s->views->list) << KV_KEY_BITS | kv_ino_key(ino);
}

void kv_op_read(fuse_req_t req, fuse_ino_t told, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct kv_server *s = fuse_req_userdata(req);
	struct kv_file *file = kv_handles_get(&s->files, fi->fh);
	struct kv_request r = {
		.server = s,
		.req = req,
		.run = run,
		.handle = fi->fh,
		.size = size,
		.off = off,
		.object = file,
		.drop = kv_drop_file,
	};

	if (file)
		kv_request_submit(&r, kv_file_user(file), lane_of(s, told));
	else
		fuse_reply_err(req, ESTALE);
}
