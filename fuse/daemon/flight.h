/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a worker has at hand, in memory that it shares with its parent: requests that it has
 * read and not answered, and the threads that may just be reading one. When it has died, and be it
 * that threads of it hang in the kernel still, the parent knows whom to answer, and when nobody
 * can take a request any more.
 */
#ifndef KVIEW_DAEMON_FLIGHT_H
#define KVIEW_DAEMON_FLIGHT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fuse_session;

#define KV_FLIGHT_REQUESTS 16384
#define KV_FLIGHT_RECEIVERS 64

struct kv_flight {
	_Atomic uint64_t requests[KV_FLIGHT_REQUESTS]; /* their numbers; 0: none */
	_Atomic pid_t receivers[KV_FLIGHT_RECEIVERS];  /* thread ids; 0: none */
};

/**
 * kv_flight_session() - have a session keep book
 * @fd: of the connection; the session's from then on
 * @flight: the session's user data begins with a pointer to it
 *
 * Return: 0 or -errno.
 */
int kv_flight_session(struct fuse_session *session, int fd);

/**
 * kv_flight_await() - until no thread of a worker that is being killed can take a request
 * @ms: at most; it takes no longer than such threads need to end
 */
void kv_flight_await(struct kv_flight *flight, pid_t worker, unsigned int ms);

/* kv_flight_fail() - answer what it had not, with -@code */
void kv_flight_fail(struct kv_flight *flight, int fd, int code);

/* kv_flight_clear() - the next worker begins */
void kv_flight_clear(struct kv_flight *flight);

#endif
