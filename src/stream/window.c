// SPDX-License-Identifier: GPL-2.0-only
#include "stream/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 8192u

void kv_window_reset(struct kv_window *w)
{
	w->start = w->end = 0;
}

void kv_window_forget(struct kv_window *w)
{
	free(w->ring);
	*w = (struct kv_window){.start = w->end, .end = w->end};
}

/* In a ring that is not full each byte lies at its offset, so that it can grow. */
static int grow(struct kv_window *w, uint64_t end)
{
	size_t cap = end <= SMALL ? SMALL : KV_WINDOW_MAX;
	char *ring;

	if (w->cap >= cap)
		return 0;
	ring = realloc(w->ring, cap);
	if (!ring)
		return -ENOMEM;
	w->ring = ring;
	w->cap = cap;
	return 0;
}

int kv_window_put(struct kv_window *w, const char *data, size_t n)
{
	size_t at, first;

	if (grow(w, w->end + n))
		return -ENOMEM;
	at = w->end % w->cap;
	first = w->cap - at < n ? w->cap - at : n;
	memcpy(w->ring + at, data, first);
	if (first < n)
		memcpy(w->ring, data + first, n - first);
	w->end += n;
	if (w->end - w->start > w->cap)
		w->start = w->end - w->cap;
	return 0;
}

int kv_window_get(const struct kv_window *w, uint64_t off, size_t size, struct iovec iov[2])
{
	size_t at, first, n = (size_t)(w->end - off);

	if (n > size)
		n = size;
	if (!n)
		return 0;
	at = off % w->cap;
	first = w->cap - at < n ? w->cap - at : n;
	iov[0] = (struct iovec){w->ring + at, first};
	iov[1] = (struct iovec){w->ring, n - first};
	return n > first ? 2 : 1;
}
