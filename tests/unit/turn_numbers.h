/* SPDX-License-Identifier: GPL-2.0-only */
/* Turns by number: who has one, who waits, who is next, in one line each. */
#ifndef KVIEW_UNIT_TURN_NUMBERS_H
#define KVIEW_UNIT_TURN_NUMBERS_H

#include "fuse/turns.h"
#include "unit.h"

#define HOST 4u
#define MANY 10000

static struct kv_turns turns;
static struct kv_turn turn[MANY + 10]; /* by number, as the tests name them */
static struct kv_turn *forgotten[MANY];
static size_t n_forgotten;

static inline void forget(struct kv_turn *t)
{
	forgotten[n_forgotten++] = t;
}

static inline void begin(unsigned int each, unsigned int all)
{
	n_forgotten = 0;
	kv_turns_init(&turns, each, all, HOST);
}

static inline void expect_counts(unsigned int running, unsigned int waiting)
{
	unsigned int r = 99, w = 99;

	kv_turns_count(&turns, &r, &w);
	assert_int_equal(r, running);
	assert_int_equal(w, waiting);
}

static inline int ask(int nr, uid_t uid)
{
	turn[nr] = (struct kv_turn){.next = (struct kv_turn *)-1, .uid = uid};
	return kv_turns_take(&turns, &turn[nr]);
}

static inline void has(int nr, uid_t uid)
{
	assert_int_equal(ask(nr, uid), 1);
}

static inline void waits(int nr, uid_t uid)
{
	assert_int_equal(ask(nr, uid), 0);
}

/* The turn of a user is over: that number is next, -1: nobody. */
static inline void passes_to(uid_t uid, int nr)
{
	struct kv_turn *next = kv_turns_pass(&turns, uid);

	assert_ptr_equal(next, nr < 0 ? NULL : &turn[nr]);
}

static inline void leaves(int nr)
{
	assert_true(kv_turns_leave(&turns, &turn[nr]));
	assert_false(kv_turns_leave(&turns, &turn[nr]));
}

/* So many wait at the end. */
static inline void end(size_t n)
{
	kv_turns_free(&turns, forget);
	assert_int_equal(n_forgotten, n);
}

#endif
