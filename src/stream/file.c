// SPDX-License-Identifier: GPL-2.0-only
#include "stream/file.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "stream/window.h"

/* Of a larger reply the first bytes would have left the window. */
#define READ_MAX KV_WINDOW_KEEP

/* From this size on reads are those of a stream. */
#define STREAM_MIN (64u << 10)

struct kv_file {
	pthread_mutex_t lock;
	struct kv_source source;
	struct kv_reader reader;
	struct kv_rows rows; /* rows.run: NULL before the first read and behind the end */
	char *text;	     /* that kv_source.text() has made */
	struct kv_window window;
	const char *next; /* bytes that come behind the window: from @at on */
	size_t at, len;
	bool at_end;	  /* and nothing behind them */
	int failed;	  /* -errno of the iteration: sticks until offset 0 */
	char *why;	  /* it failed, for the read that is told; may be NULL */
	uint64_t nrows;	  /* @rows had before the read that is under way */
	time_t last_read; /* CLOCK_MONOTONIC, s */
	bool is_resting;
	bool is_stream; /* the last read got all of the much that it asked for */
};

/* Nothing more comes, unless the file is rewound. */
static void drop_source(struct kv_file *f)
{
	kv_rows_free(&f->rows);
	free(f->text);
	f->text = NULL;
	f->at = f->len = 0;
	f->nrows = 0;
}

static void rewind_file(struct kv_file *f)
{
	drop_source(f);
	f->at_end = f->is_resting = false;
	f->failed = 0;
	free(f->why);
	f->why = NULL;
	kv_window_reset(&f->window);
}

static int take_text(struct kv_file *f)
{
	f->text = f->source.text(f->source.arg, &f->reader);
	if (!f->text)
		return -ENOMEM;
	f->next = f->text;
	f->len = strlen(f->text);
	f->at_end = true;
	return 0;
}

/* One more row, or the end. */
static int step(struct kv_file *f, struct kv_err *err)
{
	int rc = kv_rows_next(&f->rows, &f->len, err);

	f->at = 0;
	f->next = f->rows.text;
	if (rc > 0)
		return 0;
	f->len = 0;
	f->at_end = rc == 0;
	if (f->at_end) {
		kv_run_free(f->rows.run);
		f->rows.run = NULL;
	}
	return rc;
}

static int put_next(struct kv_file *f, uint64_t end)
{
	size_t n = f->len - f->at;
	int rc;

	if (n > end - f->window.end)
		n = (size_t)(end - f->window.end);
	if (n > KV_WINDOW_KEEP)
		n = KV_WINDOW_KEEP;
	rc = kv_window_put(&f->window, f->next + f->at, n);
	if (!rc)
		f->at += n;
	return rc;
}

static int start(struct kv_file *f, const struct kv_read *read, struct kv_err *err)
{
	struct kv_run_opts opts = {
		.reader = &f->reader,
		.subset = f->source.subset,
		.host = f->source.host,
		.cancelled = read->cancelled,
		.arg = read->arg,
	};
	struct kv_run *run;
	int rc;

	if (f->source.text)
		return take_text(f);
	rc = kv_run_new(f->source.view, &opts, &run, err);
	if (rc)
		return rc;
	kv_rows_init(&f->rows, run, f->source.format, f->source.plan);
	rc = step(f, err);
	if (rc || f->at_end || f->source.subset.link.param == KV_PARAM_NONE)
		return rc;
	/*
	 * Is the object there, and may the reader look into it? A header alone
	 * would say: yes, and it has nothing.
	 */
	rc = put_next(f, UINT64_MAX);
	if (!rc)
		rc = step(f, err);
	if (rc)
		rewind_file(f);
	return rc;
}

/* Rows until the stream reaches @end, its own end, or a failure. */
static int produce(struct kv_file *f, uint64_t end, const struct kv_read *read, struct kv_err *err)
{
	int rc = 0;

	if (f->rows.run)
		kv_run_on_behalf(f->rows.run, read->arg);
	while (!rc && f->window.end < end && (f->at < f->len || !f->at_end)) {
		if (f->at < f->len)
			rc = put_next(f, end);
		else
			rc = f->rows.run ? step(f, err) : start(f, read, err);
	}
	/* An interrupted read may be repeated, any other failure has lost rows. */
	if (rc && rc != -EINTR) {
		f->failed = rc;
		f->why = strdup(err->msg);
	}
	return rc;
}

static int read_locked(struct kv_file *f, const struct kv_read *read, uint64_t *bytes,
		       struct kv_err *err)
{
	size_t size = read->size < READ_MAX ? read->size : READ_MAX;
	struct iovec iov[2];
	int rc, n = 0;

	f->is_stream = false;
	if (read->off == 0)
		rewind_file(f);
	if (read->off < f->window.start)
		return f->is_resting ? -ESTALE : -ESPIPE;
	rc = f->failed;
	if (rc && f->why)
		kv_err_set(err, rc, "%s", f->why);
	if (!rc && read->off <= UINT64_MAX - size)
		rc = produce(f, read->off + size, read, err);
	if (read->off < f->window.start)
		return -ESPIPE;
	/* What came before a failure is read first, the failure next time. */
	if (rc && read->off >= f->window.end)
		return rc;
	if (read->off < f->window.end)
		n = kv_window_get(&f->window, read->off, size, iov);
	for (int i = 0; i < n; i++)
		*bytes += iov[i].iov_len;
	read->reply(read->arg, iov, n);
	f->is_stream = size >= STREAM_MIN && *bytes == size;
	return 0;
}

/* What a reader may bring about at will is no error: only what keeps it from its rows is. */
static void count(struct kv_file *f, int rc, uint64_t bytes)
{
	struct kv_counters *c = f->source.counters;

	if (!c)
		return;
	atomic_fetch_add(&c->reads, 1);
	atomic_fetch_add(&c->rows, f->rows.nrows - f->nrows);
	atomic_fetch_add(&c->bytes, bytes);
	if (rc && !kv_file_is_answer(rc))
		atomic_fetch_add(&c->errors, 1);
}

bool kv_file_is_answer(int rc)
{
	return rc == -ESPIPE || rc == -EINTR || rc == -ENOENT || rc == -EACCES || rc == -ESTALE;
}

struct kv_file *kv_file_new(const struct kv_source *source, struct kv_reader *reader)
{
	struct kv_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->source = *source;
	f->reader = *reader;
	*reader = KV_READER_INIT;
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

uid_t kv_file_user(const struct kv_file *f)
{
	return f->reader.user;
}

void kv_file_free(struct kv_file *f)
{
	drop_source(f);
	free(f->why);
	kv_reader_close(&f->reader);
	kv_window_forget(&f->window);
	if (f->source.free)
		f->source.free(f->source.owned);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

void kv_file_rest(struct kv_file *f, time_t before)
{
	if (pthread_mutex_trylock(&f->lock)) /* it is being read */
		return;
	if (f->last_read < before && !(f->rows.run && kv_run_is_prefetching(f->rows.run))) {
		if ((f->rows.run || f->at < f->len) && !f->failed)
			f->failed = -ESTALE;
		f->is_resting = true;
		drop_source(f);
		kv_window_forget(&f->window);
	}
	pthread_mutex_unlock(&f->lock);
}

int kv_file_read(struct kv_file *f, const struct kv_read *read, struct kv_err *err)
{
	uint64_t bytes = 0;
	int rc;

	pthread_mutex_lock(&f->lock);
	f->nrows = f->rows.nrows;
	rc = read_locked(f, read, &bytes, err);
	count(f, rc, bytes);
	f->last_read = now();
	pthread_mutex_unlock(&f->lock);
	return rc;
}

void kv_file_prefetch(struct kv_file *f, bool (*goes_on)(void *arg), void *arg)
{
	struct kv_run *run;
	bool begins;

	if (pthread_mutex_trylock(&f->lock)) /* the reader is here again */
		return;
	run = f->rows.run;
	begins = run && f->is_stream && goes_on(arg) && kv_run_begin_prefetch(run);
	if (run && !begins)
		kv_run_settle(run);
	pthread_mutex_unlock(&f->lock);
	/* Whoever ends the run meanwhile waits for us. */
	if (begins)
		kv_run_prefetch(run, goes_on, arg);
}
