// SPDX-License-Identifier: GPL-2.0-only
/*
 * READ requests: each waits for its turn, holding no thread, and is answered
 * once: by who has read, or with EINTR when its reader is interrupted, even
 * while the walk for it is stuck in the kernel.
 */
#include "read.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "file.h"

enum {
	STARTING,    /* libfuse may call interrupt() from where we are: no answer yet */
	EARLY,	     /* interrupted in that state */
	WAITING,     /* or being read: nobody has answered */
	INTERRUPTED, /* answered with EINTR: the request is gone */
	ANSWERING,
};

struct job {
	struct kv_turn turn; /* first: the turn is the job */
	struct kv_server *server;
	fuse_req_t req; /* may be touched while WAITING or ANSWERING alone */
	uint64_t handle;
	size_t size;
	off_t off;
	bool is_long; /* others must not wait for it */
	atomic_int state;
};

/*
 * libfuse calls it with the request locked: begin_answer() waits for us, so the
 * job is there as long as we have not answered.
 */
static void interrupt(fuse_req_t req, void *data)
{
	struct job *job = data;
	int starting = STARTING, waiting = WAITING;

	if (atomic_compare_exchange_strong(&job->state, &starting, EARLY))
		return;
	if (kv_turns_leave(&job->server->turns, &job->turn)) {
		free(job);
		fuse_reply_err(req, EINTR);
	} else if (atomic_compare_exchange_strong(&job->state, &waiting, INTERRUPTED)) {
		fuse_reply_err(req, EINTR);
	}
}

static bool is_interrupted(const struct job *job)
{
	return atomic_load(&job->state) == INTERRUPTED;
}

/* Before each chunk of records; for most processes one is all. */
static bool is_cancelled(void *arg)
{
	struct job *job = arg;

	if (job->is_long && kv_loop_has_requests(&job->server->loop))
		kv_loop_hand_over(&job->server->loop);
	job->is_long = true;
	return is_interrupted(job);
}

/* May we answer? From then on interrupt() is not called, nor is it under way. */
static bool begin_answer(struct job *job)
{
	int waiting = WAITING;

	if (!atomic_compare_exchange_strong(&job->state, &waiting, ANSWERING))
		return false;
	fuse_req_interrupt_func(job->req, NULL, NULL);
	return true;
}

static void answer_error(struct job *job, int rc)
{
	if (begin_answer(job))
		fuse_reply_err(job->req, -rc);
}

static void answer_bytes(void *arg, const struct iovec *iov, int n)
{
	struct job *job = arg;

	if (begin_answer(job))
		fuse_reply_iov(job->req, iov, n);
}

/* What the reader is told; what only we can do something about is told to the log. */
static int report(struct kv_server *s, int rc, const struct kv_err *err)
{
	if (kv_file_is_answer(rc))
		return rc;
	kv_complain(s, err->msg[0] ? err->msg : strerror(-rc));
	return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE ? rc : -EIO;
}

/* The file, whose reference is the caller's, or NULL. */
static struct kv_file *run(struct kv_server *s, struct job *job)
{
	struct kv_file *file = kv_handles_get(&s->files, job->handle);
	struct kv_read read = {
		.off = (uint64_t)job->off,
		.size = job->size,
		.cancelled = is_cancelled,
		.reply = answer_bytes,
		.arg = job,
	};
	struct kv_err err = {0};
	int rc;

	if (!file) {
		answer_error(job, -ESTALE);
		return NULL;
	}
	rc = kv_file_read(file, &read, &err);
	if (rc)
		answer_error(job, report(s, rc, &err));
	return file;
}

/* Reads at this moment. */
static unsigned int count_reads(struct kv_server *s)
{
	unsigned int running, waiting;

	kv_turns_count(&s->turns, &running, &waiting);
	return running;
}

static struct kv_at_work at_work(struct kv_server *s)
{
	return (struct kv_at_work){
		.files = kv_handles_count(&s->files),
		.reads = count_reads(s),
		.walks = atomic_load(&s->walks_ahead),
		.cpus = s->ncpus,
	};
}

struct walk {
	struct kv_server *server;
	uint64_t handle;
};

/* Not for a file that has been closed, nor for one of the dumps that came meanwhile. */
static bool goes_on(void *arg)
{
	const struct walk *walk = arg;
	struct kv_server *s = walk->server;
	struct kv_at_work now = at_work(s);

	return kv_ahead_goes_on(&now) && !kv_handles_is_last(&s->files, walk->handle) &&
	       !fuse_session_exited(s->loop.session);
}

static unsigned int max_ahead(struct kv_server *s)
{
	struct kv_at_work now = at_work(s);
	unsigned int max = kv_ahead_max(&now);

	return max == 1 && kv_loop_has_requests(&s->loop) ? 0 : max;
}

/* @is_free: nobody has waited for our turn */
static void look_ahead(struct kv_server *s, struct kv_file *file, uint64_t handle, bool is_free)
{
	struct walk walk = {s, handle};
	unsigned int n;

	atomic_fetch_add(&s->walks_ahead, 1);
	n = kv_file_begin_ahead(file, is_free ? max_ahead(s) : 0);
	if (n > 1)
		kv_loop_hand_over(&s->loop);
	if (n)
		kv_file_look_ahead(file, goes_on, &walk);
	atomic_fetch_sub(&s->walks_ahead, 1);
}

/* For the user of its turn, then for whom that turn is passed to. */
static void run_all(struct kv_server *s, struct job *job)
{
	while (job) {
		uint64_t handle = job->handle;
		uid_t uid = job->turn.uid;
		struct kv_file *file = is_interrupted(job) ? NULL : run(s, job);

		free(job);
		job = (struct job *)kv_turns_pass(&s->turns, uid);
		if (!file)
			continue;
		look_ahead(s, file, handle, !job);
		kv_drop_file(s, handle);
	}
}

/*
 * From here on interrupt() may answer. It can have come before its READ: then
 * libfuse calls it at once, and uses the request afterwards, so we answer.
 */
static bool await_interrupts(struct job *job)
{
	int starting = STARTING;

	fuse_req_interrupt_func(job->req, interrupt, job);
	if (atomic_compare_exchange_strong(&job->state, &starting, WAITING))
		return true;
	fuse_req_interrupt_func(job->req, NULL, NULL); /* waits for one that is under way */
	fuse_reply_err(job->req, EINTR);
	free(job);
	return false;
}

void kv_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct kv_server *s = fuse_req_userdata(req);
	struct job *job = malloc(sizeof(*job));
	int rc;

	if (!job) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	*job = (struct job){
		.turn = {.uid = fuse_req_ctx(req)->uid},
		.server = s,
		.req = req,
		.handle = fi->fh,
		.size = size,
		.off = off,
		.is_long = !kv_ino_who(kv_unseal_ino(&s->seal, ino)),
	};
	if (!await_interrupts(job))
		return;
	rc = kv_turns_take(&s->turns, &job->turn);
	if (rc < 0) {
		answer_error(job, rc);
		free(job);
	}
	if (rc <= 0)
		return;
	/* The reader of another one will soon ask for more. */
	if (job->is_long && count_reads(s) > 1)
		kv_loop_hand_over(&s->loop);
	run_all(s, job);
}

void kv_read_forget(struct kv_turn *turn)
{
	free(turn);
}
