// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "load/pinset.h"
#include "stream/run.h"
#include "render/render.h"

#define FLUSH 65536u

struct sink {
	char *buf;
	size_t len, cap;
};

static int flush_sink(struct sink *s, struct kv_err *err)
{
	for (size_t done = 0; done < s->len;) {
		ssize_t n = write(STDOUT_FILENO, s->buf + done, s->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return kv_err_errno(err, -errno, "can't write to standard output");
		done += (size_t)n;
	}
	s->len = 0;
	return 0;
}

/* Room for @n bytes behind what is there, written out first where it is much. */
static int reserve(struct sink *s, size_t n, struct kv_err *err)
{
	int rc = s->len >= FLUSH ? flush_sink(s, err) : 0;
	char *more;

	if (rc || s->cap - s->len >= n)
		return rc;
	more = realloc(s->buf, s->len + n + FLUSH);
	if (!more)
		return kv_err_errno(err, -ENOMEM, "can't print");
	s->buf = more;
	s->cap = s->len + n + FLUSH;
	return 0;
}

static int put_rows(struct kv_run *run, const struct kv_plan *plan, const struct kv_format *format,
		    struct sink *s, struct kv_err *err)
{
	const void *record;
	uint32_t len;
	int rc, more = 1;

	rc = reserve(s, kv_header_bound(plan), err);
	if (rc)
		return rc;
	s->len = (size_t)(format->header(plan, s->buf + s->len) - s->buf);
	while (!rc && (more = kv_run_next(run, &record, &len, err)) > 0) {
		rc = reserve(s, kv_row_bound(plan, len), err);
		if (!rc)
			s->len = (size_t)(format->row(plan, record, s->buf + s->len) - s->buf);
	}
	if (rc || more == -EACCES) /* no row was there to see: a header alone would say so */
		return rc ? rc : more;
	rc = flush_sink(s, err); /* what came before a failure is out */
	return more < 0 ? more : rc;
}

static int choose(const struct kv_args *args, const struct kv_view *view, struct kv_plan *plan,
		  const struct kv_format **format, struct kv_err *err)
{
	char names[KV_FORMAT_NAMES];

	*format = kv_format_find(args->format);
	if (!*format) {
		kv_format_names(" and ", names);
		kv_err_set(err, KV_USAGE, "unknown format '%s'", args->format);
		kv_err_hint(err, "formats are %s", names);
		return KV_USAGE;
	}
	if (!view->schema) { /* broken: loading it tells why */
		*plan = (struct kv_plan){0};
		return 0;
	}
	kv_plan_all(plan, view->schema);
	if (args->columns && kv_plan_pick(plan, view->schema, args->columns, err)) {
		kv_err_hint(err, "`kview schema %s` lists the columns", view->name);
		return KV_USAGE;
	}
	return 0;
}

/* As the mount's file would show it to the caller. */
static int cat_as(const struct kv_host *host, const struct kv_reader *reader,
		  const struct kv_args *args, const struct kv_view *view,
		  const struct kv_plan *plan, const struct kv_format *format, struct kv_err *err)
{
	struct kv_run_opts opts = {
		.reader = reader,
		.host = host,
		.subset = kv_subset_process(args->pid, 0),
	};
	struct kv_run *run = NULL;
	struct sink s = {0};
	int rc = kv_run_new(view, &opts, &run, err);

	if (!rc)
		rc = put_rows(run, plan, format, &s, err);
	kv_run_free(run);
	free(s.buf);
	return rc;
}

static int cat_view(const struct kv_args *args, struct kv_view *view, struct kv_types *types,
		    struct kv_err *err)
{
	const struct kv_policy policy = {0};
	struct kv_reader reader = KV_READER_INIT;
	struct kv_host host = KV_HOST_INIT;
	struct kv_pins dir = KV_PINS_INIT, *pins = NULL;
	const struct kv_format *format;
	struct kv_plan plan;
	int rc = choose(args, view, &plan, &format, err);

	if (!rc && kv_pins_open(args->pin_dir, false, &dir, NULL) == 0)
		pins = &dir;
	if (!rc)
		rc = kv_pinset_get(pins, view, err);
	if (!rc)
		rc = kv_host_open(&host, &policy, false, pins, types, err);
	if (!rc)
		rc = kv_reader_self(&host, &reader, err);
	if (!rc)
		rc = cat_as(&host, &reader, args, view, &plan, format, err);
	kv_reader_close(&reader);
	kv_host_close(&host);
	kv_pins_close(&dir);
	return rc;
}

int kv_cmd_cat(const struct kv_args *args, struct kv_err *err)
{
	struct kv_views views;
	struct kv_view *view;
	int rc = kv_open_view(args, &views, &view, err);

	if (rc)
		return rc;
	rc = cat_view(args, view, views.types, err);
	kv_views_close(&views);
	return rc;
}
