/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose turn is it? Reads walk in the kernel, and a walk may have to wait there
 * for as long as somebody likes: the task_vma iterator takes each process's
 * mmap_lock, which a process can keep. So one user's reads take a part of the
 * threads at most, and all users' but the one's who mounted leave some free.
 * What has to wait waits here and holds no thread.
 */
#ifndef KVIEW_FUSE_TURNS_H
#define KVIEW_FUSE_TURNS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "users.h"

/* First member of what takes turns. */
struct kv_turn {
	struct kv_turn *next;
	uid_t uid;
};

struct kv_turns {
	pthread_mutex_t lock;
	unsigned int each; /* turns of one user at a time */
	unsigned int all;  /* and of all that are not @host's */
	uid_t host;
	unsigned int taken;	       /* by others than @host */
	struct kv_users users;	       /* turns that each has */
	struct kv_turn *first, **last; /* who waits, in the order of coming */
};

void kv_turns_init(struct kv_turns *turns, unsigned int each, unsigned int all, uid_t host);

/* kv_turns_count() - how many have a turn, and how many wait for one */
void kv_turns_count(struct kv_turns *turns, unsigned int *running, unsigned int *waiting);

/* kv_turns_free() - @forget is called for each that still waits */
void kv_turns_free(struct kv_turns *turns, void (*forget)(struct kv_turn *turn));

/**
 * kv_turns_take() - ask for a turn
 * @turn: with its uid; it is kept until its turn has come where it must wait
 *
 * Return: 1: it has it now; 0: it waits, and some kv_turns_pass() will give it;
 * -ENOMEM.
 */
int kv_turns_take(struct kv_turns *turns, struct kv_turn *turn);

/**
 * kv_turns_leave() - wait no longer
 *
 * Return: true: it waited, and is the caller's again; false: it has its turn.
 */
bool kv_turns_leave(struct kv_turns *turns, struct kv_turn *turn);

/**
 * kv_turns_pass() - the turn of a user is over
 *
 * Return: the next who waited and has a turn now, or NULL.
 */
struct kv_turn *kv_turns_pass(struct kv_turns *turns, uid_t uid);

#endif
