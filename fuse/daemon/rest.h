/* SPDX-License-Identifier: GPL-2.0-only */
/* A thread that lets open files rest which nobody reads. */
#ifndef KVIEW_DAEMON_REST_H
#define KVIEW_DAEMON_REST_H

#include <pthread.h>
#include <stdbool.h>

#include "fuse/fs/handles.h"

struct kv_rest {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct kv_handles *files; /* struct kv_file */
	bool is_over;
};

/**
 * kv_rest_start() - begin to look after @files
 *
 * Return: 0 or -errno.
 */
int kv_rest_start(struct kv_rest *rest, struct kv_handles *files);

void kv_rest_stop(struct kv_rest *rest);

#endif
