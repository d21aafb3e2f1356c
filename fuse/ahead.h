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
 * Return: KV_AHEAD_MAX where there is a CPU for it: another thread is to take them and
 * make rows meanwhile, and to answer whoever waits; 1: only if nobody waits; 0.
 */
unsigned int kv_ahead_max(const struct kv_at_work *w);

/* kv_ahead_goes_on() - another buffer? The file's own reader is served at the same time. */
bool kv_ahead_goes_on(const struct kv_at_work *w);

#endif
