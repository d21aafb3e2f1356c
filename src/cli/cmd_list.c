// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "cli/commands.h"
#include "iter/pinset.h"

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
		const char *why = schema->columns[i].why_lacks;

		if (kv_schema_is_lacking(schema, i))
			printf("%-12s %-10s %-7s without %s%s%s\n", "", "", "",
			       schema->columns[i].name, why ? ": " : "", why ? why : "");
	}
}

static void put_view(const struct kv_args *args, struct kv_view *view)
{
	bool supported = kv_view_support(view) != KV_SUPPORT_NO; /* first: it finds why */
	const char *is_pinned = pinned(args, view);

	printf("%-12s %-10s %-7s %s\n", view->name, supported ? "yes" : "no", is_pinned,
	       view->schema ? view->schema->shows : "-");
	if (supported) {
		put_lacking(view->schema);
		return;
	}
	printf("%-12s %-10s %-7s %s%s%s\n", "", "", "", view->err.msg,
	       view->err.hint[0] ? "; " : "", view->err.hint);
}

int kv_cmd_list(const struct kv_args *args, struct kv_err *err)
{
	struct kv_views views;
	int rc = kv_views_open(args->iter_dir, &views, err);

	if (rc)
		return rc;
	printf("%-12s %-10s %-7s %s\n", "VIEW", "SUPPORTED", "PINNED", "SHOWS");
	for (size_t i = 0; i < views.n; i++)
		put_view(args, &views.list[i]);
	kv_views_close(&views);
	return 0;
}
