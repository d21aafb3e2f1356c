/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a parent learns at once that its worker has been killed. A process with threads is waited
 * for until the last of them has ended, and one may hang in the kernel for ever. So one
 * thread of the worker alone has the other end of a pipe. It does nothing, so it hangs
 * nowhere, and ends with the signal that ends them all.
 *
 * It waits for the parent's end as well, by another pipe: without a parent nobody can
 * unmount, and the mount must not hang.
 */
#ifndef KVIEW_DAEMON_LIFELINE_H
#define KVIEW_DAEMON_LIFELINE_H

struct kv_lifeline {
	int own;    /* its end of the pipe that tells of us */
	int parent; /* and of the one that tells of the parent */
	int abort;  /* kv_connection.abort */
};

/**
 * kv_lifeline_hold() - in the worker: start that thread
 * @line: closed for all other threads on success
 *
 * Return: 0 or -errno.
 */
int kv_lifeline_hold(const struct kv_lifeline *line);

#endif
