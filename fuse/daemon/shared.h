/* SPDX-License-Identifier: GPL-2.0-only */
/* What outlives a worker, in memory that it shares with its parent. */
#ifndef KVIEW_DAEMON_SHARED_H
#define KVIEW_DAEMON_SHARED_H

#include "fuse/daemon/flight.h"
#include "fuse/fs/server.h"

struct kv_shared {
	struct kv_flight flight;
	struct kv_facts facts;
	struct kv_log_state log;
	bool is_over;		       /* a worker has ended as it should */
	uint32_t generation;	       /* of workers; no two of one mount have the same */
	char why[128];		       /* a worker has ended by itself, "" for no reason */
	struct kv_counters counters[]; /* by view, as in kv_server.views */
};

#endif
