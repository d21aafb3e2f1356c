// SPDX-License-Identifier: GPL-2.0-only
#include "ahead.h"

#include "iter/run.h"

/* Each file that was walked ahead of may keep 96 KiB more: only where few are open. */
#define MAX_FILES 4

/* And each walk may get stuck, with its thread, without a turn to be counted by. */
#define MAX_WALKS 4

unsigned int kv_ahead_max(const struct kv_at_work *w)
{
	if (w->files > MAX_FILES || w->walks > MAX_WALKS)
		return 0;
	return w->reads + w->walks < w->cpus ? KV_AHEAD_MAX : 1;
}

bool kv_ahead_goes_on(const struct kv_at_work *w)
{
	return w->reads + w->walks <= w->cpus;
}
