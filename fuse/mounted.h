/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One mount, as its two processes have it. The holder mounts, keeps all that a
 * worker needs and restarts it; the worker serves. The worker is a child of
 * the holder, so it begins with what the holder has opened, and a crash of it
 * takes nothing of that away.
 */
#ifndef KVIEW_FUSE_MOUNTED_H
#define KVIEW_FUSE_MOUNTED_H

#include "connection.h"
#include "iter/pinset.h"
#include "lifeline.h"
#include "ops.h"
#include "takeover.h"

struct kv_mounted {
	struct kv_views views;
	struct kv_pins pins;
	struct kv_server server;
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

/**
 * kv_hold() - keep the mount served until it goes or a signal ends it
 *
 * For the holder, a process of one thread that has no file of the mount open
 * and never touches it: it would wait for itself. On return the mount is gone,
 * or another daemon has it.
 *
 * Return: 0, or -errno with @err set.
 */
int kv_hold(struct kv_mounted *m, struct kv_err *err);

/**
 * kv_work() - serve, in a child of the holder
 *
 * Return: the worker's exit status: 0: the mount has gone, or a signal ended it.
 */
int kv_work(struct kv_mounted *m);

#endif
