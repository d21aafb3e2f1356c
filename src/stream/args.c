// SPDX-License-Identifier: GPL-2.0-only
#include "stream/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/record.h"
#include "stream/walk.h"

/* For one read of a walk, and a part of a record that the read before has left. */
#define ROOM 32768
#define BUFFER (ROOM + KV_RECORD_MAX)

/* Arguments that are kept; more are fetched when their rows are due. */
#define BYTES (8 * KV_ARGS_MAX)

/* The records of one walk. */
struct source {
	struct kv_kernel_walk walk;
	size_t pos, len;
	char bytes[BUFFER];
};

struct kv_args_walk {
	struct kv_courier *courier;
	const struct kv_schema *schema;
	struct source first, second;
	struct kv_fetch list[KV_COURIER_ITEMS]; /* a batch, in the order of the walk */
	size_t n, fetched, at;
	int32_t last;	   /* number of the last row, which are in order */
	char bytes[BYTES]; /* the arguments of the batch, as far as they are fetched */
	char row[KV_FILLED_MAX];
	size_t row_pos, row_len; /* what is left of it */
	ssize_t failed;		 /* for good */
};

static void init_source(struct source *s, struct kv_kernel_walk *walk)
{
	s->walk = *walk;
	*walk = (struct kv_kernel_walk){.fd = -1};
}

struct kv_args_walk *kv_args_new(struct kv_courier *courier, struct kv_kernel_walk *walk,
				 struct kv_kernel_walk *second)
{
	struct kv_args_walk *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->courier = courier;
	a->schema = walk->view->schema;
	init_source(&a->first, walk);
	init_source(&a->second, second);
	return a;
}

void kv_args_free(struct kv_args_walk *a)
{
	if (!a)
		return;
	kv_walk_end(&a->first.walk);
	kv_walk_end(&a->second.walk);
	free(a);
}

/* --- records --- */

/*
 * The next whole record, which stays until it is skipped, if it has been read. Its length; 0: none;
 * KV_SAID with @err set.
 */
static int peek(const struct kv_args_walk *a, const struct source *s, const char **record,
		struct kv_err *err)
{
	struct kv_head head = {0};
	int len;

	*record = s->bytes + s->pos;
	if (s->len - s->pos >= sizeof(head))
		memcpy(&head, *record, sizeof(head));
	if (head.len > KV_RECORD_MAX)
		len = kv_err_set(err, -EBADMSG, "malformed record: it says it has %u bytes",
				 head.len);
	else
		len = kv_record_check(a->schema, *record, s->len - s->pos, err);
	return len < 0 ? KV_SAID : len;
}

/* Behind what is left. More than 0: some came; 0: the end; otherwise as kv_walk_read(). */
static ssize_t fill(struct source *s, uint8_t *saw, struct kv_err *err)
{
	uint8_t seen = 0;
	ssize_t n;

	if (s->walk.has_ended)
		return 0;
	memmove(s->bytes, s->bytes + s->pos, s->len - s->pos);
	s->len -= s->pos;
	s->pos = 0;
	n = kv_walk_read(&s->walk, s->bytes + s->len, ROOM, &seen, err);
	*saw |= seen;
	if (n > 0)
		s->len += (size_t)n;
	return n;
}

static struct kv_whose whose_of(const struct kv_args_walk *a, const char *record)
{
	struct kv_whose whose;

	memcpy(&whose, record + a->schema->whose, sizeof(whose));
	return whose;
}

/* --- the first walk --- */

static int no_order(struct kv_err *err)
{
	kv_err_set(err, -EBADMSG, "the rows are not in the order of processes");
	kv_err_hint(err, "KV_FROM(cmdline) is for views of tasks, with a row per process");
	return KV_SAID;
}

/* What has been read of it is the next batch, as far as there is room. */
static int list_batch(struct kv_args_walk *a, struct kv_err *err)
{
	struct source *s = &a->first;
	const char *record;
	int len = 0;

	a->n = a->fetched = a->at = 0;
	while (a->n < KV_COURIER_ITEMS && (len = peek(a, s, &record, err)) > 0) {
		a->list[a->n] = (struct kv_fetch){.whose = whose_of(a, record)};
		if (a->list[a->n].whose.nr <= a->last)
			return no_order(err);
		a->last = a->list[a->n++].whose.nr;
		s->pos += (size_t)len;
	}
	return len < 0 ? len : 0;
}

/* 1: there is a batch; 0: the walk has ended; otherwise as kv_walk_read(). */
static ssize_t next_batch(struct kv_args_walk *a, uint8_t *saw, struct kv_err *err)
{
	ssize_t rc = list_batch(a, err);

	if (rc || a->n)
		return rc ? rc : 1;
	rc = fill(&a->first, saw, err);
	if (rc <= 0)
		return rc;
	rc = list_batch(a, err);
	return rc ? rc : a->n ? 1 : -EAGAIN;
}

/* --- couriers --- */

static int fetch(struct kv_args_walk *a, struct kv_err *err)
{
	/* What has been read of the second walk already says nothing of later. */
	bool is_old = a->second.len > a->second.pos;
	int n;

	for (size_t i = a->at; i < a->n; i++)
		a->list[i].is_old = is_old;
	n = kv_courier_fetch(a->courier, a->list + a->at, a->n - a->at, a->bytes, sizeof(a->bytes));
	if (n < 0) {
		kv_err_errno(err, n, "can't fetch the arguments of processes");
		return KV_SAID;
	}
	a->fetched = a->at + (size_t)n;
	return 0;
}

/* Is what is behind the limit a part of an argument? Then that part is one of the list. */
static uint32_t put_args(const struct kv_fetch *f, char *to)
{
	uint32_t len = f->len;

	memcpy(to, f->args, len);
	if (f->how != KV_FETCH_LONG)
		return len;
	if (to[len - 1])
		to[len++] = '\0';
	memcpy(to + len, KV_ARGS_MARK, sizeof(KV_ARGS_MARK) - 1);
	return len + (uint32_t)sizeof(KV_ARGS_MARK) - 1;
}

/* The record with its arguments, behind all that it has. */
static void make_row(struct kv_args_walk *a, const char *record, uint32_t len,
		     const struct kv_fetch *f)
{
	struct kv_str s = {.off = KV_STR_NONE};
	struct kv_head head = {len};

	memcpy(a->row, record, len);
	if (f->how == KV_FETCH_BUSY)
		s.off = KV_STR_BUSY;
	else if (f->how == KV_FETCH_UNREADABLE)
		s.off = KV_STR_UNREADABLE;
	else if (f->len)
		s = (struct kv_str){(uint16_t)len, (uint16_t)put_args(f, a->row + len)};
	head.len += s.len;
	memcpy(a->row, &head, sizeof(head));
	memcpy(a->row + a->schema->args, &s, sizeof(s));
	a->row_pos = 0;
	a->row_len = head.len;
}

/* --- the second walk --- */

/* Whose turn is it, that of @record or that of the batch? */
static void match(struct kv_args_walk *a, const char *record, uint32_t len)
{
	const struct kv_fetch *f = &a->list[a->at];
	struct kv_whose whose = whose_of(a, record);

	if (whose.nr > f->whose.nr) { /* the process has ended */
		a->at++;
		return;
	}
	a->second.pos += len;
	if (whose.nr < f->whose.nr) /* this one has begun since the first walk */
		return;
	if (whose.start == f->whose.start && f->how != KV_FETCH_ENDED)
		make_row(a, record, len, f);
	a->at++;
}

/* 1: there is a row, or it is nearer; 0: the end; otherwise as kv_walk_read(). */
static ssize_t step(struct kv_args_walk *a, uint8_t *saw, struct kv_err *err)
{
	const char *record;
	ssize_t rc;
	int len;

	if (a->at == a->n)
		return next_batch(a, saw, err);
	if (a->at == a->fetched)
		return fetch(a, err) ? KV_SAID : 1;
	len = peek(a, &a->second, &record, err);
	if (len < 0)
		return len;
	if (len) {
		match(a, record, (uint32_t)len);
		return 1;
	}
	rc = fill(&a->second, saw, err);
	if (rc == 0)
		a->at = a->fetched = a->n; /* the rest of the batch has ended */
	return rc < 0 ? rc : 1;
}

ssize_t kv_args_read(struct kv_args_walk *a, char *to, size_t size, uint8_t *saw,
		     struct kv_err *err)
{
	ssize_t rc = a->failed ? a->failed : 1;
	size_t n = 0;

	while (rc > 0 && n < size) {
		size_t part = a->row_len < size - n ? a->row_len : size - n;

		memcpy(to + n, a->row + a->row_pos, part);
		n += part;
		a->row_pos += part;
		a->row_len -= part;
		/* Who waits is asked before more is fetched, whether to go on. */
		if (n && a->at == a->fetched)
			break;
		if (!a->row_len)
			rc = step(a, saw, err);
	}
	if (rc < 0 && rc != -EAGAIN && rc != -EINTR)
		a->failed = rc;
	return n ? (ssize_t)n : rc; /* what came before a failure is taken first */
}
