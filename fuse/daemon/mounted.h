/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One mount, as its two processes have it. The holder mounts, keeps all that a
 * worker needs and restarts it; the worker serves. The worker is a child of
 * the holder, so it begins with what the holder has opened, and a crash of it
 * takes nothing of that away.
 */
#ifndef KVIEW_DAEMON_MOUNTED_H
#define KVIEW_DAEMON_MOUNTED_H

#include "fuse/daemon/connection.h"
#include "load/pinset.h"
#include "fuse/daemon/lifeline.h"
#include "fuse/daemon/shared.h"
#include "fuse/daemon/takeover.h"

struct fuse_session;

struct kv_mounted {
	struct kv_views views;
	struct kv_pins pins;
	struct kv_server server;
	struct kv_shared *shared;
	struct kv_connection connection;
	struct kv_predecessor before; /* whose mount it was until now, or nobody */
	struct fuse_session *session; /* of the connection; no request was read from it */
	char *mountpoint;
	bool allow_other;
	bool is_handed_on; /* a daemon has it now, pins included */
	int starter_fd;	   /* where who started the daemon waits for word, or -1 */
	void (*on_ready)(struct kv_mounted *m); /* called by the holder once the mount answers */
	int mount_lock;		     /* of the directory below the mount, until it is there */
	struct kv_lifeline lifeline; /* a worker's */
	int go_fd; /* a successor's first worker waits at it until it may serve; or -1 */
};

#endif
