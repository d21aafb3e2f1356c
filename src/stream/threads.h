/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rest of a walk, thread by thread.
 *
 * The kernel's iterators return the same object again and again: each mapping for each thread
 * that has open files of its own, and behind a leader that has exited each file for each
 * thread. Where many threads share files by twos, it takes long to find out who has what. If
 * that takes too much, the program stops the walk (struct kv_progress). Then the threads are
 * listed, grouped by what they share, and one of each group gets an iterator of its own: the one
 * that iters/include/kview/threads.h would have chosen, or if that one has ended the next. An
 * iterator takes ten microseconds, but the time grows with the rows alone.
 */
#ifndef KVIEW_STREAM_THREADS_H
#define KVIEW_STREAM_THREADS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct kv_kernel_walk;
struct kv_threads;

/**
 * kv_threads_new() - list the threads that the program has not come to yet
 * @walk: that was stopped; must outlive @threads
 * @threads: to be freed with kv_threads_free()
 *
 * Return: 0 or -errno; -ESTALE: the thread that was next is gone, and in a walk through one
 * process nothing else tells which threads are left.
 */
int kv_threads_new(struct kv_kernel_walk *walk, struct kv_threads **threads);

/*
 * kv_threads_shares() - does thread @nr of the walk's process still have files or memory, whichever
 * the walk is about? One that has ended has not, though its number may still be taken.
 */
bool kv_threads_shares(const struct kv_kernel_walk *walk, pid_t nr);

/* kv_threads_free() - @threads may be NULL */
void kv_threads_free(struct kv_threads *threads);

/**
 * kv_threads_read() - more records, as one read of an iterator for all would give them
 * @saw: receives KV_SAW_ bits
 *
 * Return: bytes; 0: the end; -EAGAIN: nothing came of many threads, and some are left;
 * -ESTALE: a process lost a thread whose rows were not all read; another -errno, or KV_SAID.
 */
ssize_t kv_threads_read(struct kv_threads *threads, char *to, size_t size, uint8_t *saw,
			struct kv_err *err);

#endif
