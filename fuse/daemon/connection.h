/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A mount as the kernel has it: a connection, which lives as long as somebody
 * has a descriptor of it, and the requests in it. It outlives the processes
 * that serve it: what a worker had read and not answered when it ended is
 * given to the next, or fails.
 */
#ifndef KVIEW_DAEMON_CONNECTION_H
#define KVIEW_DAEMON_CONNECTION_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct kv_flight;

#define KV_CONNECTION_OTHERS 4

struct kv_connection {
	int kept;  /* what keeps it open: nobody reads from it */
	int fd;	   /* what workers read from; the same number for all of them */
	int abort; /* for kv_connection_abort(); -1: the kernel has none */
	dev_t dev; /* of the file system */
	int others[KV_CONNECTION_OTHERS]; /* of the process that it is shared with, until its end */
};

#define KV_CONNECTION_INIT \
	((struct kv_connection){.kept = -1, .fd = -1, .abort = -1, .others = {-1, -1, -1, -1}})

/**
 * kv_connection_mount() - a new one, mounted
 * @mountpoint: absolute, without links
 *
 * Return: 0 or -errno with @err set; @c is to be closed in any case.
 */
int kv_connection_mount(const char *mountpoint, bool allow_other, struct kv_connection *c,
			struct kv_err *err);

/**
 * kv_connection_share() - that of another holder
 * @pidfd: of the process; it goes on unharmed
 * @pid: the same
 *
 * Return: 0 or -errno with @err set; @c is to be closed in any case.
 */
int kv_connection_share(int pidfd, pid_t pid, const char *mountpoint, struct kv_connection *c,
			struct kv_err *err);

/* kv_connection_is_of() - has a process a descriptor of it? */
bool kv_connection_is_of(const struct kv_connection *c, pid_t pid);

/*
 * kv_connection_inherit() - after the end of the one it was shared with: what that had not
 * answered is for us, where the kernel can; otherwise it fails with the last descriptor of it
 *
 * Return: the kernel can.
 */
bool kv_connection_inherit(struct kv_connection *c);

/**
 * kv_connection_pass_on() - after the end of the process that read from @c->fd
 * @flight: what it had at hand; empty on return
 * @again: what it has not answered is for the next one, where the kernel can;
 *	   otherwise it fails with ECONNABORTED
 *
 * Return: 0 or -errno.
 */
int kv_connection_pass_on(struct kv_connection *c, struct kv_flight *flight, bool again);

/* kv_connection_has_ended() - it was unmounted, or aborted: nobody will ask any more */
bool kv_connection_has_ended(const struct kv_connection *c);

/**
 * kv_connection_abort() - who waits for an answer, and who asks from now on, gets an error
 * @abort: kv_connection.abort; nothing is done for -1
 *
 * Otherwise that would be so when the last descriptor of it is closed, which a thread
 * that hangs in the kernel may have.
 */
void kv_connection_abort(int abort);

/**
 * kv_connection_unmount() - take the mount away, from wherever it is now
 *
 * With its binds in this mount namespace, lazily where they are in use; who still has
 * it open gets errors. What somebody has mounted over it stays. Nothing happens if it has gone.
 */
void kv_connection_unmount(const struct kv_connection *c);

/* kv_connection_close() - without other owners: who still asks gets ENOTCONN */
void kv_connection_close(struct kv_connection *c);

#endif
