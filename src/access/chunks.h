/* SPDX-License-Identifier: GPL-2.0-only */
/* The map of spooled records (kview/spool.h), seen from the thread that has run the walk. */
#ifndef KVIEW_ACCESS_CHUNKS_H
#define KVIEW_ACCESS_CHUNKS_H

#include <stdint.h>

#include "kview/abi.h"

/**
 * kv_chunk_take() - take a chunk out of the map
 * @map: kv_loaded.spool_fd
 * @self: kv_self.id of the calling thread
 * @n: 0 for the first of the walk
 *
 * Return: 0 or -errno.
 */
int kv_chunk_take(int map, uint64_t self, uint64_t n, struct kv_chunk *chunk);

/* kv_chunks_sweep() - remove chunks of threads that were killed, and what the caller has left */
void kv_chunks_sweep(int map, uint64_t self);

#endif
