/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The broker: a thread of the supervisor that gives the worker what it may not make itself.
 *
 * - Iterators in network namespaces of readers. An iterator shows the namespace of the thread that
 *   makes it, and the worker has not the right to enter another one.
 * - Iterators that show what their maker may see: addresses of symbols.
 * - BPF maps by their ids, to look up elements or iterate over them, and their BTF.
 *
 * The worker names a view by its number, a map by its id, and a namespace by a descriptor of its
 * own, which it opened while the reader waited in open(2). It gets descriptors. So a worker that
 * is compromised gains iterators of kview's own views, in namespaces of threads that it can look
 * into anyway by CAP_SYS_PTRACE, the kernel's addresses, and what is in BPF maps. These are open for
 * looking up alone. The worker itself makes iterators over them, of raw programs that are loaded:
 * so it changes a map only where such a program, which the operator chose, writes to values. The
 * worker sends no descriptor: opening or even closing a file of its choice, such as one on a FUSE
 * mount, could wait for ever. So the broker waits for nothing but the next question, and the
 * supervisor can always end it.
 */
#ifndef KVIEW_DAEMON_BROKER_H
#define KVIEW_DAEMON_BROKER_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "load/map.h"
#include "load/view.h"

/* A worker's question is answered within this time, or fails with ETIMEDOUT. */
#define KV_BROKER_MS 5000

/* The supervisor's side, of one worker. */
struct kv_broker {
	int fd; /* its end of the socket pair; -1: the thread does not run */
	pthread_t thread;
	pid_t worker;
	const struct kv_views *views;
};

/**
 * kv_broker_start() - answer the questions of a worker
 * @fd: end of a pair of SOCK_SEQPACKET, the broker's from then on, whatever is returned
 * @worker: that has the other end
 * @views: as the worker has them, loaded
 *
 * Return: 0 or -errno.
 */
int kv_broker_start(struct kv_broker *broker, int fd, pid_t worker, const struct kv_views *views);

/* kv_broker_stop() - end the thread; nothing is done if it does not run */
void kv_broker_stop(struct kv_broker *broker);

/* The worker's side. */
struct kv_broker_client {
	int fd; /* the worker's end */
	const struct kv_views *views;
	pthread_mutex_t lock; /* there is one question at a time */
	uint32_t serial;      /* of the last one */
};

void kv_broker_client_init(struct kv_broker_client *client, int fd, const struct kv_views *views);

/**
 * kv_broker_iter() - have an iterator made
 * @client: a struct kv_broker_client
 * @view: one of its views
 * @net_ns: descriptor of a network namespace, which stays open meanwhile; -1: the view has none
 *
 * As kv_host.iter_in. May be called by several threads.
 *
 * Return: the iterator's descriptor, to be closed; -ETIMEDOUT; another -errno.
 */
int kv_broker_iter(void *client, const struct kv_view *view, int net_ns);

/* kv_broker_map() - as kv_map_open() and kv_host.map_open; also -ETIMEDOUT */
int kv_broker_map(void *client, uint32_t id, bool or_next, struct kv_map_fds *fds);

#endif
