// SPDX-License-Identifier: GPL-2.0-only
/*
 * Made-up kernels, each without one field that a view reads: lacks VIEW TYPES PID
 *
 * TYPES is a file of kernel types, of which each member is taken away in turn by giving it
 * another name. Prints for each
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

#include "iter/reader.h"
#include "iter/run.h"
#include "iter/types.h"
#include "iter/view.h"
#include "render/render.h"

static struct kv_host host;
static struct kv_reader reader;

/* A row as JSON, one member a column; freed by the caller. */
static char *read_row(struct kv_view *view, pid_t pid, struct kv_plan *plan)
{
	const struct kv_run_opts opts = {
		.reader = &reader,
		.host = &host,
		.pid = view->per_task ? pid : 0,
	};
	struct kv_run *run = NULL;
	struct kv_err why = {0};
	const void *record;
	uint32_t len;
	char *row, *end;

	kv_plan_all(plan, view->schema);
	if (kv_run_new(view, &opts, &run, &why) || kv_run_next(run, &record, &len, &why) != 1)
		errx(1, "%s: no row: %s", view->name, why.msg);
	row = malloc(kv_row_bound(plan, len) + 1);
	if (!row)
		err(1, "a row");
	end = kv_format_json.row(plan, record, row);
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

static void compare(const struct kv_view *view, const struct kv_plan *plan, const char *row,
		    const char *whole)
{
	for (unsigned int i = 0; i < plan->ncolumns; i++) {
		size_t n, m;
		const char *v = value_of(row, plan->columns[i], &n);
		const char *w = value_of(whole, plan->columns[i], &m);
		bool lacks = view->schema->lacks >> i & 1;

		if (lacks ? strncmp(v, "null", 4) != 0 : n != m || memcmp(v, w, n) != 0)
			errx(1, "%s%s: %.*s, was %.*s", plan->columns[i]->name,
			     lacks ? " (no value)" : "", (int)n, v, (int)m, w);
	}
}

static void tell(const struct kv_view *view)
{
	const struct kv_schema *schema = view->schema;
	const char *before = "without\t", *why = NULL;

	if (!schema->lacks)
		fputs("whole", stdout);
	for (unsigned int i = 0; i < schema->ncolumns; i++) {
		if (!(schema->lacks >> i & 1))
			continue;
		printf("%s%s", before, schema->columns[i].name);
		before = ",";
		why = why ? why : schema->columns[i].why_lacks;
	}
	printf("%s%s\n", why ? "\t" : "", why ? why : "");
}

/* @types: the kernel's, as the program finds them. @whole: the row of a whole view, or NULL. */
static char *try_on(struct btf *types, const char *name, pid_t pid, const char *whole)
{
	struct kv_views views;
	struct kv_err why = {0};
	struct kv_view *view;
	struct kv_plan plan;
	char *row = NULL;

	if (kv_views_open(NULL, &views, &why) || !(view = kv_views_find(&views, name, &why)))
		errx(1, "%s", why.msg);
	kv_types_free(views.types);
	view->types = views.types = kv_types_of(types);
	if (kv_view_load(view)) {
		printf("refused\t%s\n", view->err.msg);
	} else {
		tell(view);
		row = read_row(view, pid, &plan);
		if (whole)
			compare(view, &plan, row, whole);
	}
	kv_views_close(&views);
	return row;
}

static struct btf *parse(const char *path)
{
	struct btf *btf = btf__parse(path, NULL);

	if (!btf)
		err(1, "%s", path);
	return btf;
}

/* All of them, and of each kind of the kernel's name alone: STRUCT.MEMBER. */
static void take_away(const char *path, const char *name, pid_t pid, const char *whole)
{
	struct btf *all = parse(path);

	for (uint32_t id = 1; id < btf__type_cnt(all); id++) {
		const struct btf_type *t = btf__type_by_id(all, id);

		for (uint32_t i = 0; btf_is_composite(t) && i < btf_vlen(t); i++) {
			struct btf *types = parse(path);
			int gone = btf__add_str(types, "gone");
			struct btf_type *changed = (struct btf_type *)btf__type_by_id(types, id);
			uint32_t member = btf_members(t)[i].name_off;

			if (!*btf__name_by_offset(all, member)) {
				btf__free(types);
				continue;
			}
			btf_members(changed)[i].name_off = (uint32_t)gone;
			printf("%s.%s\t", btf__name_by_offset(all, t->name_off),
			       btf__name_by_offset(all, member));
			fflush(stdout);
			free(try_on(types, name, pid, whole));
		}
	}
	btf__free(all);
}

int main(int argc, char **argv)
{
	const struct kv_policy policy = {0};
	struct kv_err why = {0};
	char *whole;
	pid_t pid;

	if (argc != 4)
		errx(2, "VIEW TYPES PID");
	pid = (pid_t)atoi(argv[3]);
	host = KV_HOST_INIT;
	reader = KV_READER_INIT;
	kv_libbpf_log_init();
	if (kv_host_open(&host, &policy, false, NULL, &why) || kv_reader_self(&host, &reader, &why))
		errx(1, "%s", why.msg);
	fputs("all\t", stdout);
	whole = try_on(parse(argv[2]), argv[1], pid, NULL);
	if (!whole)
		errx(1, "%s does not load", argv[1]);
	take_away(argv[2], argv[1], pid, whole);
	free(whole);
	kv_reader_close(&reader);
	kv_host_close(&host);
	return 0;
}
