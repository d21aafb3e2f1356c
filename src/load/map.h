/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF maps of others, as views of their own: a row per element, or for values per CPU a row per
 * element and CPU. No program is loaded for that. Elements are looked up, hash tables by buckets: so
 * each that stays is found once, whatever comes and goes meanwhile, which the kernel's iterator
 * over elements does not promise.
 */
#ifndef KVIEW_LOAD_MAP_H
#define KVIEW_LOAD_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "load/view.h"

/* A map to read, and its BTF. */
struct kv_map_fds {
	int map; /* for looking up alone */
	int btf; /* -1: it has none */
};

#define KV_MAP_FDS_INIT ((struct kv_map_fds){-1, -1})

void kv_map_fds_close(struct kv_map_fds *fds);

/**
 * kv_map_open() - a map by its id; it takes CAP_SYS_ADMIN
 * @or_next: if there is none of that id, the one with the next higher id
 * @fds: on success to be closed
 *
 * Return: 0; -ENOENT: there is none; another -errno.
 */
int kv_map_open(uint32_t id, bool or_next, struct kv_map_fds *fds);

/* What a map is called. */
struct kv_map_name {
	uint32_t id;
	char name[16]; /* as its maker called it; may be empty */
	uint32_t type; /* enum bpf_map_type */
};

/* kv_map_name() - 0 or -errno */
int kv_map_name(const struct kv_map_fds *fds, struct kv_map_name *name);

/**
 * kv_map_has() - has a map of this type elements that an iterator of the kind @iter walks through;
 * or where @iter is NULL, that can be looked up by keys?
 *
 * The kernel may refuse a program all the same, for what it reads of a key or value.
 */
bool kv_map_has(uint32_t type, const char *iter);

/**
 * kv_map_views() - one view, whose rows are the elements of a map
 * @fds: are the views', whatever is returned
 * @views: on success to be closed with kv_views_close()
 *
 * The view is loaded, and its name is "map/ID".
 *
 * Return: 0, or -errno with @err set; -EOPNOTSUPP: its elements can't be looked up.
 */
int kv_map_views(struct kv_map_fds *fds, struct kv_views *views, struct kv_err *err);

/* kv_map_free() - for kv_views_close() */
void kv_map_free(struct kv_map *map);

#endif
