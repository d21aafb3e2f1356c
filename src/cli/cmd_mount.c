// SPDX-License-Identifier: GPL-2.0-only
#include "cli/commands.h"
#include "fuse/daemon/serve.h"
#include "fuse/mount/umount.h"

int kv_cmd_mount(const struct kv_args *args, struct kv_err *err)
{
	struct kv_mount_opts opts = KV_MOUNT_OPTS_INIT;

	opts.pin_dir = args->pin_dir;
	opts.iter_dir = args->iter_dir;
	opts.foreground = args->foreground;
	opts.takeover = args->takeover;
	opts.warn = kv_warn_view;
	/* SOURCE is ignored: mount(8) and fstab have one. */
	if (args->n_operands)
		opts.mountpoint = args->operands[args->n_operands - 1];
	for (unsigned int i = 0; i < args->n_mount_words; i++)
		if (kv_mount_options(args->mount_words[i], &opts, err))
			return KV_USAGE;
	if (kv_mount_options_check(&opts, err))
		return KV_USAGE;
	return kv_mount(&opts, err);
}

int kv_cmd_umount(const struct kv_args *args, struct kv_err *err)
{
	return kv_umount(args->n_operands ? args->operands[0] : KV_MOUNTPOINT, err);
}
