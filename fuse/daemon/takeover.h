/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The takeover of a live mount: the successor is ready to serve, shares the connection of the
 * daemon that serves, its predecessor, tells it to end, and then serves. The mount, its bind
 * mounts and the requests that wait in the connection stay.
 */
#ifndef KVIEW_DAEMON_TAKEOVER_H
#define KVIEW_DAEMON_TAKEOVER_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct kv_connection;

/* Tells a supervisor to end its worker and itself, and to leave the mount alone. */
#define KV_SIG_HAND_OVER SIGUSR2

/* So long a worker may take for the requests that it has begun; meanwhile others wait. */
#define KV_HAND_OVER_MS 100

struct kv_predecessor {
	pid_t pid; /* its supervisor; 0: nobody served the mount */
	int pidfd; /* the same */
	int lock;  /* against other successors */
};

#define KV_PREDECESSOR_INIT ((struct kv_predecessor){.pidfd = -1, .lock = -1})

/**
 * kv_predecessor_find() - find the daemon that serves a mount, and keep other successors away
 * @mountpoint: absolute, without links, with a kview mount that answers
 *
 * Return: 0 or -errno with @err set.
 */
int kv_predecessor_find(const char *mountpoint, struct kv_predecessor *before, struct kv_err *err);

/**
 * kv_predecessor_end() - end the predecessor
 * @c: its connection, as of kv_connection_share()
 *
 * To be called when the successor is ready to serve: there is no way back. A predecessor that
 * does not end is killed; one that hangs in the kernel after that serves no more either.
 *
 * Return: as kv_connection_inherit().
 */
bool kv_predecessor_end(struct kv_predecessor *before, struct kv_connection *c);

void kv_predecessor_close(struct kv_predecessor *before);

#endif
