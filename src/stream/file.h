/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An open file: one stream of rows, made while it is read. Memory is bounded:
 * one chunk of records and one window of output, both from the first read on, and
 * two chunks more while it is prefetched. Knows nothing of FUSE requests.
 */
#ifndef KVIEW_STREAM_FILE_H
#define KVIEW_STREAM_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <sys/uio.h>

#include "stream/run.h"
#include "render/render.h"

struct kv_file;

/* What was read of a view; it may lie in memory that several processes share. */
struct kv_counters {
	atomic_ullong reads, rows, bytes, errors;
};

/* What a file shows. */
struct kv_source {
	/* A text that is made as it is read, for who has opened it, to be freed; NULL: rows. */
	char *(*text)(const void *arg, const struct kv_reader *reader);
	const void *arg;
	const struct kv_view *view; /* of rows; must outlive the file, as do the next four */
	const struct kv_format *format;
	const struct kv_plan *plan;
	const struct kv_host *host;   /* as in kv_run_opts */
	struct kv_counters *counters; /* of rows */
	struct kv_subset subset;      /* of rows */
};

/**
 * kv_file_new() - nothing is iterated yet
 * @reader: who opens it, and whose view it stays; on success the file's, which closes it
 *
 * Return: NULL: out of memory.
 */
struct kv_file *kv_file_new(const struct kv_source *source, struct kv_reader *reader);

/* kv_file_user() - who answers for the cost: kv_reader.user */
uid_t kv_file_user(const struct kv_file *f);

/* kv_file_free() - no read may be under way */
void kv_file_free(struct kv_file *f);

struct kv_read {
	uint64_t off;
	size_t size;
	bool (*cancelled)(void *arg); /* asked between chunks of records */
	/* Takes the bytes; called once, with the file locked, only on success. */
	void (*reply)(void *arg, const struct iovec *iov, int n);
	void *arg;
};

/**
 * kv_file_read() - read at an offset
 * @err: says more of a failure, for a log
 *
 * Offset 0 starts over with fresh data; an offset among the last 128 KiB
 * served is answered from memory; one ahead is reached by reading on. At most
 * 128 KiB come at once.
 *
 * Return: 0 after @read->reply was called; -ESPIPE: that offset is gone;
 * -EINTR: cancelled, nothing is lost; -ENOENT: the process is gone; -EACCES: the
 * reader may see nothing of the process; -ENOMEM; -EIO and others: the iteration
 * failed, and reads fail until offset 0.
 */
int kv_file_read(struct kv_file *f, const struct kv_read *read, struct kv_err *err);

/**
 * kv_file_prefetch() - what is left to do when a read has been answered
 * @goes_on: asked before each buffer: is there time for it?
 *
 * After a large sequential read the kernel walks on while the reader wakes up, takes the
 * bytes and asks for more. Other files keep no more memory than their records take.
 *
 * The file may be read by other threads meanwhile, but must not be freed.
 */
void kv_file_prefetch(struct kv_file *f, bool (*goes_on)(void *arg), void *arg);

/* kv_file_is_answer() - is it an ordinary answer, and nothing for a log? */
bool kv_file_is_answer(int rc);

/**
 * kv_file_rest() - give back what a file needs only while it is read
 * @before: of CLOCK_MONOTONIC in s: files read since then are left alone
 *
 * Its iterator and its window. Offset 0 starts over as ever; where rows were
 * still to come, reading on fails with -ESTALE.
 */
void kv_file_rest(struct kv_file *f, time_t before);

#endif
