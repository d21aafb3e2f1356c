// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/seal.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/random.h>

#define HALF 32 /* bits: a Feistel network over all 64 */

int kv_seal_init(struct kv_seal *seal, const struct kv_tree *tree)
{
	seal->tree = tree;
	return getrandom(seal->keys, sizeof(seal->keys), 0) == sizeof(seal->keys) ? 0 : -errno;
}

/* Mixes as the finalizer of MurmurHash3 does. */
static uint32_t mix(uint64_t key, uint32_t half)
{
	uint64_t h = key ^ half;

	h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
	return (uint32_t)(h >> HALF);
}

static uint64_t permute(const struct kv_seal *seal, uint64_t ino)
{
	uint32_t left = (uint32_t)(ino >> HALF), right = (uint32_t)ino;

	for (size_t i = 0; i < KV_SEAL_ROUNDS; i++) {
		uint32_t next = left ^ mix(seal->keys[i], right);

		left = right;
		right = next;
	}
	return (uint64_t)left << HALF | right;
}

static uint64_t permute_back(const struct kv_seal *seal, uint64_t told)
{
	uint32_t left = (uint32_t)(told >> HALF), right = (uint32_t)told;

	for (size_t i = KV_SEAL_ROUNDS; i-- > 0;) {
		uint32_t before = right ^ mix(seal->keys[i], left);

		right = left;
		left = before;
	}
	return (uint64_t)left << HALF | right;
}

/* Numbers that the tree tells, and 0, which FUSE does not allow. */
static bool is_taken(uint64_t told)
{
	return kv_ino_index(told) == KV_TOLD_INDEX || told <= KV_ROOT;
}

/* Cycle walking: permute again until the result is not taken. */
uint64_t kv_seal_ino(const struct kv_seal *seal, uint64_t ino)
{
	uint64_t told = ino;

	if (!kv_ino_key(ino))
		return kv_tree_told(seal->tree, ino);
	do
		told = permute(seal, told);
	while (is_taken(told));
	return told;
}

uint64_t kv_unseal_ino(const struct kv_seal *seal, uint64_t told)
{
	uint64_t ino = told;

	if (is_taken(told))
		return kv_tree_find(seal->tree, told);
	do
		ino = permute_back(seal, ino);
	while (is_taken(ino));
	return ino;
}
