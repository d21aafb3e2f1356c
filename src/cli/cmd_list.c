// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "cli/commands.h"
#include "load/pinset.h"
#include "access/reader.h"

static const char *pinned(const struct kv_args *args, const struct kv_view *view)
{
	struct kv_pins pins = KV_PINS_INIT;
	struct kv_view probe = *view;
	int rc = kv_pins_open(args->pin_dir, false, &pins, NULL);

	if (!rc && view->schema) {
		probe.is_loaded = false;
		rc = kv_pin_use(&pins, &probe, NULL);
		if (!rc)
			kv_view_unload(&probe);
	}
	kv_pins_close(&pins);
	return rc == -ENOENT ? "no" : rc == -ESTALE ? "stale" : rc ? "?" : "yes";
}

static void put_lacking(const struct kv_schema *schema)
{
	for (unsigned int i = 0; schema && i < schema->ncolumns; i++) {
		const struct kv_column *col = &schema->columns[i];

		if (col->lacks)
			printf("%-12s %-10s %-7s without %s: %s\n", "", "", "", col->name,
			       kv_column_why_lacks(col));
	}
}

static void put_view(const struct kv_args *args, struct kv_view *view)
{
	const char *is_pinned = pinned(args, view); /* first: it leaves what the pin lacks */
	bool supported = kv_view_support(view) != KV_SUPPORT_NO;

	printf("%-12s %-10s %-7s %s\n", view->name, supported ? "yes" : "no", is_pinned,
	       view->schema ? view->schema->shows : "-");
	if (view->others && *view->others)
		printf("%-12s %-10s %-7s not attached: %s\n", "", "", "", view->others);
	if (supported) {
		put_lacking(view->schema);
		return;
	}
	printf("%-12s %-10s %-7s %s%s%s\n", "", "", "", view->err.msg,
	       view->err.hint[0] ? "; " : "", view->err.hint);
}

/* Views that load are served if readers can be identified. Who may not load can't tell. */
static int check_readers(struct kv_views *views, struct kv_err *err)
{
	const struct kv_policy policy = {0};
	struct kv_host host = KV_HOST_INIT;
	int rc = kv_host_open(&host, &policy, true, NULL, views->types, err);

	kv_host_close(&host);
	return rc == -EPERM ? 0 : rc;
}

int kv_cmd_list(const struct kv_args *args, struct kv_err *err)
{
	struct kv_views views;
	int rc = kv_views_open(args->iter_dir, NULL, &views, err);

	if (rc)
		return rc;
	printf("%-12s %-10s %-7s %s\n", "VIEW", "SUPPORTED", "PINNED", "SHOWS");
	for (size_t i = 0; i < views.n; i++)
		put_view(args, &views.list[i]);
	rc = check_readers(&views, err);
	kv_views_close(&views);
	return rc;
}
