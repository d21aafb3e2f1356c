// SPDX-License-Identifier: GPL-2.0-only
#include "load/fit.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "load/said.h"
#include "load/view.h"
#include "schema/table.h"

/* Loads the view with the columns of @has alone; what was loaded before is closed. */
static int load(struct kv_view *view, uint64_t has, struct kv_err *err)
{
	struct bpf_object *object = NULL;
	int rc = kv_object_open(view->name, view->program, view->data, view->size, view->types,
				&object, err);

	kv_loaded_close(&view->loaded);
	kv_collectors_detach(&view->collectors);
	if (view->schema)
		kv_schema_lack(view->schema, ~has);
	if (!rc)
		kv_collectors_choose(&view->collectors, object);
	if (!rc)
		rc = kv_object_load(object, view->schema, view->is_private ? 0 : view->fingerprint,
				    &view->loaded, err);
	if (!rc)
		rc = kv_collectors_attach(&view->collectors, object, err);
	if (rc)
		kv_loaded_close(&view->loaded);
	bpf_object__close(object);
	return rc;
}

static struct bpf_object *open_again(const void *arg)
{
	const struct kv_view *view = arg;
	struct bpf_object *object = NULL;

	kv_object_parse(view->name, view->data, view->size, view->types, &object, NULL);
	return object;
}

/*
 * Did the verifier refuse the program? It may accept one without some columns. A program that
 * is too long is so on any kernel, and a lack of memory is no matter of columns.
 */
static bool is_refused(int rc)
{
	return rc == -EINVAL || rc == -EACCES;
}

/* Or one of its collectors: libbpf, for what it looks up, has other numbers. */
static bool is_of_program(int rc)
{
	return rc && rc != -EMFILE && rc != -ENOMEM;
}

static void note(struct kv_column *column, const struct kv_err *err)
{
	const char *lacks = kv_said_lacks();

	free(column->why_lacks);
	if (asprintf(&column->why_lacks, "this kernel %s%s",
		     *lacks ? "has no " : "refuses what it is made of: ",
		     *lacks ? lacks : err->msg) < 0)
		column->why_lacks = NULL;
}

/* Adds to @has those of the @n columns from @first on with which the view loads: by halves. */
static int add(struct kv_view *view, unsigned int first, unsigned int n, uint64_t *has,
	       struct kv_err *err)
{
	uint64_t some = UINT64_MAX >> (64 - n) << first & ~view->unwanted;
	int rc = some ? load(view, *has | some, err) : 0;

	if (!rc)
		*has |= some;
	if (!is_refused(rc))
		return rc;
	if (n == 1) {
		note(&view->schema->columns[first], err);
		return 0;
	}
	rc = add(view, first, n / 2, has, err);
	return rc ? rc : add(view, first + n / 2, n - n / 2, has, err);
}

int kv_fit_load(struct kv_view *view, struct kv_err *err)
{
	uint64_t has = 0;
	int rc = load(view, ~view->unwanted, err);

	if (is_of_program(rc) && kv_collectors_try(&view->collectors, open_again, view))
		rc = load(view, ~view->unwanted, err);
	if (!is_refused(rc) || !view->schema)
		return rc;
	/* A program that does not load without any column has another fault: that one is told. */
	rc = load(view, 0, err);
	if (!rc)
		rc = add(view, 0, view->schema->ncolumns, &has, err);
	if (!rc)
		return load(view, has, err);
	kv_loaded_close(&view->loaded);
	kv_schema_lack(view->schema, 0);
	return rc;
}
