/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A live mount changes hands: a daemon that has all it needs to serve shares
 * the connection of the one that serves, tells it to go, and goes on. The
 * mount, its binds and what waits in the connection stay.
 */
#ifndef KVIEW_DAEMON_TAKEOVER_H
#define KVIEW_DAEMON_TAKEOVER_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct kv_connection;

/* Tells a holder to end its worker and itself, and to leave the mount alone. */
#define KV_SIG_HAND_OVER SIGUSR2

/* How long a worker may take for what it has begun before others wait too long. */
#define KV_HAND_OVER_MS 100

struct kv_predecessor {
	pid_t pid; /* its holder, 0: nobody */
	int pidfd;
	int lock; /* against other successors */
};

#define KV_PREDECESSOR_INIT ((struct kv_predecessor){.pidfd = -1, .lock = -1})

/**
 * kv_predecessor_find() - who serves a mount
 * @mountpoint: absolute, without links, with a kview mount that answers
 *
 * Return: 0 or -errno with @err set.
 */
int kv_predecessor_find(const char *mountpoint, struct kv_predecessor *before, struct kv_err *err);

/**
 * kv_predecessor_end() - have it end, and leave its mount to us
 * @c: what it shares with us; what it has not answered will be read from it
 *
 * To be called when all is ready to serve: there is no way back. If it does not end it is
 * killed, and if it hangs in the kernel so that it can't end it serves no more either.
 *
 * Return: as kv_connection_inherit().
 */
bool kv_predecessor_end(struct kv_predecessor *before, struct kv_connection *c);

void kv_predecessor_close(struct kv_predecessor *before);

#endif
