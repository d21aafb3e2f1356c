/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes of a run in one format, piece by piece: headers and rows. Knows nothing of files
 * and offsets.
 */
#ifndef KVIEW_STREAM_ROWS_H
#define KVIEW_STREAM_ROWS_H

#include "render/render.h"
#include "stream/run.h"

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

/* kv_rows_init() - nothing is iterated yet */
static inline void kv_rows_init(struct kv_rows *rows, struct kv_run *run,
				const struct kv_format *format, const struct kv_plan *plan)
{
	*rows = (struct kv_rows){.run = run, .format = format, .plan = plan};
}

/* kv_rows_free() - @rows may be all zero; it is afterwards */
void kv_rows_free(struct kv_rows *rows);

/**
 * kv_rows_next() - the next piece in rows->text
 * @n: on 1 its bytes; a header may have none
 *
 * Return: as kv_run_next(), and -ENOMEM. The first piece is a header, and asks for no record.
 */
int kv_rows_next(struct kv_rows *rows, size_t *n, struct kv_err *err);

#endif
