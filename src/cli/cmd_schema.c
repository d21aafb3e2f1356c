// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "render/render.h"

int kv_cmd_schema(const struct kv_args *args, struct kv_err *err)
{
	_cleanup_free_ char *text = NULL;
	struct kv_views views;
	struct kv_view *view;
	int rc = kv_open_view(args, &views, &view, err);

	if (rc)
		return rc;
	if (view->program) {
		rc = kv_err_set(err, -EINVAL, "'%s' declares no view, so it has no columns",
				view->name);
	} else if (!view->schema) {
		*err = view->err;
		rc = view->rc;
	} else {
		text = kv_schema_put(view->schema);
		rc = text ? 0 : kv_err_errno(err, -ENOMEM, "can't print the schema");
	}
	if (!rc)
		fputs(text, stdout);
	kv_views_close(&views);
	return rc;
}
