// SPDX-License-Identifier: GPL-2.0-only
#include "iter/pids.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

/* An iteration of many tasks without a byte of output says EAGAIN. */
#define MAX_IDLE_READS 10000

struct kv_pids {
	pthread_mutex_t lock;
	int link_fd;
	int iter;    /* -1: begin anew */
	pid_t past;  /* everything below was passed */
	size_t n, i; /* of @list */
	pid_t list[8192];
};

struct kv_pids *kv_pids_new(int link_fd)
{
	struct kv_pids *pids = malloc(sizeof(*pids));

	if (!pids)
		return NULL;
	pids->link_fd = link_fd;
	pids->iter = -1;
	pids->past = 0;
	pids->n = pids->i = 0;
	pthread_mutex_init(&pids->lock, NULL);
	return pids;
}

void kv_pids_free(struct kv_pids *pids)
{
	kv_closep(&pids->iter);
	pthread_mutex_destroy(&pids->lock);
	free(pids);
}

static int begin(struct kv_pids *pids)
{
	kv_closep(&pids->iter);
	pids->n = pids->i = 0;
	pids->past = 0;
	pids->iter = bpf_iter_create(pids->link_fd);
	return pids->iter < 0 ? pids->iter : 0;
}

/* 1: there are more; 0: the end. */
static int fill(struct kv_pids *pids)
{
	for (int idle = 0; idle < MAX_IDLE_READS; idle++) {
		ssize_t n = read(pids->iter, pids->list, sizeof(pids->list));

		if (n >= 0) {
			pids->i = 0;
			pids->n = (size_t)n / sizeof(pids->list[0]);
			return n > 0;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EIO;
}

static pid_t next_from(struct kv_pids *pids, pid_t from)
{
	int rc = 0;

	if (pids->iter < 0 || from < pids->past)
		rc = begin(pids);
	pids->past = from;
	while (!rc) {
		for (; pids->i < pids->n; pids->i++)
			if (pids->list[pids->i] >= from)
				return pids->list[pids->i];
		rc = fill(pids);
		if (rc == 0)
			return 0;
		rc = rc < 0 ? rc : 0;
	}
	return rc;
}

pid_t kv_pids_from(struct kv_pids *pids, pid_t from)
{
	pid_t pid;

	pthread_mutex_lock(&pids->lock);
	pid = next_from(pids, from);
	pthread_mutex_unlock(&pids->lock);
	return pid;
}
