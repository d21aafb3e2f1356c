/* SPDX-License-Identifier: GPL-2.0-only */
/* Words behind -o that must be taken, or refused. */
#ifndef KVIEW_UNIT_MOUNT_WORDS_H
#define KVIEW_UNIT_MOUNT_WORDS_H

#include "fuse/daemon/serve.h"
#include "unit.h"

static inline int parse(const char *words, struct kv_mount_opts *opts, struct kv_err *err)
{
	static char copy[1024]; /* outlives @opts, as promised to the parser */

	snprintf(copy, sizeof(copy), "%s", words);
	*opts = KV_MOUNT_OPTS_INIT;
	opts->pin_dir = "default";
	*err = (struct kv_err){0};
	return kv_mount_options(copy, opts, err);
}

/* Words that must be good; what they say. */
static inline struct kv_mount_opts taken(const char *words)
{
	struct kv_mount_opts opts;
	struct kv_err err;

	if (parse(words, &opts, &err))
		fail_msg("'%s' is refused: %s", words, err.msg);
	return opts;
}

static inline void refuse(const char *words, const char *message, const char *hint)
{
	struct kv_mount_opts opts;
	struct kv_err err;

	assert_int_equal(parse(words, &opts, &err), -EINVAL);
	assert_says(&err, message);
	assert_hints(&err, hint);
}

#endif
