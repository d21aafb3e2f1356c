// SPDX-License-Identifier: GPL-2.0-only
#include "stream/spool.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access/chunks.h"
#include "access/identity.h"
#include "base/cleanup.h"

#define TRIES 4

struct piece {
	struct piece *next;
	uint32_t len;
	char bytes[];
};

struct kv_spool {
	struct piece *first, **last;
	size_t size; /* of all pieces that there have been */
};

/* Spools above this size give their memory back to the system. */
#define TRIM_MIN (1u << 20)

/* Of all spools of this process. */
static atomic_size_t kept;

static void free_piece(struct piece *piece)
{
	atomic_fetch_sub(&kept, sizeof(*piece) + piece->len);
	free(piece);
}

static struct piece *new_piece(uint32_t len)
{
	size_t size = sizeof(struct piece) + len;
	struct piece *piece = NULL;

	if (atomic_fetch_add(&kept, size) + size <= KV_SPOOL_KEPT_MAX)
		piece = malloc(size);
	if (!piece)
		atomic_fetch_sub(&kept, size);
	return piece;
}

/* --- the kernel's side --- */

static int append(struct kv_spool *spool, const struct kv_chunk *chunk)
{
	struct piece *piece;

	if (chunk->len > sizeof(chunk->bytes))
		return -EBADMSG;
	piece = new_piece(chunk->len);
	if (!piece)
		return -ENOMEM;
	piece->next = NULL;
	piece->len = chunk->len;
	memcpy(piece->bytes, chunk->bytes, chunk->len);
	*spool->last = piece;
	spool->last = &piece->next;
	spool->size += chunk->len;
	return 0;
}

/* All @n chunks, in their order. What a failure leaves behind is swept. */
static int take(struct kv_spool *spool, int map, uint64_t self, uint64_t n)
{
	struct kv_chunk chunk;
	int rc = 0;

	for (uint64_t i = 0; !rc && i < n; i++) {
		rc = kv_chunk_take(map, self, i, &chunk);
		if (!rc)
			rc = append(spool, &chunk);
	}
	return rc;
}

/* --- walks --- */

/* One walk. -EAGAIN: it has stopped on the way, and has lost rows. */
static int walk(const struct kv_view *view, const struct kv_scope *scope, int iter,
		struct kv_progress *progress, uint8_t *saw, struct kv_err *err)
{
	const struct kv_loaded *loaded = &view->loaded;
	char byte;
	ssize_t n;

	if (loaded->link_fd < 0)
		n = kv_scope_call(loaded->readers_fd, scope, progress, loaded->prog_fd, saw, err);
	else
		n = kv_scope_read(loaded->readers_fd, scope, progress, iter, &byte, 1, saw, err);
	if (n > 0)
		return -EBADMSG; /* never: nothing is put into the seq buffer */
	if (n < 0 && n != -EINTR)
		return (int)n;
	return (*saw & KV_SAW_END) && !(*saw & KV_SAW_FULL) ? 0 : -EAGAIN;
}

static int no_room(const struct kv_view *view, struct kv_err *err)
{
	kv_err_set(err, -ENOMEM, "view '%s': its rows have no room in the kernel", view->name);
	kv_err_hint(err, "there are more than %u MiB of them at one time, or memory is short",
		    KV_SPOOL_CHUNKS * (unsigned int)sizeof(struct kv_chunk) >> 20);
	return KV_SAID_NO_MEMORY;
}

static int none_to_keep(const struct kv_view *view, struct kv_err *err)
{
	kv_err_set(err, -ENOMEM, "view '%s': no memory to keep its rows until they are read",
		   view->name);
	kv_err_hint(err, "rows of all open files that wait may take %u MiB: read on, or close some",
		    KV_SPOOL_KEPT_MAX >> 20);
	return KV_SAID_NO_MEMORY;
}

static int try(struct kv_spool *spool, const struct kv_view *view, const struct kv_scope *scope,
	       int iter, uint8_t *saw, struct kv_err *err)
{
	int map = view->loaded.spool_fd, rc;
	struct kv_progress progress = {0};
	struct kv_self self;

	if (kv_self_get(&self, err))
		return KV_SAID;
	kv_chunks_sweep(map, self.id);
	rc = walk(view, scope, iter, &progress, saw, err);
	if (!rc)
		rc = take(spool, map, self.id, progress.chunks);
	if (rc)
		kv_chunks_sweep(map, self.id);
	return rc;
}

int kv_spool_new(const struct kv_view *view, const struct kv_scope *scope, int (*begin)(void *arg),
		 void *arg, struct kv_spool **spool, uint8_t *saw, struct kv_err *err)
{
	struct kv_spool *s = calloc(1, sizeof(*s));
	int rc = s ? -EAGAIN : -ENOMEM;

	for (int i = 0; i < TRIES && rc == -EAGAIN; i++) {
		bool is_called = view->loaded.link_fd < 0;
		_cleanup_close_ int iter = is_called ? -1 : begin(arg);

		s->last = &s->first;
		rc = iter < 0 && !is_called ? iter : try(s, view, scope, iter, saw, err);
	}
	if (!rc) {
		*spool = s;
		return 0;
	}
	kv_spool_free(s);
	if (rc == -ENOMEM)
		return none_to_keep(view, err);
	return rc == -EAGAIN ? no_room(view, err) : rc;
}

/* --- what was taken --- */

static void drop_first(struct kv_spool *spool)
{
	struct piece *piece = spool->first;

	spool->first = piece->next;
	free_piece(piece);
}

/*
 * Pieces are far below the size that malloc() maps apart, and lie between what other threads have:
 * free() alone would leave the process as large as all spools were together.
 */
static void give_back(struct kv_spool *spool)
{
	if (spool->first || spool->size < TRIM_MIN)
		return;
	spool->size = 0;
	malloc_trim(0);
}

ssize_t kv_spool_read(struct kv_spool *spool, char *to, size_t size)
{
	size_t n = 0;

	while (spool->first && spool->first->len <= size - n) {
		memcpy(to + n, spool->first->bytes, spool->first->len);
		n += spool->first->len;
		drop_first(spool);
	}
	give_back(spool);
	return (ssize_t)n;
}

void kv_spool_free(struct kv_spool *spool)
{
	if (!spool)
		return;
	while (spool->first)
		drop_first(spool);
	give_back(spool);
	free(spool);
}
