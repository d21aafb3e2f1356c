// SPDX-License-Identifier: GPL-2.0-only
/*
 * The physical limit of a view: drain PIN_DIR VIEW TIMES
 *
 * Reads the iterator in binary, 64 KiB at a time, into nothing; where records are spooled, takes
 * them out of the spool. Prints the nanoseconds of each time, a line each, then "rows N".
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "access/identity.h"
#include "load/kernel.h"
#include "load/pinset.h"
#include "access/reader.h"
#include "stream/walk.h"

static char buf[65536];

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Lengths are aligned to nothing. A record never straddles two reads of this size. */
static long count_records(const char *p, size_t n)
{
	long rows = 0;

	for (struct kv_head head; n >= sizeof(head); rows++) {
		memcpy(&head, p, sizeof(head));
		if (head.len < sizeof(head) || head.len > n)
			break;
		p += head.len;
		n -= head.len;
	}
	return n ? -1 : rows;
}

static int count(long *rows, size_t n)
{
	long more = rows ? count_records(buf, n) : 0;

	if (more < 0)
		return -EBADMSG;
	if (rows)
		*rows += more;
	return 0;
}

static int64_t drain_walk(struct kv_kernel_walk *walk, long *rows, struct kv_err *err)
{
	int64_t begin = now();
	int rc;

	for (;;) {
		uint8_t saw;
		ssize_t n = kv_walk_read(walk, buf, sizeof(buf), &saw, err);

		if (n == -EAGAIN)
			continue;
		if (n <= 0)
			return n < 0 ? n : now() - begin;
		rc = count(rows, (size_t)n);
		if (rc)
			return rc;
	}
}

/* What is spooled comes by nothing but kview's own walk. */
static int64_t drain_spool(const struct kv_view *view, const struct kv_scope *scope, long *rows)
{
	const struct kv_link all = {0};
	struct kv_kernel_walk walk;
	struct kv_err err = {0};
	int64_t ns = kv_walk_open(&walk, view, NULL, scope, &all, -1);

	if (ns)
		return ns;
	ns = drain_walk(&walk, rows, &err);
	kv_walk_end(&walk);
	return ns;
}

/* Nanoseconds, or -errno. @rows is counted where it is not NULL. */
static int64_t drain_iter(const struct kv_view *view, long *rows)
{
	int64_t begin = now();
	_cleanup_close_ int fd = bpf_iter_create(view->loaded.link_fd);

	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return now() - begin;
		if (count(rows, (size_t)n))
			return -EBADMSG;
	}
}

static int64_t drain(const struct kv_view *view, const struct kv_scope *scope, long *rows)
{
	return view->loaded.spool_fd >= 0 ? drain_spool(view, scope, rows) : drain_iter(view, rows);
}

/* The drain sees all: no question for each task may be part of the limit. */
static int make_scope(struct kv_scope *scope, struct kv_err *err)
{
	const struct kv_policy policy = {0};
	struct kv_reader reader = KV_READER_INIT;
	struct kv_host host = KV_HOST_INIT;
	int rc = kv_host_open(&host, &policy, false, NULL, NULL, err);

	if (!rc)
		rc = kv_reader_self(&host, &reader, err);
	kv_host_close(&host);
	if (rc)
		return rc;
	*scope = reader.scope;
	scope->passes = KV_ALL_GUARDS;
	kv_reader_close(&reader);
	return 0;
}

static int drain_times(const struct kv_view *view, const struct kv_scope *scope, int times,
		       struct kv_err *err)
{
	long rows = 0;
	int64_t ns;
	int rc = 0;

	while (rc >= 0 && times-- > 0) {
		ns = drain(view, scope, NULL);
		rc = ns < 0 ? (int)ns : 0;
		if (!rc)
			printf("%lld\n", (long long)ns);
	}
	ns = drain(view, scope, &rows);
	rc = rc ? rc : ns < 0 ? (int)ns : 0;
	if (rc)
		return kv_err_errno(err, rc, "can't drain view '%s'", view->name);
	printf("rows %ld\n", rows);
	return 0;
}

static int run(const struct kv_view *view, int times, struct kv_err *err)
{
	struct kv_reading reading = {0};
	struct kv_self self;
	int rc = make_scope(&reading.scope, err);

	if (!rc)
		rc = kv_self_get(&self, err);
	if (rc)
		return rc;
	reading.scope.thread_start = self.start;
	rc = bpf_map_update_elem(view->loaded.readers_fd, &self.id, &reading, BPF_ANY);
	if (rc)
		return kv_err_errno(err, rc, "can't register as a reader");
	rc = drain_times(view, &reading.scope, times, err);
	bpf_map_delete_elem(view->loaded.readers_fd, &self.id);
	return rc;
}

int main(int argc, char **argv)
{
	struct kv_err err = {0};
	struct kv_pins pins = KV_PINS_INIT;
	struct kv_views views;
	struct kv_view *view;
	int rc;

	if (argc != 4) {
		fputs("usage: drain PIN_DIR VIEW TIMES\n", stderr);
		return 2;
	}
	rc = kv_views_open(NULL, NULL, &views, &err);
	if (!rc) {
		view = kv_views_find(&views, argv[2], &err);
		rc = view ? kv_pins_open(argv[1], false, &pins, &err) : -ENOENT;
		if (!rc)
			rc = kv_pinset_get(&pins, view, &err);
		if (!rc)
			rc = run(view, atoi(argv[3]), &err);
		kv_pins_close(&pins);
		kv_views_close(&views);
	}
	if (rc)
		fprintf(stderr, "drain: %s\n", err.msg);
	return rc ? 1 : 0;
}
