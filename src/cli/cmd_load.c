// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "access/identity.h"
#include "cli/commands.h"
#include "load/pinset.h"

/* For `kview cat`, which has to identify its caller. */
static int pin_identity(const struct kv_pins *pins, struct kv_types *types, struct kv_err *err)
{
	struct kv_loaded query = KV_LOADED_INIT;
	int rc = kv_identity_open(pins, types, &query, err);

	if (!rc)
		rc = kv_identity_pin(pins, &query, err);
	kv_loaded_close(&query);
	return rc;
}

int kv_cmd_load(const struct kv_args *args, struct kv_err *err)
{
	struct kv_pins pins = KV_PINS_INIT;
	struct kv_views views;
	int rc = kv_views_open(args->iter_dir, NULL, &views, err);

	if (rc)
		return rc;
	rc = kv_pins_open(args->pin_dir, true, &pins, err);
	if (!rc)
		rc = kv_pinset_make(&pins, &views, true, kv_warn_view, err);
	if (!rc)
		rc = pin_identity(&pins, views.types, err);
	if (!rc)
		rc = kv_pins_keep(&pins, err);
	/* A load that failed removes a directory that it made. */
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
