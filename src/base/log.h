/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the daemon has to say, to the log daemon or to standard error. Nobody
 * waits for it: a message that is not taken at once is dropped, and the next
 * one that is says how many were.
 */
#ifndef KVIEW_BASE_LOG_H
#define KVIEW_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * In memory that all processes of a mount share, so that a new worker goes on
 * where the last one was. No locks: a worker may be killed at any instruction.
 */
struct kv_log_state {
	atomic_llong full_at; /* when the bucket of messages will be full again, in ns */
	atomic_uint dropped;  /* messages, since the last that got through */
	atomic_bool is_cut;   /* that one, amid its line */
};

struct kv_log {
	int fd; /* -1: every message is dropped */
	bool is_socket;
	const char *path; /* of the log daemon's socket; NULL: @fd is standard error */
	struct kv_log_state *state;
};

/**
 * kv_log_to_daemon() - send messages as syslog(3) does: facility daemon, priority err
 * @path: of a datagram socket, looked up for each message: its owner may be
 *	  restarted, or not be there; must outlive @log
 *
 * The descriptor is opened now, since there may be none left when it is needed.
 */
void kv_log_to_daemon(struct kv_log *log, const char *path, struct kv_log_state *state);

/**
 * kv_log_to_stderr() - write messages to standard error
 *
 * A pipe or terminal is opened anew in its place: to make the one that others
 * have non-blocking would make it so for them. One that can't be is left alone,
 * and messages go to the log daemon.
 */
void kv_log_to_stderr(struct kv_log *log, struct kv_log_state *state);

/* kv_log_say() - a message of one line, whatever bytes it is made of */
void kv_log_say(struct kv_log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* kv_log_complain() - one that readers can bring about: a few get through */
void kv_log_complain(struct kv_log *log, const char *what);

/**
 * kv_log_admits() - is there a message left in the bucket? Take it
 * @now: of CLOCK_MONOTONIC in ns
 *
 * It holds ten, and gets another one each minute.
 */
bool kv_log_admits(struct kv_log_state *state, int64_t now);

#endif
