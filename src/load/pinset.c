// SPDX-License-Identifier: GPL-2.0-only
#include "load/pinset.h"

#include <errno.h>

static int make_one(const struct kv_pins *pins, struct kv_view *view, bool fresh)
{
	int rc;

	if (kv_view_is_broken(view))
		return view->rc;
	if (view->program)
		return kv_view_load(view);
	if (!fresh && kv_pin_use(pins, view, NULL) == 0)
		return 0;
	rc = kv_view_load(view);
	if (rc)
		return rc;
	view->rc = kv_pin_store(pins, view, &view->err);
	if (view->rc)
		kv_view_unload(view);
	return view->rc;
}

int kv_pinset_make(const struct kv_pins *pins, struct kv_views *views, bool fresh,
		   void (*warn)(const struct kv_view *view), struct kv_err *err)
{
	const struct kv_view *failed = NULL;
	size_t made = 0;

	for (size_t i = 0; i < views->n; i++) {
		struct kv_view *view = &views->list[i];
		int rc = make_one(pins, view, fresh);

		if (!rc)
			made++;
		else if (!failed || failed->rc == -EOPNOTSUPP)
			failed = view;
	}
	if (!made && failed) {
		*err = failed->err;
		return failed->rc;
	}
	for (size_t i = 0; i < views->n; i++)
		if (views->list[i].is_loaded || views->list[i].rc != -EOPNOTSUPP)
			warn(&views->list[i]);
	return 0;
}

int kv_pinset_get(const struct kv_pins *pins, struct kv_view *view, struct kv_err *err)
{
	int rc = view->is_loaded	? 0
		 : pins && view->schema ? kv_pin_use(pins, view, NULL)
					: -ENOENT;

	if (rc) {
		view->is_private = true;
		rc = kv_view_load(view);
	}
	if (rc)
		*err = view->err;
	return rc;
}
