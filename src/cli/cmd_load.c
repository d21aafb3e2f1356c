// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "cli/commands.h"
#include "load/pinset.h"

int kv_cmd_load(const struct kv_args *args, struct kv_err *err)
{
	struct kv_pins pins = KV_PINS_INIT;
	struct kv_views views;
	int rc = kv_views_open(args->iter_dir, &views, err);

	if (rc)
		return rc;
	rc = kv_pins_open(args->pin_dir, true, &pins, err);
	if (!rc)
		rc = kv_pinset_make(&pins, &views, true, kv_warn_view, err);
	if (!rc)
		rc = kv_pins_keep(&pins, err);
	/* A load that failed leaves no directory that it made. */
	if (pins.dir && rc)
		kv_pins_release(&pins);
	kv_pins_close(&pins);
	kv_views_close(&views);
	return rc;
}

int kv_cmd_unload(const struct kv_args *args, struct kv_err *err)
{
	struct kv_pins pins = KV_PINS_INIT;
	int rc = kv_pins_open(args->pin_dir, false, &pins, err);

	if (rc == -ENOENT)
		return 0; /* nothing to remove */
	if (!rc)
		rc = kv_pins_remove(&pins, err);
	kv_pins_close(&pins);
	return rc;
}
