/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One iteration of a view, record by record, or as rows in a format. The thread that asks for the
 * next record reads the iterator, one chunk at a time, and so does a thread that prefetches.
 * Nothing is read before the first record is asked for.
 */
#ifndef KVIEW_STREAM_RUN_H
#define KVIEW_STREAM_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "access/reader.h"
#include "load/view.h"
#include "render/render.h"

struct kv_run;

/* Which rows to show: those of one object, which the link's parameters name. Zeroed: all rows. */
struct kv_subset {
	struct kv_link link;
	pid_t pid;	/* the process that @link names; 0: @link names no process */
	uint64_t start; /* kv_process.start, so no later process of that pid is shown; 0: any */
};

/* kv_subset_process() - a process and its threads; @pid 0: all of them */
struct kv_subset kv_subset_process(pid_t pid, uint64_t start);

struct kv_run_opts {
	const struct kv_reader *reader; /* on whose behalf; must outlive the run */
	const struct kv_host *host;	/* for lists of threads, see stream/walk.h; or NULL */
	struct kv_subset subset;
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

/* kv_run_free() - waits for kv_run_prefetch() in another thread, which fills no further buffer */
void kv_run_free(struct kv_run *run);

/* kv_run_on_behalf() - change the argument of kv_run_opts.cancelled */
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

/**
 * kv_run_bytes() - the next bytes of a raw iterator, as it printed them
 * @bytes: on 1 valid until the next call
 *
 * Return: as kv_run_next().
 */
int kv_run_bytes(struct kv_run *run, const char **bytes, size_t *n, struct kv_err *err);

/**
 * kv_run_begin_prefetch() - may the caller prefetch? If so it must call kv_run_prefetch()
 *
 * Return: false: another thread does, the buffers are full, or nothing is left.
 */
bool kv_run_begin_prefetch(struct kv_run *run);

/**
 * kv_run_prefetch() - after kv_run_begin_prefetch(): read on until the buffers are full
 * @goes_on: asked before each read but the first; NULL: yes
 *
 * Another thread may take records meanwhile, and waits for this thread if there are none. A
 * failure is reported to that thread, after the records that were read before it.
 */
void kv_run_prefetch(struct kv_run *run, bool (*goes_on)(void *arg), void *arg);

/* kv_run_is_prefetching() - does a thread prefetch at present? */
bool kv_run_is_prefetching(struct kv_run *run);

/**
 * kv_run_settle() - keep no more memory than the records that are still to be taken
 *
 * For a reader that may not ask for more for a long time. The last record taken is no longer
 * valid. Does nothing while a thread prefetches.
 */
void kv_run_settle(struct kv_run *run);

/* --- the same as rows in a format --- */

/* Records that a format by column may keep. Beyond that the rows fail with -ENOMEM. */
#define KV_ROWS_KEPT_MAX (64u << 20)

struct kv_rows {
	struct kv_run *run; /* freed with the rows */
	const struct kv_format *format;
	const struct kv_plan *plan; /* must outlive the rows */
	char *text;		    /* the last piece */
	size_t cap;
	bool is_headed; /* the header of this pass has come */
	uint64_t nrows;
	/* Of a format by column: */
	struct kv_plan *pass; /* the plan of this pass, from kv_plan_pass() */
	unsigned int npasses; /* that were begun */
	char *kept;	      /* all records, one behind the other */
	size_t at, len, kept_cap;
	bool has_all;
};

/* kv_rows_init() - nothing is iterated yet; @format, @plan: NULL for a raw iterator */
static inline void kv_rows_init(struct kv_rows *rows, struct kv_run *run,
				const struct kv_format *format, const struct kv_plan *plan)
{
	*rows = (struct kv_rows){.run = run, .format = format, .plan = plan};
}

/* kv_rows_free() - @rows may be all zero; it is afterwards */
void kv_rows_free(struct kv_rows *rows);

/**
 * kv_rows_next() - the next piece in rows->text, of a raw iterator what it printed
 * @n: on 1 its bytes; a header may have none
 *
 * Return: as kv_run_next(), and -ENOMEM. The first piece is a header, and asks for no record.
 */
int kv_rows_next(struct kv_rows *rows, size_t *n, struct kv_err *err);

#endif
