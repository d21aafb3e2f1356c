/* SPDX-License-Identifier: GPL-2.0-only */
/* A reader of an open file whose rows come from an iterator made here. */
#ifndef KVIEW_UNIT_FILE_READER_H
#define KVIEW_UNIT_FILE_READER_H

#include "fake_iter.h"
#include "stream/file.h"
#include "stream/window.h"

#define ROWS 40000u

/* --- one reader --- */

struct reader {
	struct kv_file *file;
	char *got; /* of the last read */
	size_t n;
	unsigned int replies;
	int cancel_in;	   /* asks left before "yes"; below 0: never */
	bool may_prefetch; /* when it has been answered */
	struct kv_err err;
	struct kv_counters counters; /* of the view, as if it had this reader alone */
};

static inline void take(void *arg, const struct iovec *iov, int n)
{
	struct reader *r = arg;

	r->replies++;
	r->n = 0;
	for (int i = 0; i < n; i++) {
		memcpy(r->got + r->n, iov[i].iov_base, iov[i].iov_len);
		r->n += iov[i].iov_len;
	}
}

static inline bool is_cancelled(void *arg)
{
	struct reader *r = arg;

	return r->cancel_in >= 0 && r->cancel_in-- == 0;
}

static inline bool may_prefetch(void *arg)
{
	return ((struct reader *)arg)->may_prefetch;
}

/* The file takes over a reader with descriptors. */
static inline void open_source(struct reader *r, const struct kv_source *source)
{
	struct kv_reader reader = fake_reader();

	r->file = kv_file_new(source, &reader);
	r->got = malloc(1 << 21);
	assert_non_null(r->file);
	for (int i = 0; i < KV_HOLDS; i++)
		assert_int_equal(reader.holds[i], -1);
}

static inline const struct kv_plan *fake_plan(void)
{
	static struct kv_plan plan;

	if (!plan.schema)
		kv_plan_all(&plan, fake_view.schema);
	return &plan;
}

/* It shows one process if @pid is not 0. */
static inline void reader_open(struct reader *r, const struct kv_format *format, pid_t pid)
{
	const struct kv_source source = {
		.view = &fake_view,
		.format = format,
		.plan = fake_plan(),
		.counters = &r->counters,
		.subset = kv_subset_process(pid, pid ? 77 : 0),
	};

	*r = (struct reader){.cancel_in = -1};
	open_source(r, &source);
}

static inline void reader_close(struct reader *r)
{
	kv_file_free(r->file);
	free(r->got);
}

/* Exactly one reply if it succeeds, none if it fails. */
static inline int read_at(struct reader *r, uint64_t off, size_t size)
{
	const struct kv_read read = {
		.off = off,
		.size = size,
		.cancelled = is_cancelled,
		.reply = take,
		.arg = r,
	};
	unsigned int before = r->replies;
	int rc;

	r->n = 0;
	rc = kv_file_read(r->file, &read, &r->err);
	kv_file_prefetch(r->file, may_prefetch, r);
	assert_int_equal(r->replies - before, rc ? 0 : 1);
	assert_true(r->n <= size);
	return rc;
}

/* --- what the file must hold --- */

static char *whole;
static size_t whole_len;

static inline int make_whole(void **state)
{
	(void)state;
	whole = malloc(ROWS * 64);
	whole_len = (size_t)sprintf(whole, "N NAME\n");
	for (uint32_t i = 0; i < ROWS; i++)
		whole_len += fake_text(i, whole + whole_len);
	return 0;
}

static inline int free_whole(void **state)
{
	(void)state;
	free(whole);
	return 0;
}

static inline void expect_at(struct reader *r, uint64_t off, size_t size)
{
	size_t want = off >= whole_len ? 0 : whole_len - off;

	want = want < size ? want : size;
	assert_int_equal(read_at(r, off, size), 0);
	assert_int_equal(r->n, want);
	assert_true(memcmp(r->got, whole + off, want) == 0);
}

static inline void open_rows(struct reader *r)
{
	fake_records(ROWS, NULL, 0);
	reader_open(r, &kv_format_text, 0);
}

#endif
