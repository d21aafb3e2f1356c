// SPDX-License-Identifier: GPL-2.0-only
#include "access/process.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access/scope.h"
#include "base/cleanup.h"

/* A read of so many gets whole records, also where pages and the kernel's buffer are larger. */
#define CHUNK 1365

static ssize_t read_some(const struct kv_host *host, const struct kv_reader *reader, int iter,
			 void *to, size_t size)
{
	return kv_scope_read_on(host->processes_query.readers_fd, &reader->scope, NULL, iter, to,
				size);
}

/* --- one process --- */

int kv_process_look(const struct kv_host *host, const struct kv_reader *reader, pid_t pid,
		    struct kv_process *process)
{
	const struct kv_link link = kv_link_thread(pid);
	_cleanup_close_ int iter = -1;
	ssize_t n;

	if (kv_ask_is_open(&host->ask))
		return kv_ask_process(&host->ask, &reader->scope, pid, process);
	iter = kv_loaded_iter(&host->processes_query, &link);
	if (iter < 0)
		return iter;
	n = read_some(host, reader, iter, process, sizeof(*process));
	if (n < 0)
		return (int)n;
	return n == sizeof(*process) ? 0 : -ENOENT;
}

/* Where the kernel can't translate numbers (NS_GET_TGID_FROM_PIDNS): looks through all. */
static int search(const struct kv_host *host, const struct kv_reader *reader, pid_t nr,
		  struct kv_process *process)
{
	struct kv_reader borrowed = KV_READER_INIT;
	struct kv_processes *all;
	int rc;

	borrowed.scope = reader->scope;
	all = kv_processes_new(host, &borrowed);
	if (!all)
		return -ENOMEM;
	rc = kv_processes_from(all, nr, process);
	kv_processes_free(all);
	if (rc < 0)
		return rc;
	return rc && process->nr == nr ? kv_process_look(host, reader, process->pid, process)
				       : -ENOENT;
}

int kv_process_find(const struct kv_host *host, const struct kv_reader *reader, pid_t nr,
		    struct kv_process *process)
{
	pid_t pid = nr;
	int rc;

	if (reader->scope.pid_ns != host->self.pid_ns) {
		pid = ioctl(reader->holds[KV_HOLD_PID_NS], NS_GET_TGID_FROM_PIDNS, nr);
		if (pid < 0 && errno == ESRCH)
			return -ENOENT;
	}
	rc = pid < 0 ? search(host, reader, nr, process)
		     : kv_process_look(host, reader, pid, process);
	/* The number may be a thread's, or by now another process's. */
	return !rc && process->nr != nr ? -ENOENT : rc;
}

/* --- all of them --- */

struct kv_processes {
	pthread_mutex_t lock;
	const struct kv_host *host;
	struct kv_reader reader;
	bool is_listed;
	pid_t past; /* the last call's number: below it nothing is left to list */
	struct kv_process *list;
	size_t n, at;
};

struct kv_processes *kv_processes_new(const struct kv_host *host, struct kv_reader *reader)
{
	struct kv_processes *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->host = host;
	p->reader = *reader;
	*reader = KV_READER_INIT;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void kv_processes_free(struct kv_processes *p)
{
	kv_reader_close(&p->reader);
	pthread_mutex_destroy(&p->lock);
	free(p->list);
	free(p);
}

static int read_all(struct kv_processes *p, int iter)
{
	struct kv_process *more;
	ssize_t n;

	for (;;) {
		more = reallocarray(p->list, p->n + CHUNK, sizeof(*more));
		if (!more)
			return -ENOMEM;
		p->list = more;
		n = read_some(p->host, &p->reader, iter, more + p->n, CHUNK * sizeof(*more));
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		p->n += (size_t)n / sizeof(*more);
	}
	more = reallocarray(p->list, p->n + 1, sizeof(*more)); /* it may be kept for long */
	p->list = more ? more : p->list;
	return 0;
}

static int by_nr(const void *a, const void *b)
{
	const struct kv_process *x = a, *y = b;

	return (x->nr > y->nr) - (x->nr < y->nr);
}

static int list_all(struct kv_processes *p)
{
	const struct kv_link all = {0};
	_cleanup_close_ int iter = kv_loaded_iter(&p->host->processes_query, &all);
	int rc;

	p->is_listed = false;
	if (iter < 0)
		return iter;
	p->n = p->at = 0;
	rc = read_all(p, iter);
	if (rc)
		return rc;
	/* The kernel's order is that of our own numbers, not of those in a nested namespace. */
	qsort(p->list, p->n, sizeof(*p->list), by_nr);
	p->is_listed = true;
	return 0;
}

static int next_from(struct kv_processes *p, pid_t nr, struct kv_process *process)
{
	int rc = 0;

	if (!p->is_listed || nr < p->past)
		rc = list_all(p);
	if (rc)
		return rc;
	p->past = nr;
	while (p->at < p->n && p->list[p->at].nr < nr)
		p->at++;
	if (p->at == p->n)
		return 0;
	*process = p->list[p->at];
	return 1;
}

int kv_processes_from(struct kv_processes *p, pid_t nr, struct kv_process *process)
{
	int rc;

	pthread_mutex_lock(&p->lock);
	rc = next_from(p, nr, process);
	pthread_mutex_unlock(&p->lock);
	return rc;
}
