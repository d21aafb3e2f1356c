/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An open file: one stream of rows, which are made while it is read. Its memory is bounded: one
 * chunk of records and one window of output, and two chunks more once it is prefetched. A format
 * by column keeps all records (stream/run.h). Knows nothing of FUSE requests.
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

/* Counts of a view, which may be in memory that several processes share. */
struct kv_counters {
	atomic_ullong reads, rows, bytes, errors;
};

/* What a file shows. */
struct kv_source {
	/* Makes the text for the reader that opened the file, to be freed; NULL: rows. */
	char *(*text)(const void *arg, const struct kv_reader *reader);
	const void *arg;
	const struct kv_view *view; /* of rows; must outlive the file, as do the next four */
	/* Frees what the file alone shows and its view and plan belong to; NULL: there is none. */
	void (*free)(void *owned);
	void *owned;
	const struct kv_format *format;
	const struct kv_plan *plan;
	const struct kv_host *host;   /* as in kv_run_opts */
	struct kv_counters *counters; /* of rows */
	struct kv_subset subset;      /* of rows */
};

/**
 * kv_file_new() - nothing is iterated yet
 * @source: on success the file frees what is owned
 * @reader: that opens it; on success the file owns it and closes it
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
 * kv_file_prefetch() - to be called after each read that was answered
 * @goes_on: asked before each buffer: is there time for it?
 *
 * After a large sequential read the next records are read while the reader wakes up and takes
 * the bytes. After other reads memory that is not needed is freed.
 *
 * The file may be read by other threads meanwhile, but must not be freed.
 */
void kv_file_prefetch(struct kv_file *f, bool (*goes_on)(void *arg), void *arg);

/* kv_file_is_answer() - is it an ordinary answer, which is not logged? */
bool kv_file_is_answer(int rc);

/**
 * kv_file_rest() - close the iterator and free the window of an idle file
 * @before: CLOCK_MONOTONIC in s: a file read since then is left alone
 *
 * A read at offset 0 starts over as always. If rows were still to come, other reads fail with
 * -ESTALE.
 */
void kv_file_rest(struct kv_file *f, time_t before);

#endif
