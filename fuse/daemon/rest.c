// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/rest.h"

#include <malloc.h>
#include <time.h>

#include "stream/file.h"

/* Long enough for who reads a page and thinks; what is kept for them is 300 KiB at most. */
#define IDLE_SECONDS 600
#define EVERY_SECONDS 30

static void let_rest(void *file, void *before)
{
	kv_file_rest(file, *(const time_t *)before);
}

static void *look_after(void *arg)
{
	struct kv_rest *rest = arg;
	struct timespec until;

	pthread_mutex_lock(&rest->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	while (!rest->is_over) {
		time_t before = until.tv_sec - IDLE_SECONDS;

		kv_handles_each(rest->files, let_rest, &before);
		/* What was freed amid the heap is the system's again as well. */
		malloc_trim(0);
		until.tv_sec += EVERY_SECONDS;
		while (!rest->is_over &&
		       pthread_cond_timedwait(&rest->wake, &rest->lock, &until) == 0)
			;
	}
	pthread_mutex_unlock(&rest->lock);
	return NULL;
}

int kv_rest_start(struct kv_rest *rest, struct kv_handles *files)
{
	pthread_condattr_t attr;

	*rest = (struct kv_rest){.files = files};
	pthread_mutex_init(&rest->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&rest->wake, &attr);
	pthread_condattr_destroy(&attr);
	return -pthread_create(&rest->thread, NULL, look_after, rest);
}

void kv_rest_stop(struct kv_rest *rest)
{
	pthread_mutex_lock(&rest->lock);
	rest->is_over = true;
	pthread_cond_signal(&rest->wake);
	pthread_mutex_unlock(&rest->lock);
	pthread_join(rest->thread, NULL);
	pthread_cond_destroy(&rest->wake);
	pthread_mutex_destroy(&rest->lock);
}
