/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A FUSE connection: what the kernel has of a mount. It lives as long as a process has a
 * descriptor of it, so it outlives a worker. The requests that a dead worker had read and not
 * answered are given to the next one, or fail.
 */
#ifndef KVIEW_DAEMON_CONNECTION_H
#define KVIEW_DAEMON_CONNECTION_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct kv_flight;

#define KV_CONNECTION_OTHERS 4

struct kv_connection {
	int kept;  /* keeps the connection alive; nobody reads from it */
	int fd;	   /* workers read from it; the same number for all of them */
	int abort; /* for kv_connection_abort(); -1: the kernel has none */
	dev_t dev; /* of the file system */
	int others[KV_CONNECTION_OTHERS]; /* the predecessor's, until its end */
};

#define KV_CONNECTION_INIT \
	((struct kv_connection){.kept = -1, .fd = -1, .abort = -1, .others = {-1, -1, -1, -1}})

/**
 * kv_connection_mount() - make a connection, and mount it
 * @mountpoint: absolute, without links
 *
 * Return: 0 or -errno with @err set; @c is to be closed in any case.
 */
int kv_connection_mount(const char *mountpoint, bool allow_other, struct kv_connection *c,
			struct kv_err *err);

/**
 * kv_connection_share() - share the connection of another supervisor, which goes on unharmed
 * @pidfd: of that process
 * @pid: the same
 *
 * Return: 0 or -errno with @err set; @c is to be closed in any case.
 */
int kv_connection_share(int pidfd, pid_t pid, const char *mountpoint, struct kv_connection *c,
			struct kv_err *err);

/* kv_connection_is_worker() - does @pid, a child of @supervisor, hold its connection? */
bool kv_connection_is_worker(pid_t pid, pid_t supervisor);

/**
 * kv_connection_inherit() - take over the requests of a predecessor that has ended
 *
 * Those that it had not answered are read again if the kernel can give them back (Linux 6.9).
 * Otherwise they fail.
 *
 * Return: can the kernel?
 */
bool kv_connection_inherit(struct kv_connection *c);

/**
 * kv_connection_pass_on() - after the end of a worker, make the connection ready for the next
 * @flight: the requests that the worker had in hand; empty on return
 * @again: the next worker is to read them again, if the kernel can give them back; otherwise
 *	   they fail with ECONNABORTED
 *
 * Return: 0 or -errno.
 */
int kv_connection_pass_on(struct kv_connection *c, struct kv_flight *flight, bool again);

/**
 * kv_connection_abort() - end the connection: requests that wait, and all later ones, fail
 * @abort: kv_connection.abort; nothing is done for -1
 *
 * Closing all descriptors does so as well, but a thread that hangs in the kernel may keep one.
 */
void kv_connection_abort(int abort);

/**
 * kv_connection_unmount() - unmount the mount where it is now, and abort the connection
 *
 * Its bind mounts in this mount namespace go too, lazily where they are in use. Reads of files
 * that are open fail. Other mounts that cover it stay, and so does what they cover. Nothing
 * happens if the mount has gone.
 */
void kv_connection_unmount(const struct kv_connection *c);

/* kv_connection_close() - close all descriptors; if there are no others, requests fail (ENOTCONN) */
void kv_connection_close(struct kv_connection *c);

#endif
