/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages of the daemon, to the log daemon or to standard error. The daemon never waits: a
 * message that can't be written at once is dropped, and the next message tells how many were
 * dropped.
 */
#ifndef KVIEW_BASE_LOG_H
#define KVIEW_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * In memory that all processes of a mount share, so that a new worker continues the counts. It
 * has no locks: a worker may be killed at any instruction.
 */
struct kv_log_state {
	atomic_llong full_at; /* when the bucket of messages will be full again, in ns */
	atomic_uint dropped;  /* messages since the last one that was written */
	atomic_bool is_cut;   /* the last one was written in part */
};

struct kv_log {
	int fd; /* -1: every message is dropped */
	bool is_socket;
	const char *path; /* of the log daemon's socket; NULL: @fd is standard error */
	struct kv_log_state *state;
};

/**
 * kv_log_to_daemon() - send messages as syslog(3) does: facility daemon, priority err
 * @path: of a datagram socket; must outlive @log. Each message is sent to whatever socket has
 *	  that path then, since the log daemon may be restarted.
 *
 * The descriptor is opened now: later there may be none left.
 */
void kv_log_to_daemon(struct kv_log *log, const char *path, struct kv_log_state *state);

/**
 * kv_log_to_stderr() - write messages to standard error
 *
 * A pipe or terminal is opened again, without blocking: O_NONBLOCK on the descriptor itself
 * would also affect other processes that have it. Where that fails messages go to the log
 * daemon.
 */
void kv_log_to_stderr(struct kv_log *log, struct kv_log_state *state);

/* kv_log_say() - write a message as one line, whatever bytes are in it */
void kv_log_say(struct kv_log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* kv_log_complain() - the same for a message that readers can cause: a few are written */
void kv_log_complain(struct kv_log *log, const char *what);

/**
 * kv_log_admits() - take a token from the bucket that limits kv_log_complain()
 * @now: of CLOCK_MONOTONIC in ns
 *
 * The bucket holds ten tokens, and gets one each minute.
 *
 * Return: false: it is empty.
 */
bool kv_log_admits(struct kv_log_state *state, int64_t now);

#endif
