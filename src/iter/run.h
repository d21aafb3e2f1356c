/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One iteration of a view, record by record. The kernel walks in the thread
 * that asks for the next record, as far as one buffer; nothing is walked
 * before the first one is asked for, and ahead only if the caller says so.
 */
#ifndef KVIEW_ITER_RUN_H
#define KVIEW_ITER_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "iter/chunks.h"
#include "iter/reader.h"
#include "iter/view.h"

struct kv_run;

struct kv_run_opts {
	const struct kv_reader *reader; /* on whose behalf; must outlive the run */
	const struct kv_host *host;	/* for lists of threads, see iter/walk.h; or NULL */
	pid_t pid;			/* only this process and its threads; 0: all */
	uint64_t start; /* kv_process.start, so that no later one of that pid is shown; 0: any */
	bool (*cancelled)(void *arg); /* asked before each read; NULL: never */
	void *arg;
};

/**
 * kv_run_new() - prepare an iteration
 * @view: loaded, must outlive the run
 *
 * Return: 0, or -errno with @err set; -ENOENT: no process has that pid.
 */
int kv_run_new(const struct kv_view *view, const struct kv_run_opts *opts, struct kv_run **run,
	       struct kv_err *err);

/* kv_run_free() - waits for kv_run_ahead() in another thread, which takes no further buffer */
void kv_run_free(struct kv_run *run);

/* kv_run_on_behalf() - change whom kv_run_opts.cancelled asks about */
void kv_run_on_behalf(struct kv_run *run, void *arg);

/**
 * kv_run_next() - the next record
 * @record: on 1 a sound record, valid until the next call
 * @len: on 1 its bytes
 *
 * Return: 1; 0 at the end; -EINTR: cancelled, may be called again; another
 * -errno with @err set: the iteration is over, what came before is not all.
 * -EACCES: the process has rows, and the reader has no right to any.
 */
int kv_run_next(struct kv_run *run, const void **record, uint32_t *len, struct kv_err *err);

#define KV_AHEAD_MAX KV_CHUNKS_MAX

/**
 * kv_run_begin_ahead() - will the caller have the kernel walk on, by kv_run_ahead()? It must.
 * @max: buffers that may wait to be taken, at most KV_AHEAD_MAX
 *
 * For who has what it asked for and will ask for more.
 *
 * Return: false: no. Somebody else does, as many wait, or there is no more.
 */
bool kv_run_begin_ahead(struct kv_run *run, unsigned int max);

/**
 * kv_run_ahead() - after kv_run_begin_ahead(): walk on until as many buffers wait
 * @goes_on: asked before each but the first; NULL: yes
 *
 * Other threads may take records meanwhile: where they have none they wait for this
 * one. What comes of it, and be it a failure, comes with the next records.
 */
void kv_run_ahead(struct kv_run *run, bool (*goes_on)(void *arg), void *arg);

/* kv_run_is_ahead() - is a thread at that? */
bool kv_run_is_ahead(struct kv_run *run);

/**
 * kv_run_settle() - keep no more memory than the records that are still to be taken
 *
 * For who has what it asked for and may be long in asking for more. The last one
 * taken is no longer valid. Does nothing during kv_run_ahead().
 */
void kv_run_settle(struct kv_run *run);

#endif
