/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of `kview mount`, and the words behind -o that set them. */
#ifndef KVIEW_MOUNT_OPTIONS_H
#define KVIEW_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>

#include "access/reader.h"
#include "base/err.h"
#include "load/view.h"

#define KV_MOUNTPOINT "/mnt/kview"

struct kv_mount_opts {
	const char *mountpoint;
	const char *pin_dir;
	const char *iter_dir; /* NULL: built-in views only */
	const char *collect;  /* as kv_views_collect() takes it; NULL: nothing */
	bool foreground;
	bool takeover;	  /* of a live mount, if there is one */
	bool allow_other; /* other users than the one who mounts may enter */
	struct kv_policy policy;
	unsigned int max_files;	     /* open at a time; 0: KV_MAX_FILES if possible */
	unsigned int max_user_files; /* of one user; 0: 256, or half of all */
	unsigned int cpu_percent;    /* of one CPU that a user may use; 0: as much as there is */
	void (*warn)(const struct kv_view *view); /* a view is left out */
};

#define KV_MAX_FILES 4096

#define KV_MOUNT_OPTS_INIT       \
	((struct kv_mount_opts){ \
		.mountpoint = KV_MOUNTPOINT, .policy = KV_POLICY_INIT, .cpu_percent = 50})

/**
 * kv_mount_options() - parse the words behind -o
 * @words: options with commas between; it is changed, and must live as long as @opts
 *
 * Return: 0 or -EINVAL with @err set.
 */
int kv_mount_options(char *words, struct kv_mount_opts *opts, struct kv_err *err);

/**
 * kv_mount_options_check() - do they go together?
 *
 * Return: 0 or -EINVAL with @err set.
 */
int kv_mount_options_check(const struct kv_mount_opts *opts, struct kv_err *err);

#endif
