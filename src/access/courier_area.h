/* SPDX-License-Identifier: GPL-2.0-only */
/* What a request and its couriers share, in memory of all processes that take part. */
#ifndef KVIEW_ACCESS_COURIER_AREA_H
#define KVIEW_ACCESS_COURIER_AREA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "access/courier.h"

#define KV_COURIERS 2 /* at work; a single one takes three quarters of the time of a walk */

/* That were given up, and hang in the kernel. */
#define KV_COURIERS_DYING 8

#define KV_COURIER_SLOTS (KV_COURIERS + KV_COURIERS_DYING)
#define KV_COURIER_BYTES (256u << 10)

#define KV_MS INT64_C(1000000)

static inline int64_t kv_courier_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * KV_MS + ts.tv_nsec;
}

struct kv_courier_item {
	struct kv_whose whose;
	bool is_old;	 /* as of struct kv_fetch */
	atomic_uint how; /* enum kv_fetched; the rest is valid when it is no longer WANTED */
	uint32_t slot, off, len;
	atomic_uint slept_us; /* that it took, if the courier slept meanwhile */
};

/* Of one courier, and no other one as long as that may run. */
struct kv_courier_slot {
	atomic_uint doing;    /* 1 + index of an item; 0: none */
	atomic_uint turns;    /* that it has begun */
	atomic_uint finished; /* bytes from its pipe for which it has done all */
	atomic_uint used;     /* bytes of this request */
	char bytes[KV_COURIER_BYTES];
};

struct kv_courier_area {
	int64_t boot_offset; /* ns that CLOCK_BOOTTIME is ahead here: couriers may have a time namespace */
	uint32_t n;
	atomic_uint next; /* item to be taken */
	struct kv_courier_item items[KV_COURIER_ITEMS];
	struct kv_courier_slot slots[KV_COURIER_SLOTS];
};

/* kv_courier_keep() - be the keeper, until nobody has the other end of @client any more */
_Noreturn void kv_courier_keep(struct kv_courier_area *area, int client, int (*confine)(void));

/**
 * kv_courier_run() - be a courier, until the other end of @wake is closed
 * @proc: directory /proc
 * @wake: each byte that is there: items are to be fetched
 * @done: receives a byte when that is finished
 */
_Noreturn void kv_courier_run(struct kv_courier_area *area, unsigned int slot, int proc, int wake,
			      int done);

#endif
