// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "load/kernel.h"
#include "load/pinset.h"
#include "access/reader.h"

/* @rc: of opening @pins */
static const char *is_pinned(const struct kv_pins *pins, int rc, struct kv_view *view)
{
	if (view->program)
		return "-"; /* it is loaded by whoever reads it */
	if (!rc && view->schema)
		rc = kv_pin_use(pins, view, NULL);
	kv_view_unload(view);
	return rc == -ENOENT ? "no" : rc == -ESTALE ? "stale" : rc ? "?" : "yes";
}

static void put_line(const char *name, const char *supported, const char *pinned, const char *shows)
{
	printf("%-12s %-10s %-7s %s", name, supported, pinned, shows);
}

/* While the pins are used, if there are any. */
static void put_collector(const struct kv_collectors *all, const struct kv_collector *c)
{
	struct kv_collector_use use;

	put_line("", "", "", "collects: ");
	printf("%s (%s)", c->name, c->section);
	if (!kv_collector_use(c, &use))
		printf(": %s\n", c->why				  ? c->why
				 : kv_collector_is_needed(all, c) ? "off"
								  : "not needed");
	else if (use.runs)
		printf(": %ju runs, %ju ns each, %ju missed\n", (uintmax_t)use.runs,
		       (uintmax_t)(use.ns / use.runs), (uintmax_t)use.missed);
	else
		printf(": on, %ju missed\n", (uintmax_t)use.missed);
}

static void put_collectors(struct kv_view *view, const struct kv_pins *pins)
{
	struct kv_collected counts;

	if (view->collectors.n && pins->fd >= 0)
		kv_pin_use(pins, view, NULL);
	for (size_t i = 0; i < view->collectors.n; i++)
		put_collector(&view->collectors, &view->collectors.list[i]);
	if (kv_collectors_counts(&view->collectors, &counts)) {
		put_line("", "", "", "collected: ");
		printf("%ju, dropped: %ju\n", (uintmax_t)counts.used, (uintmax_t)counts.dropped);
	}
	kv_view_unload(view);
}

static void put_view(struct kv_view *view, const char *pinned, const struct kv_pins *pins)
{
	const struct kv_schema *schema = view->schema;
	bool supported;

	view->collectors.wanted = KV_COLLECT_LOAD;
	supported = kv_view_is_supported(view);
	put_line(view->name, supported ? "yes" : "no", pinned, schema ? schema->shows : "");
	if (view->program)
		printf("raw: what its iter/%s prints%s", view->kind,
		       view->param == KV_PARAM_MAP ? " of a map" : "");
	else if (!schema)
		putchar('-');
	putchar('\n');
	if (view->others && *view->others) {
		put_line("", "", "", "not attached: ");
		puts(view->others);
	}
	put_collectors(view, pins);
	for (unsigned int i = 0; supported && schema && i < schema->ncolumns; i++) {
		if (!schema->columns[i].lacks)
			continue;
		put_line("", "", "", "without ");
		printf("%s: %s\n", schema->columns[i].name,
		       kv_column_why_lacks(&schema->columns[i]));
	}
	if (!supported) {
		put_line("", "", "", view->err.msg);
		printf("%s%s\n", view->err.hint[0] ? "; " : "", view->err.hint);
	}
}

/* Views that load are served if readers can be identified. Without rights that can't be told. */
static int check_readers(struct kv_views *views, struct kv_err *err)
{
	const struct kv_policy policy = KV_POLICY_INIT;
	struct kv_host host = KV_HOST_INIT;
	int rc = kv_host_open(&host, &policy, true, NULL, views->types, err);

	kv_host_close(&host);
	return rc == -EPERM ? 0 : rc;
}

/* "task, task_file" of the views of a kind; "-": there is none. */
static void put_users(const struct kv_views *views, const char *kind)
{
	bool any = false;

	for (size_t i = 0; i < views->n; i++) {
		if (strcmp(views->list[i].kind, kind) != 0)
			continue;
		printf("%s%s", any ? ", " : "", views->list[i].name);
		any = true;
	}
	puts(any ? "" : "-");
}

/* Those of this kernel; and those that are known and that it lacks. */
static int list_kinds(const struct kv_args *args, struct kv_err *err)
{
	struct kv_views views;
	char **kinds;
	int rc = kv_kernel_kinds(&kinds, err);

	if (rc)
		return rc;
	rc = kv_views_open(args->iter_dir, NULL, &views, err);
	if (rc) {
		kv_kernel_kinds_free(kinds);
		return rc;
	}
	printf("%-20s %-6s %-7s %-10s %s\n", "KIND", "LINUX", "HERE", "PARAMETER", "VIEWS");
	for (char **kind = kinds; *kind; kind++) {
		const struct kv_kind *k = kv_kind_find(*kind);

		printf("%-20s %-6s %-7s %-10s ", *kind, k ? k->since : "?", "yes",
		       k ? kv_param_name(k->param) : "?");
		put_users(&views, *kind);
	}
	for (const struct kv_kind *k = kv_kinds; k->name; k++) {
		char **kind = kinds;

		while (*kind && strcmp(*kind, k->name) != 0)
			kind++;
		if (*kind)
			continue;
		printf("%-20s %-6s %-7s %-10s ", k->name, k->since, "no", kv_param_name(k->param));
		put_users(&views, k->name);
	}
	kv_kernel_kinds_free(kinds);
	kv_views_close(&views);
	return 0;
}

int kv_cmd_list(const struct kv_args *args, struct kv_err *err)
{
	struct kv_pins pins = KV_PINS_INIT;
	_cleanup_free_ const char **pinned = NULL;
	struct kv_views views;
	int no_pins, rc;

	if (args->kinds)
		return list_kinds(args, err);
	rc = kv_views_open(args->iter_dir, NULL, &views, err);
	if (rc)
		return rc;
	pinned = calloc(views.n + 1, sizeof(*pinned));
	if (!pinned) {
		kv_views_close(&views);
		return kv_err_errno(err, -ENOMEM, "can't list the views");
	}
	/* First the pins: where a view can't be loaded, its schema has what the pin lacks. */
	no_pins = kv_pins_open(args->pin_dir, false, &pins, NULL);
	for (size_t i = 0; i < views.n; i++)
		pinned[i] = is_pinned(&pins, no_pins, &views.list[i]);
	put_line("VIEW", "SUPPORTED", "PINNED", "SHOWS\n");
	for (size_t i = 0; i < views.n; i++)
		put_view(&views.list[i], pinned[i], &pins);
	kv_pins_close(&pins);
	rc = check_readers(&views, err);
	kv_views_close(&views);
	return rc;
}
