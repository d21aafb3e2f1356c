// SPDX-License-Identifier: GPL-2.0-only
#include "load/fit.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "load/view.h"
#include "schema/table.h"

struct fit {
	struct kv_view *view;
	uint64_t has; /* columns with which it loads */
	int rc;	      /* of what ended the search early, and @err says it; or 0 */
	struct kv_err *err;
};

static int load(struct kv_view *view, struct kv_loaded *loaded, struct kv_err *err)
{
	struct bpf_object *object = NULL;
	int rc = kv_object_open(view->name, view->image->data, view->image->size, view->types,
				view->kind, &object, err);

	if (!rc)
		rc = kv_object_load(object, view->kind, view->schema, view->fingerprint, loaded,
				    err);
	bpf_object__close(object);
	return rc;
}

static uint64_t all_columns(const struct kv_view *view)
{
	return UINT64_MAX >> (64 - view->schema->ncolumns);
}

static int try_with(struct kv_view *view, uint64_t has, struct kv_err *err)
{
	struct kv_loaded loaded = KV_LOADED_INIT;
	int rc;

	kv_schema_lack(view->schema, all_columns(view) & ~has);
	rc = load(view, &loaded, err);
	kv_loaded_close(&loaded);
	return rc;
}

/*
 * By the verifier, for what it has come by: another try without some columns may end better.
 * What is too long is so on any kernel, and a machine that is short of something stays so.
 */
static bool is_refused(int rc)
{
	return rc == -EINVAL || rc == -EACCES;
}

static void note(struct kv_column *column, const struct kv_err *err)
{
	const char *lacks = kv_load_lacks();

	free(column->why_lacks);
	if (asprintf(&column->why_lacks, "this kernel %s%s",
		     *lacks ? "has no " : "refuses what it is made of: ",
		     *lacks ? lacks : err->msg) < 0)
		column->why_lacks = NULL;
}

/* Those of the columns from @first on, @n of them, with which it loads as well: by halves. */
static void add(struct fit *fit, unsigned int first, unsigned int n)
{
	uint64_t some = UINT64_MAX >> (64 - n) << first;

	if (fit->rc)
		return;
	fit->rc = try_with(fit->view, fit->has | some, fit->err);
	if (!fit->rc) {
		fit->has |= some;
		return;
	}
	if (!is_refused(fit->rc))
		return;
	fit->rc = 0;
	if (n == 1) {
		note(&fit->view->schema->columns[first], fit->err);
		return;
	}
	add(fit, first, n / 2);
	add(fit, first + n / 2, n - n / 2);
}

int kv_fit_load(struct kv_view *view, struct kv_err *err)
{
	struct fit fit = {.view = view, .err = err};
	int rc;

	kv_schema_lack(view->schema, 0); /* what a pin lacked may be there */
	rc = load(view, &view->loaded, err);
	if (!rc || !is_refused(rc))
		return rc;
	/* If it does not load without any, it is for something else: that is to be told. */
	rc = try_with(view, 0, err);
	if (!rc) {
		add(&fit, 0, view->schema->ncolumns);
		rc = fit.rc;
	}
	kv_schema_lack(view->schema, rc ? 0 : all_columns(view) & ~fit.has);
	return rc ? rc : load(view, &view->loaded, err);
}
