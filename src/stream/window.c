// SPDX-License-Identifier: GPL-2.0-only
#include "stream/window.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 8192u

void kv_window_reset(struct kv_window *w)
{
	w->start = w->end = 0;
}

void kv_window_free(struct kv_window *w)
{
	free(w->ring);
	free(w->spill);
	*w = (struct kv_window){0};
}

void kv_window_forget(struct kv_window *w)
{
	uint64_t end = w->end;

	kv_window_free(w);
	w->start = w->end = end;
}

/* Copies the bytes that are there to where a ring of @cap has them. */
static int grow(struct kv_window *w, size_t cap)
{
	char *ring = malloc(cap);

	if (!ring)
		return -1;
	for (uint64_t off = w->start; off < w->end;) {
		size_t from = off % w->cap, to = off % cap, n = (size_t)(w->end - off);

		if (n > w->cap - from)
			n = w->cap - from;
		if (n > cap - to)
			n = cap - to;
		memcpy(ring + to, w->ring + from, n);
		off += n;
	}
	free(w->ring);
	w->ring = ring;
	w->cap = cap;
	return 0;
}

/*
 * Small files stay small. Others get the full size in one step: pages that are
 * not reached cost nothing. Only a huge row needs more.
 */
static size_t wanted_cap(const struct kv_window *w, size_t n)
{
	size_t full = KV_WINDOW_KEEP + (n > KV_WINDOW_SLACK ? n : KV_WINDOW_SLACK);
	size_t used = (size_t)(w->end - w->start) + n;

	if (used <= FIRST_CAP && w->cap <= FIRST_CAP && !w->is_long)
		return FIRST_CAP;
	return w->cap > full ? w->cap : full;
}

char *kv_window_reserve(struct kv_window *w, size_t n)
{
	size_t cap = wanted_cap(w, n), at;

	if (cap > w->cap && grow(w, cap) < 0)
		return NULL;
	/* What may be overwritten is forgotten first; KEEP bytes always remain. */
	if (w->end - w->start + n > w->cap)
		w->start = w->end + n - w->cap;
	at = w->end % w->cap;
	if (n <= w->cap - at)
		return w->ring + at;
	free(w->spill);
	w->spill = malloc(n);
	return w->spill;
}

static void copy_in(struct kv_window *w, const char *from, size_t n)
{
	size_t at = w->end % w->cap, first = w->cap - at < n ? w->cap - at : n;

	memcpy(w->ring + at, from, first);
	memcpy(w->ring, from + first, n - first);
}

void kv_window_commit(struct kv_window *w, const char *at, size_t n)
{
	if (at == w->spill) {
		copy_in(w, at, n);
		free(w->spill);
		w->spill = NULL;
	}
	w->end += n;
}

int kv_window_get(const struct kv_window *w, uint64_t off, size_t size, struct iovec iov[2])
{
	size_t at, n = (size_t)(w->end - off);

	if (n > size)
		n = size;
	if (!n)
		return 0;
	at = off % w->cap;
	if (n <= w->cap - at) {
		iov[0] = (struct iovec){w->ring + at, n};
		return 1;
	}
	iov[0] = (struct iovec){w->ring + at, w->cap - at};
	iov[1] = (struct iovec){w->ring, n - (w->cap - at)};
	return 2;
}
