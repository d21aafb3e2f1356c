// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/request.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* How often to ask whether a thread is being killed, which takes 1 to 10 us. */
#define ASK_EVERY (100 * KV_MS)

enum { WAITING, /* nobody has answered */ GIVEN_UP, /* the request is gone */ ANSWERING };

/*
 * libfuse calls it with the request locked: answer() waits for it, so the request is there as long
 * as nobody has answered.
 */
static void interrupt(fuse_req_t req, void *data)
{
	struct kv_request *r = data;

	(void)req;
	kv_sched_interrupt(&r->job);
}

/* May the caller answer? From then on interrupt() is not called, nor is it under way. */
static bool answer(struct kv_request *r, int how)
{
	int waiting = WAITING;

	if (!atomic_compare_exchange_strong(&r->state, &waiting, how))
		return false;
	fuse_req_interrupt_func(r->req, NULL, NULL);
	return true;
}

void kv_request_fail(struct kv_request *r, int rc)
{
	if (answer(r, ANSWERING))
		fuse_reply_err(r->req, -rc);
}

void kv_request_reply(struct kv_request *r, const struct iovec *iov, int n)
{
	if (answer(r, ANSWERING))
		fuse_reply_iov(r->req, iov, n);
}

bool kv_request_goes_on(struct kv_request *r)
{
	kv_sched_yield(&r->server->sched, &r->job);
	return atomic_load(&r->state) != GIVEN_UP;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 * KV_MS + (uint64_t)ts.tv_nsec;
}

/* The kernel sends one FUSE_INTERRUPT per request, so a deadly signal after another is not told. */
static bool is_being_killed(struct kv_request *r)
{
	uint64_t at = now();

	if (at - r->asked < ASK_EVERY)
		return false;
	r->asked = at;
	return kv_reader_is_being_killed(&r->server->host, r->tid);
}

static bool give_up(struct kv_job *job, bool is_stuck)
{
	struct kv_request *r = (struct kv_request *)job;

	if (atomic_load(&r->state) != WAITING || (!is_stuck && !is_being_killed(r)))
		return false;
	if (!answer(r, GIVEN_UP))
		return false;
	fuse_reply_err(r->req, EINTR);
	return true;
}

static void run(struct kv_job *job)
{
	struct kv_request *r = (struct kv_request *)job;

	r->run(r);
}

static void free_request(struct kv_job *job)
{
	struct kv_request *r = (struct kv_request *)job;

	r->drop(r->server, r->handle);
	free(r);
}

const struct kv_sched_ops kv_request_ops = {
	.run = run,
	.give_up = give_up,
	.free = free_request,
};

void kv_request_submit(const struct kv_request *like, uid_t uid, uint64_t lane)
{
	struct kv_request *r = malloc(sizeof(*r));

	if (!r) {
		fuse_reply_err(like->req, ENOMEM);
		like->drop(like->server, like->handle);
		return;
	}
	*r = *like;
	r->job = (struct kv_job){.uid = uid, .lane_id = lane};
	r->tid = fuse_req_ctx(r->req)->pid;
	/* FUSE_INTERRUPT may have come before its request: then libfuse calls interrupt() at once. */
	fuse_req_interrupt_func(r->req, interrupt, r);
	if (kv_sched_submit(&r->server->sched, &r->job)) {
		kv_request_fail(r, -ENOMEM);
		free_request(&r->job);
	}
}
