// SPDX-License-Identifier: GPL-2.0-only
/*
 * Made-up kernels, each without one field that a view reads: lacks VIEW TYPES PID PART OF [shapes]
 *
 * PART of OF processes, counted from 0, does its part. TYPES is a file of kernel types, of which each member is taken away in turn by giving it
 * another name; or each number becomes one of another size. Prints for each
 *
 *   STRUCT.MEMBER TAB whole | refused TAB why | without TAB columns TAB why, of the first
 *
 * The row of process PID (the first row, of a view without processes) must be there, with
 * no value in those columns and the same as ever in all others; or else that is an error.
 */
#include <bpf/btf.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/reader.h"
#include "stream/run.h"
#include "load/said.h"
#include "load/types.h"
#include "load/view.h"
#include "render/render.h"

static struct kv_host host;
static struct kv_reader reader;
static struct kv_view *whole; /* the same view, on this kernel as it is */

/* A row as JSON, one member a column; freed by the caller. */
static char *read_row(struct kv_view *view, pid_t pid)
{
	const struct kv_run_opts opts = {
		.reader = &reader,
		.host = &host,
		.subset = kv_subset_process(view->param == KV_PARAM_TASK ? pid : 0, 0),
	};
	struct kv_run *run = NULL;
	struct kv_err why = {0};
	struct kv_plan plan;
	const void *record;
	uint32_t len;
	char *row, *end;

	kv_plan_all(&plan, view->schema);
	if (kv_run_new(view, &opts, &run, &why) || kv_run_next(run, &record, &len, &why) != 1)
		errx(1, "%s: no row: %s", view->name, why.msg);
	row = malloc(kv_row_bound(&plan, len) + 1);
	if (!row)
		err(1, "a row");
	end = kv_format_json.row(&plan, record, row);
	*end = '\0';
	kv_run_free(run);
	return row;
}

/* Where a column's value begins, and how long it is. */
static const char *value_of(const char *row, const struct kv_column *column, size_t *len)
{
	char key[KV_COLUMN_NAME + 4];
	const char *from;

	snprintf(key, sizeof(key), "\"%s\":", column->name);
	from = strstr(row, key);
	if (!from)
		errx(1, "no column %s in %s", column->name, row);
	from += strlen(key);
	*len = *from == '"' ? strcspn(from + 1, "\"") + 2 : strcspn(from, ",}");
	return from;
}

/* The first column that is neither as in @before nor as in @after, or lacks and has a value. */
static const char *wrong_column(const struct kv_schema *schema, const char *row, const char *before,
				const char *after)
{
	for (unsigned int i = 0; i < schema->ncolumns; i++) {
		const struct kv_column *column = &schema->columns[i];
		size_t n, nb, na;
		const char *v = value_of(row, column, &n);
		const char *b = value_of(before, column, &nb), *a = value_of(after, column, &na);

		if (schema->columns[i].lacks ? n != 4 || memcmp(v, "null", 4) != 0
					     : (n != nb || memcmp(v, b, n) != 0) &&
						       (n != na || memcmp(v, a, n) != 0))
			return column->name;
	}
	return NULL;
}

/* Of what others change meanwhile, as the counts of a cache, a second look tells. */
static void compare(struct kv_view *view, pid_t pid)
{
	const char *wrong = "";

	for (int try = 0; wrong && try < 20; try++) {
		char *before = read_row(whole, pid), *row = read_row(view, pid);
		char *after = read_row(whole, pid);

		wrong = wrong_column(view->schema, row, before, after);
		if (wrong && try == 19)
			errx(1, "%s: %s, was %s", wrong, row, after);
		free(before);
		free(row);
		free(after);
	}
}

static void tell(const struct kv_schema *schema)
{
	const char *before = "without\t", *why = NULL;

	char columns[1024];

	if (!kv_schema_put_lacking(schema, columns, sizeof(columns)))
		fputs("whole", stdout);
	for (unsigned int i = 0; i < schema->ncolumns; i++) {
		if (!schema->columns[i].lacks)
			continue;
		printf("%s%s", before, schema->columns[i].name);
		before = ",";
		why = why ? why : schema->columns[i].why_lacks;
	}
	printf("%s%s\n", why ? "\t" : "", why ? why : "");
}

/* @types: the kernel's, as the program finds them. */
static struct kv_view *open_on(struct btf *types, const char *name, struct kv_views *views)
{
	struct kv_err why = {0};
	struct kv_view *view;

	if (kv_views_open(NULL, NULL, views, &why) || !(view = kv_views_find(views, name, &why)))
		errx(1, "%s", why.msg);
	kv_types_free(views->types);
	view->types = views->types = kv_types_new(types);
	return view;
}

static void try_on(struct btf *types, const char *name, pid_t pid)
{
	struct kv_views views;
	struct kv_view *view = open_on(types, name, &views);

	if (kv_view_load(view)) {
		printf("refused\t%s\n", view->err.msg);
	} else {
		tell(view->schema);
		compare(view, pid);
	}
	kv_views_close(&views);
}

static struct btf *parse(const char *path)
{
	struct btf *btf = btf__parse(path, NULL);

	if (!btf)
		err(1, "%s", path);
	return btf;
}

/* Takes a member away, or if it is a number makes it one of another size. */
static bool change(struct btf *types, uint32_t id, uint32_t i, bool shapes)
{
	int of = btf__resolve_type(types, btf_members(btf__type_by_id(types, id))[i].type);
	const struct btf_type *type = btf__type_by_id(types, (uint32_t)of);
	struct btf_member *m;
	int to;

	if (shapes && !btf_is_int(type) && !btf_is_any_enum(type))
		return false;
	to = shapes ? btf__add_int(types, "gone", type->size == 8 ? 4 : 8, 0)
		    : btf__add_str(types, "gone");
	if (to < 0)
		errx(1, "%s", strerror(-to));
	m = &btf_members(btf__type_by_id(types, id))[i]; /* it may have moved */
	if (shapes)
		m->type = (uint32_t)to;
	else
		m->name_off = (uint32_t)to;
	return true;
}

static void take_away(const char *path, const char *name, pid_t pid, unsigned int part,
		      unsigned int of, bool shapes)
{
	struct btf *all = parse(path);
	unsigned int n = 0;

	for (uint32_t id = 1; id < btf__type_cnt(all); id++) {
		const struct btf_type *t = btf__type_by_id(all, id);

		for (uint32_t i = 0; btf_is_composite(t) && i < btf_vlen(t); i++) {
			uint32_t member = btf_members(t)[i].name_off;
			struct btf *types;

			if (n++ % of != part)
				continue;
			types = parse(path);
			if (!*btf__name_by_offset(all, member) || !change(types, id, i, shapes)) {
				btf__free(types);
				continue;
			}
			printf("%s.%s\t", btf__name_by_offset(all, t->name_off),
			       btf__name_by_offset(all, member));
			fflush(stdout);
			try_on(types, name, pid);
		}
	}
	btf__free(all);
}

int main(int argc, char **argv)
{
	const struct kv_policy policy = {0};
	struct kv_err why = {0};
	struct kv_views views;
	char columns[1024];
	pid_t pid;

	if ((argc != 6 && (argc != 7 || strcmp(argv[6], "shapes") != 0)) || atoi(argv[5]) < 1)
		errx(2, "VIEW TYPES PID PART OF [shapes]");
	pid = (pid_t)atoi(argv[3]);
	host = KV_HOST_INIT;
	reader = KV_READER_INIT;
	kv_libbpf_log_init();
	if (kv_host_open(&host, &policy, false, NULL, NULL, &why) ||
	    kv_reader_self(&host, &reader, &why))
		errx(1, "%s", why.msg);
	whole = open_on(parse(argv[2]), argv[1], &views);
	if (kv_view_load(whole) || kv_schema_put_lacking(whole->schema, columns, sizeof(columns)))
		errx(1, "%s is not whole on this kernel: %s", argv[1], whole->err.msg);
	take_away(argv[2], argv[1], pid, (unsigned int)atoi(argv[4]), (unsigned int)atoi(argv[5]),
		  argc == 7);
	kv_views_close(&views);
	kv_reader_close(&reader);
	kv_host_close(&host);
	return 0;
}
