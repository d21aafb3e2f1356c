/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far the kernel may walk ahead of who reads a file. Numbers alone, so that
 * the rules stand in one place.
 */
#ifndef KVIEW_FUSE_AHEAD_H
#define KVIEW_FUSE_AHEAD_H

#include <stdbool.h>

struct kv_at_work {
	unsigned int files; /* that are open */
	unsigned int reads; /* under way */
	unsigned int walks; /* ahead of readers, this one among them */
	unsigned int cpus;  /* for all these threads */
};

/**
 * kv_ahead_max() - buffers that may be walked ahead of a reader
 *
 * More than one while there is a CPU for it: then another thread takes them and makes
 * rows meanwhile, and answers whoever waits. One, if nobody does.
 */
unsigned int kv_ahead_max(const struct kv_at_work *w);

/* kv_ahead_goes_on() - another buffer? The file's own reader is served at the same time. */
bool kv_ahead_goes_on(const struct kv_at_work *w);

#endif
