/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that serve a session. One leads: it waits for a request, answers it
 * and waits for the next. The others are at slow requests, or idle: if one takes
 * longer than some milliseconds another thread leads, so that none hangs the rest.
 *
 * libfuse's own loop has all idle threads wait for a request, and the kernel
 * wakes the one that has waited the longest, mostly on another CPU: it takes twice
 * the time of a request to the thread that has answered the one before.
 */
#ifndef KVIEW_LOOP_H
#define KVIEW_LOOP_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fuse_session;

#define KV_MAX_THREADS 1024

struct kv_loop {
	struct fuse_session *session;
	pthread_mutex_t lock;
	pthread_cond_t vacant; /* nobody leads, or it has ended */
	sem_t end;
	pthread_t threads[KV_MAX_THREADS], leader, watch;
	unsigned int n, idle;
	uint64_t request; /* counts those of leaders */
	uint64_t watched; /* the one that the timer began to run for, 0: it does not run */
	int timer_fd;
	bool is_led, has_ended, is_watched;
	bool is_busy;	  /* the leader is at a request */
	atomic_int error; /* -errno that ended it */
};

/**
 * kv_loop_run() - serve until the session ends
 *
 * Return: 0 or -errno. In any case kv_loop_stop() has to be called.
 */
int kv_loop_run(struct kv_loop *loop, struct fuse_session *session);

/**
 * kv_loop_stop() - end the threads; what they have at hand they finish
 * @ms: how long they may take for it
 *
 * Return: have all ended?
 */
bool kv_loop_stop(struct kv_loop *loop, unsigned int ms);

/**
 * kv_loop_hand_over() - the calling thread will be long at its request
 *
 * Another one leads from now on, and not only when some milliseconds have gone.
 * Does nothing in a thread that does not lead.
 */
void kv_loop_hand_over(struct kv_loop *loop);

/* kv_loop_has_requests() - does anyone wait to be served? */
bool kv_loop_has_requests(const struct kv_loop *loop);

#endif
