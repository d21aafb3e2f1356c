/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who a thread is. The identity query `reader` tells: an iterator that is made for that one
 * thread.
 */
#ifndef KVIEW_ACCESS_IDENTITY_H
#define KVIEW_ACCESS_IDENTITY_H

#include "load/load.h"
#include "load/pin.h"
#include "kview/abi.h"

/**
 * kv_identity_open() - the query, from its pin or loaded
 * @pins: where to look, or NULL
 * @types: to load it with, or NULL
 * @query: on success to be closed with kv_loaded_close()
 *
 * Return: 0 or -errno with @err set.
 */
int kv_identity_open(const struct kv_pins *pins, struct kv_types *types, struct kv_loaded *query,
		     struct kv_err *err);

/* kv_identity_pin() - pin it beside the views, so that `kview cat` need not load it */
int kv_identity_pin(const struct kv_pins *pins, const struct kv_loaded *query, struct kv_err *err);

/**
 * kv_identity_get() - who a thread is
 * @tid: in the caller's pid namespace
 *
 * Return: 0 or -errno; -ESRCH: there is no such thread.
 */
int kv_identity_get(const struct kv_loaded *query, pid_t tid, struct kv_identity *id);

/**
 * kv_identity_finds_threads() - does an iterator for one thread find one that is no leader?
 *
 * It does since Linux 6.12 (9495a5b731fc), and in backports such as 6.1.115 and 6.6.59.
 * Elsewhere kv_identity_get() goes through the threads of the process, which works in the
 * initial pid namespace alone.
 */
bool kv_identity_finds_threads(struct kv_loaded *query);

/* The calling thread, as iterator programs see it. */
struct kv_self {
	uint64_t id;	/* tgid << 32 | tid in the initial pid namespace */
	uint64_t start; /* ns since boot, in the first time namespace */
};

/**
 * kv_self_by() - the query that kv_self_get() uses from now on
 * @query: `reader`, open as long as it may be used; NULL: none
 *
 * To be called while there is one thread.
 */
void kv_self_by(const struct kv_loaded *query);

/**
 * kv_self_get() - the calling thread
 *
 * Each thread runs the query once. In /proc its start is in ticks, and its numbers are those
 * of the initial pid namespace only there.
 *
 * Return: 0 or -errno with @err set.
 */
int kv_self_get(struct kv_self *self, struct kv_err *err);

#endif
