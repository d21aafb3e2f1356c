/* SPDX-License-Identifier: GPL-2.0-only */
/* The walk through the elements of a BPF map (load/map.h). */
#ifndef KVIEW_LOAD_ELEMENTS_H
#define KVIEW_LOAD_ELEMENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "schema/layout.h"

/* A map that is read. */
struct kv_map {
	int fd;
	uint32_t id, key_size, value_size, max_entries;
	unsigned int ncpus; /* that have a value each; 0: there is one value */
	bool is_hash;
	struct kv_layout *layout;
};

struct kv_elements;

/* Bytes of elements that are looked up at once: one, or a bucket of a hash table. */
#define KV_ELEMENTS_MAX (64u << 20)

/**
 * kv_elements_new() - nothing is looked up yet
 * @map: kv_view.map; must outlive the walk
 *
 * Return: to be freed with kv_elements_free(); NULL: out of memory.
 */
struct kv_elements *kv_elements_new(const struct kv_map *map);

void kv_elements_free(struct kv_elements *elements);

/**
 * kv_elements_read() - the next records
 * @size: at least KV_RECORD_MAX
 *
 * Return: bytes; 0: the end; -errno with @err set.
 */
ssize_t kv_elements_read(struct kv_elements *elements, char *to, size_t size, struct kv_err *err);

#endif
