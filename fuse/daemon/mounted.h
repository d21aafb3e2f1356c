/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A mount, as its two processes have it. The supervisor mounts, keeps all that a worker needs,
 * and replaces a worker that crashes; the worker serves. It is a child of the supervisor, so it
 * begins with what the supervisor has opened, and its crash takes nothing of that away.
 */
#ifndef KVIEW_DAEMON_MOUNTED_H
#define KVIEW_DAEMON_MOUNTED_H

#include "access/courier.h"
#include "fuse/daemon/broker.h"
#include "fuse/daemon/connection.h"
#include "fuse/daemon/flight.h"
#include "fuse/daemon/lifeline.h"
#include "fuse/daemon/takeover.h"
#include "fuse/fs/server.h"
#include "fuse/mount/options.h"
#include "load/pinset.h"

struct fuse_session;

/* In memory that the processes share, so it outlives a worker. */
struct kv_shared {
	struct kv_flight flight;
	struct kv_facts facts;
	struct kv_log_state log;
	bool is_over;		       /* a worker has ended as it should */
	uint32_t generation;	       /* of workers; no two of one mount have the same */
	char why[128];		       /* a worker has ended by itself; "" for no reason */
	struct kv_counters counters[]; /* by view, as in kv_mounted.views */
};

struct kv_mounted {
	const struct kv_mount_opts *opts;
	char *mountpoint; /* absolute */
	struct kv_views views;
	struct kv_pins pins;
	struct kv_server server;
	struct kv_shared *shared;
	struct kv_connection connection;
	struct kv_predecessor before;	/* the daemon whose mount it was until now, or nobody */
	struct fuse_session *session;	/* of the connection; the supervisor reads no request */
	bool is_starter;		/* in this process: a daemon keeps the pins */
	bool is_handed_over;		/* another daemon has taken it over */
	int starter_fd;			/* who started the daemon waits there for word, or -1 */
	int mount_lock;			/* of the directory below the mount, until it is there */
	struct kv_lifeline lifeline;	/* of a worker */
	struct kv_broker_client broker; /* of a worker */
	struct kv_courier courier;	/* likewise */
};

#endif
