// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/commands.h"
#include "fuse/mount/options.h"
#include "fuse/mount/umount.h"

#define MAX_STATUS (1 << 20)

int kv_cmd_status(const struct kv_args *args, struct kv_err *err)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t n;
	int rc = kv_status_path(args->n_operands ? args->operands[0] : KV_MOUNTPOINT, &path, err);

	if (!rc)
		rc = kv_read_file(path, MAX_STATUS, &text, &n, err);
	if (!rc)
		fwrite(text, 1, n, stdout);
	return rc;
}
