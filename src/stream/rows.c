// SPDX-License-Identifier: GPL-2.0-only
#include "stream/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void kv_rows_free(struct kv_rows *r)
{
	kv_run_free(r->run);
	free(r->text);
	free(r->pass);
	free(r->kept);
	*r = (struct kv_rows){0};
}

static int reserve(char **data, size_t *cap, size_t size)
{
	char *more = *cap < size ? realloc(*data, size) : *data;

	if (!more)
		return -ENOMEM;
	*data = more;
	*cap = *cap < size ? size : *cap;
	return 0;
}

/*
 * A format by column goes through the records once per column. They are kept, not read again:
 * a second walk would meet other tasks and later values, and metrics of one scrape must fit
 * together. So memory grows with the rows, up to a limit.
 */
static int keep_all(struct kv_rows *r, struct kv_err *err)
{
	const void *record;
	uint32_t len;
	int rc;

	while (!r->has_all) {
		rc = kv_run_next(r->run, &record, &len, err);
		if (rc < 0)
			return rc;
		r->has_all = rc == 0;
		if (r->has_all)
			break;
		if (r->len + len > r->kept_cap &&
		    (r->len + len > KV_ROWS_KEPT_MAX ||
		     reserve(&r->kept, &r->kept_cap, 2 * (r->len + len))))
			return kv_err_errno(err, -ENOMEM, "can't keep the rows");
		memcpy(r->kept + r->len, record, len);
		r->len += len;
	}
	return 0;
}

static int next_record(struct kv_rows *r, const void **record, uint32_t *len, struct kv_err *err)
{
	struct kv_head head;
	int rc;

	if (!r->format->by_column)
		return kv_run_next(r->run, record, len, err);
	rc = keep_all(r, err);
	if (rc || r->at == r->len)
		return rc;
	*record = r->kept + r->at;
	memcpy(&head, *record, sizeof(head));
	*len = head.len;
	r->at += head.len;
	return 1;
}

/* The plan of the next pass. 1; 0: there is none. */
static int begin_pass(struct kv_rows *r)
{
	if (!r->format->by_column)
		return r->npasses++ == 0;
	if (!r->pass)
		r->pass = malloc(sizeof(*r->pass));
	if (!r->pass)
		return -ENOMEM;
	if (!kv_plan_pass(r->plan, r->npasses++, r->pass))
		return 0;
	r->at = 0;
	return 1;
}

static int put_header(struct kv_rows *r, size_t *n)
{
	int rc = begin_pass(r);

	if (rc <= 0)
		return rc;
	if (reserve(&r->text, &r->cap, kv_header_bound(r->plan)))
		return -ENOMEM;
	*n = (size_t)(r->format->header(r->pass ? r->pass : r->plan, r->text) - r->text);
	r->is_headed = true;
	return 1;
}

int kv_rows_next(struct kv_rows *r, size_t *n, struct kv_err *err)
{
	const struct kv_plan *plan = r->pass ? r->pass : r->plan;
	const void *record;
	uint32_t len;
	int rc;

	if (!r->is_headed)
		return put_header(r, n);
	rc = next_record(r, &record, &len, err);
	if (rc == 0)
		return put_header(r, n);
	if (rc < 0)
		return rc;
	if (reserve(&r->text, &r->cap, kv_row_bound(plan, len)))
		return -ENOMEM;
	*n = (size_t)(r->format->row(plan, record, r->text) - r->text);
	r->nrows += r->npasses == 1;
	return 1;
}
