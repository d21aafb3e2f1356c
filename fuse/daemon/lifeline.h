/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread of the worker that does nothing but hold one end of a socket pair. The supervisor has
 * the other end, so each of the two learns at once of the other's death.
 *
 * That takes a thread of its own: a process that is killed ends with its last thread, and a
 * thread that hangs in the kernel may never end. This one hangs nowhere. When the supervisor
 * dies, nobody can unmount any more: then the thread aborts the connection, so that no reader
 * hangs, and ends the worker.
 */
#ifndef KVIEW_DAEMON_LIFELINE_H
#define KVIEW_DAEMON_LIFELINE_H

#include <stdatomic.h>
#include <stdbool.h>

struct kv_lifeline {
	int fd;		      /* the worker's end of the socket pair */
	int abort;	      /* kv_connection.abort */
	atomic_bool is_owner; /* of the connection, which a predecessor may still have */
};

/**
 * kv_lifeline_hold() - in the worker: start that thread
 * @line: must live as long as the process
 * @shares_fd: @line->fd stays open in the caller's table, too; the caller must close it before any
 *	       of its threads can hang
 *
 * From then on the thread has a descriptor table of its own. In the table of the caller, and of
 * threads that it starts, @line->abort is closed.
 *
 * Return: 0 or -errno.
 */
int kv_lifeline_hold(struct kv_lifeline *line, bool shares_fd);

#endif
