/* SPDX-License-Identifier: GPL-2.0-only */
/* Who a thread is, by an iterator over that one thread: the program `reader`. */
#ifndef KVIEW_ACCESS_IDENTITY_H
#define KVIEW_ACCESS_IDENTITY_H

#include "load/load.h"
#include "load/pin.h"
#include "kview/abi.h"

/**
 * kv_identity_open() - the program, from its pin or loaded
 * @pins: where to look, or NULL
 * @types: to load it with, or NULL
 * @program: on success to be closed with kv_loaded_close()
 *
 * Return: 0 or -errno with @err set.
 */
int kv_identity_open(const struct kv_pins *pins, struct kv_types *types, struct kv_loaded *program,
		     struct kv_err *err);

/* kv_identity_pin() - pin it beside the views, so that `kview cat` need not load it */
int kv_identity_pin(const struct kv_pins *pins, const struct kv_loaded *program,
		    struct kv_err *err);

/**
 * kv_identity_ask() - who a thread is
 * @tid: in the caller's pid namespace
 *
 * Return: 0 or -errno; -ESRCH: there is no such thread.
 */
int kv_identity_ask(const struct kv_loaded *program, pid_t tid, struct kv_identity *id);

/**
 * kv_identity_finds_threads() - does an iterator for one thread find one that is no leader?
 *
 * Not until Linux 6.12 (9495a5b731fc), but for backports such as those of 6.1.115 and
 * 6.6.59. Where it does not, kv_identity_ask() looks through the threads of the process,
 * which takes the initial pid namespace.
 */
bool kv_identity_finds_threads(struct kv_loaded *program);

#endif
