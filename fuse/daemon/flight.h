/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a worker has in hand, in memory that it shares with the supervisor: the requests that it
 * has read and not answered, and the threads that may be reading one. When the worker has died,
 * the supervisor answers these requests, or waits until none of its threads can take another
 * one. That is so even while some of its threads hang in the kernel.
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
	atomic_int error; /* of reading a request, which ends libfuse's loop; 0: none */
};

/**
 * kv_flight_session() - have a session note its requests
 * @fd: of the connection; the session's from then on
 *
 * The user data of the session begins with a pointer to a struct kv_flight.
 *
 * Return: 0 or -errno.
 */
int kv_flight_session(struct fuse_session *session, int fd);

/**
 * kv_flight_await() - wait until no thread of a killed worker can take a request
 * @ms: at most; such threads end as soon as they run
 */
void kv_flight_await(struct kv_flight *flight, pid_t worker, unsigned int ms);

/**
 * kv_flight_fail() - answer the requests in hand with an error
 * @fd: of the connection
 * @code: -errno
 */
void kv_flight_fail(struct kv_flight *flight, int fd, int code);

#endif
