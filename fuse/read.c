// SPDX-License-Identifier: GPL-2.0-only
/* READ requests: from handle and offset to bytes, or an error. */
#include "read.h"

#include <errno.h>
#include <string.h>

#include "ahead.h"
#include "request.h"

static void reply(void *request, const struct iovec *iov, int n)
{
	kv_request_reply(request, iov, n);
}

static bool is_cancelled(void *request)
{
	return !kv_request_goes_on(request);
}

/* What the reader is told; what only we can do something about is told to the log. */
static int report(struct kv_server *s, int rc, const struct kv_err *err)
{
	if (kv_file_is_answer(rc))
		return rc;
	kv_log_complain(&s->log, err->msg[0] ? err->msg : strerror(-rc));
	return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE ? rc : -EIO;
}

/* --- ahead of the reader --- */

static struct kv_at_work at_work(struct kv_server *s)
{
	unsigned int walks = atomic_load(&s->walks_ahead);
	struct kv_sched_counts counts;

	kv_sched_count(&s->sched, &counts);
	return (struct kv_at_work){
		.files = kv_handles_count(&s->files),
		.reads = counts.running > walks ? counts.running - walks : 0,
		.walks = walks,
		.cpus = s->ncpus,
	};
}

/* Not for a file that has been closed, nor for one of the dumps that came meanwhile. */
static bool goes_on(void *request)
{
	struct kv_request *r = request;
	struct kv_server *s = r->server;
	struct kv_at_work now = at_work(s);

	return kv_ahead_goes_on(&now) && kv_sched_has_leisure(&s->sched, &r->job) &&
	       !kv_handles_is_last(&s->files, r->handle) && !fuse_session_exited(s->loop.session);
}

static unsigned int max_ahead(struct kv_server *s)
{
	struct kv_at_work now = at_work(s);
	unsigned int max = kv_ahead_max(&now);

	return max == 1 && kv_loop_has_requests(&s->loop) ? 0 : max;
}

static void look_ahead(struct kv_request *r)
{
	struct kv_server *s = r->server;
	unsigned int n = 0;

	atomic_fetch_add(&s->walks_ahead, 1);
	if (kv_sched_has_leisure(&s->sched, &r->job))
		n = max_ahead(s);
	n = kv_file_begin_ahead(r->object, n);
	if (n > 1)
		kv_loop_hand_over(&s->loop);
	if (n)
		kv_file_look_ahead(r->object, goes_on, r);
	atomic_fetch_sub(&s->walks_ahead, 1);
}

/* --- requests --- */

static void run(struct kv_request *r)
{
	struct kv_server *s = r->server;
	struct kv_read read = {
		.off = (uint64_t)r->off,
		.size = r->size,
		.cancelled = is_cancelled,
		.reply = reply,
		.arg = r,
	};
	struct kv_err err = {0};
	int rc;

	/* The reader of another one will soon ask for more. */
	if (r->is_long && at_work(s).reads > 1)
		kv_loop_hand_over(&s->loop);
	rc = kv_file_read(r->object, &read, &err);
	if (rc)
		kv_request_fail(r, report(s, rc, &err));
	look_ahead(r);
}

/* Where one walk gets stuck another one of the same would. */
static uint64_t lane_of(const struct kv_server *s, const struct kv_source *source)
{
	if (!source->view)
		return KV_LANE_TEXTS;
	return (uint64_t)(source->view - s->views->list) << 32 | (uint32_t)source->pid;
}

void kv_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
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
		.is_long = !kv_ino_who(kv_unseal_ino(&s->seal, ino)),
	};

	if (!file) {
		fuse_reply_err(req, ESTALE);
	} else if (kv_request_submit(&r, kv_file_user(file), lane_of(s, kv_file_source(file)))) {
		kv_drop_file(s, fi->fh);
		fuse_reply_err(req, ENOMEM);
	}
}
