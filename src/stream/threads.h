/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rest of a walk, by a list of threads.
 *
 * The kernel's own walk asks for every mapping again in the name of each thread that has
 * open files of its own, and behind a leader that has exited for every file in the name of
 * each thread. And where many threads share files by twos, it takes long to find out who
 * has what. Programs stop such a walk (struct kv_progress); then the threads are listed and
 * one is chosen for each table by the rule of iters/include/kview/threads.h. Each of those that the walk
 * had not come to gets an iterator of its own, which takes ten microseconds, but nobody is
 * asked for anything in vain.
 */
#ifndef KVIEW_STREAM_THREADS_H
#define KVIEW_STREAM_THREADS_H

#include "access/reader.h"
#include "access/scope.h"

struct kv_threads;

/* Of a walk. All that is pointed to must outlive its threads. */
struct kv_threads_opts {
	const struct kv_loaded *query; /* `threads`; NULL: it is loaded for the moment */
	const struct kv_loaded *view;
	pid_t pid; /* the walk's only process, or 0 */
	const struct kv_scope *scope;
	struct kv_progress *progress;
};

/**
 * kv_threads_new() - list those that a walk goes on with which the program has stopped
 * @threads: to be freed with kv_threads_free()
 *
 * Return: 0 or -errno; -ESTALE: the thread that was next is gone, and in one process only
 * its place tells which are left.
 */
int kv_threads_new(const struct kv_threads_opts *opts, struct kv_threads **threads);

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
