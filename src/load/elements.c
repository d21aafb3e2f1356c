// SPDX-License-Identifier: GPL-2.0-only
#include "load/elements.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of elements that are looked up at once, if one is not larger. */
#define BATCH 65536

#define KERNELS_ENOTSUPP 524 /* of include/linux/errno.h: it is told to user space as well */

struct kv_elements {
	const struct kv_map *map;
	uint64_t stride;      /* bytes of an element's values */
	uint32_t room, n, at; /* elements: that fit, that are there, that were taken */
	unsigned int cpu;     /* next one, of the element that is next */
	char *keys, *values;
	char *position, *next; /* in the kernel's walk: a key, or what it makes of a bucket */
	bool has_position, by_key, has_ended;
	uint64_t found;
};

/* A value per CPU is padded: see bpf_map_value_size() in kernel/bpf/syscall.c. */
static uint64_t stride_of(const struct kv_map *map)
{
	uint64_t padded = ((uint64_t)map->value_size + 7) / 8 * 8;

	return map->ncpus ? padded * map->ncpus : map->value_size;
}

static int set_room(struct kv_elements *e, uint32_t room)
{
	if (((uint64_t)e->map->key_size + e->stride) * room > KV_ELEMENTS_MAX)
		return -E2BIG;
	free(e->keys);
	free(e->values);
	e->keys = calloc(room, e->map->key_size);
	e->values = calloc(room, e->stride);
	e->room = room;
	return e->keys && e->values ? 0 : -ENOMEM;
}

/* Room for as many as come at once. */
static int begin(struct kv_elements *e)
{
	uint64_t room = BATCH / (e->map->key_size + e->stride + 1);

	return set_room(e, room ? (uint32_t)room : 1);
}

struct kv_elements *kv_elements_new(const struct kv_map *map)
{
	struct kv_elements *e = calloc(1, sizeof(*e));
	/* The kernel's bucket is a number of 4 bytes. */
	size_t position = map->key_size < 4 ? 4 : map->key_size;

	if (!e)
		return NULL;
	e->map = map;
	e->stride = stride_of(map);
	e->position = malloc(position);
	e->next = malloc(position);
	if (e->position && e->next)
		return e;
	kv_elements_free(e);
	return NULL;
}

void kv_elements_free(struct kv_elements *e)
{
	if (!e)
		return;
	free(e->keys);
	free(e->values);
	free(e->position);
	free(e->next);
	free(e);
}

/* --- looking up --- */

static void advance(struct kv_elements *e)
{
	char *last = e->position;

	e->position = e->next;
	e->next = last;
	e->has_position = true;
}

/*
 * Some at once: whole buckets of a hash table, each with its lock held. -ENOSPC: a bucket has
 * more elements than there is room for.
 */
static int look_up_batch(struct kv_elements *e)
{
	uint32_t n = e->room;
	int rc = bpf_map_lookup_batch(e->map->fd, e->has_position ? e->position : NULL, e->next,
				      e->keys, e->values, &n, NULL);

	if (rc && rc != -ENOENT)
		return rc;
	e->n = n;
	e->has_ended = rc == -ENOENT;
	advance(e);
	return 0;
}

/* One by one: some maps have no other way. A key that has no value is left out. */
static int look_up_keys(struct kv_elements *e)
{
	while (e->n < e->room) {
		const char *last = e->has_position ? e->position : NULL;
		char *key = e->keys + (size_t)e->n * e->map->key_size;
		int rc = bpf_map_get_next_key(e->map->fd, last, e->next);

		if (rc) {
			e->has_ended = rc == -ENOENT;
			return e->has_ended ? 0 : rc;
		}
		advance(e);
		if (++e->found > e->map->max_entries)
			return -ELOOP;
		memcpy(key, e->position, e->map->key_size);
		rc = bpf_map_lookup_elem(e->map->fd, key, e->values + (size_t)e->n * e->stride);
		if (rc && rc != -ENOENT)
			return rc;
		e->n += !rc;
	}
	return 0;
}

static int look_up(struct kv_elements *e)
{
	int rc = e->room ? 0 : begin(e);

	e->n = e->at = 0;
	if (rc)
		return rc;
	if (e->by_key)
		return look_up_keys(e);
	while ((rc = look_up_batch(e)) == -ENOSPC && e->room <= e->map->max_entries) {
		rc = set_room(e, e->room * 2);
		if (rc)
			return rc;
	}
	if ((rc == -EOPNOTSUPP || rc == -KERNELS_ENOTSUPP) && !e->has_position) {
		e->by_key = true;
		return look_up_keys(e);
	}
	e->found += e->n;
	/* Where a key has gone the kernel may begin anew; buckets stay where they are. */
	return !rc && !e->map->is_hash && e->found > e->map->max_entries ? -ELOOP : rc;
}

static int explain(const struct kv_elements *e, int rc, struct kv_err *err)
{
	unsigned int id = e->map->id;

	if (rc == -ELOOP) {
		kv_err_set(err, rc, "the keys of the BPF map %u change too fast", id);
		kv_err_hint(err, "read it again");
		return rc;
	}
	if (rc == -E2BIG) {
		kv_err_set(err, rc, "elements of the BPF map %u are too large to be looked up", id);
		kv_err_hint(err, "those that come at once may have %u MiB", KV_ELEMENTS_MAX >> 20);
		return rc;
	}
	kv_err_errno(err, rc, "can't look up elements of the BPF map %u", id);
	if (rc == -EPERM)
		kv_err_hint(err, "it was made with BPF_F_WRONLY: nobody may read it from outside");
	if (rc == -ENOSPC)
		kv_err_hint(err, "a map of sockets can be read if its values have 8 bytes");
	return rc;
}

/* --- records --- */

static uint32_t put_one(struct kv_elements *e, char *to)
{
	const struct kv_map *map = e->map;
	const char *value = e->values + (size_t)e->at * e->stride;
	uint32_t len =
		kv_layout_put(map->layout, e->keys + (size_t)e->at * map->key_size,
			      value + (size_t)(map->value_size + 7) / 8 * 8 * e->cpu, e->cpu, to);

	if (++e->cpu >= map->ncpus) {
		e->cpu = 0;
		e->at++;
	}
	return len;
}

ssize_t kv_elements_read(struct kv_elements *e, char *to, size_t size, struct kv_err *err)
{
	size_t n = 0;

	while (size - n >= KV_RECORD_MAX) {
		int rc = 0;

		if (e->at < e->n) {
			n += put_one(e, to + n);
			continue;
		}
		if (e->has_ended)
			break;
		rc = look_up(e);
		if (rc)
			return explain(e, rc, err);
	}
	return (ssize_t)n;
}
