/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Couriers: processes that fetch the arguments of others, from /proc/PID/cmdline.
 *
 * The kernel copies them out of the memory of the process, and waits for who changes its mappings:
 * for ever, if that one waits for a file server that does not answer. Any user can bring that
 * about. Only the death of the process that waits ends it, and not even that if it came to hold
 * the memory last: then it has to write back what is mapped. So a courier does nothing else, has no
 * rights and no files, and is given up when it makes no progress.
 *
 * The keeper, a child of who starts it, has the couriers: it watches them, and makes others in
 * their place. What a courier was given up for is (busy). A user by whom several were given up
 * within a second, for whose processes couriers slept for long, or for whom one has not even ended
 * yet, gets no other courier: all the user's processes that are left are (busy). So one user costs
 * others little time, and never their rows.
 */
#ifndef KVIEW_ACCESS_COURIER_H
#define KVIEW_ACCESS_COURIER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "kview/abi.h"

/* At most so many are asked for at a time. */
#define KV_COURIER_ITEMS 512

/* A request is answered within this time, or fails with ETIMEDOUT; as a rule in milliseconds. */
#define KV_COURIER_MS 5000

struct kv_courier_area; /* memory shared with the couriers */

struct kv_courier {
	int fd;		    /* to the keeper; -1: there is none */
	void (*lost)(void); /* called if the keeper has ended; may be NULL */
	pid_t keeper;
	struct kv_courier_area *area;
	pthread_mutex_t lock;	  /* there is one request at a time */
	uint32_t asked, answered; /* serial numbers of the last */
};

#define KV_COURIER_INIT ((struct kv_courier){.fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER})

enum kv_fetched {
	KV_FETCH_WANTED, /* not yet */
	KV_FETCH_DONE,
	KV_FETCH_LONG,	     /* there are more than KV_ARGS_MAX bytes */
	KV_FETCH_BUSY,	     /* not without waiting */
	KV_FETCH_UNREADABLE, /* the kernel refuses, or the process has ended */
	KV_FETCH_ENDED,	     /* of one that is_old: it has ended */
};

struct kv_fetch {
	struct kv_whose whose;
	/* The caller has looked whether the process lives on, so the courier has to find out. */
	bool is_old;
	enum kv_fetched how;
	const char *args; /* of KV_FETCH_DONE and KV_FETCH_LONG */
	uint32_t len;
};

/**
 * kv_courier_start() - start the keeper
 * @courier: KV_COURIER_INIT; to be stopped in the process that started it
 * @confine: called in the keeper, to give up all that couriers do not need: 0 or -errno
 *
 * The keeper ends with the calling thread, and when all copies of @courier->fd are closed. Until
 * then a process that the caller forks may use @courier.
 *
 * Return: 0 or -errno.
 */
int kv_courier_start(struct kv_courier *courier, int (*confine)(void));

void kv_courier_stop(struct kv_courier *courier);

/**
 * kv_courier_fetch() - the arguments of processes; may be called by several threads
 * @list: with their @whose; the other members are filled in
 * @n: 1 to KV_COURIER_ITEMS
 * @bytes: room for the arguments
 * @size: KV_ARGS_MAX at least
 *
 * What was fetched may be of a later process with the same number, but for those that are is_old: the
 * caller finds out whether the process has lived on until now.
 *
 * Return: how many of them, from the first on, were fetched: 1 at least; or -errno.
 */
int kv_courier_fetch(struct kv_courier *courier, struct kv_fetch *list, size_t n, char *bytes,
		     size_t size);

#endif
