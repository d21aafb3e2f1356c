// SPDX-License-Identifier: GPL-2.0-only
#include "seal.h"

#include <errno.h>
#include <stddef.h>
#include <sys/random.h>

#define HALF 24 /* bits: a Feistel network over the 48 of kv_ino_who() */
#define HALF_MASK ((1u << HALF) - 1)

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
	return (uint32_t)(h >> 40) & HALF_MASK;
}

static uint64_t permute(const struct kv_seal *seal, uint64_t who)
{
	uint32_t left = (uint32_t)(who >> HALF), right = (uint32_t)who & HALF_MASK;

	for (size_t i = 0; i < KV_SEAL_ROUNDS; i++) {
		uint32_t next = left ^ mix(seal->keys[i], right);

		left = right;
		right = next;
	}
	return (uint64_t)left << HALF | right;
}

static uint64_t permute_back(const struct kv_seal *seal, uint64_t told)
{
	uint32_t left = (uint32_t)(told >> HALF), right = (uint32_t)told & HALF_MASK;

	for (size_t i = KV_SEAL_ROUNDS; i-- > 0;) {
		uint32_t before = right ^ mix(seal->keys[i], left);

		right = left;
		left = before;
	}
	return (uint64_t)left << HALF | right;
}

/* 0 means "no process" and stays out of it: whoever would become 0 goes on to what 0 becomes. */
uint64_t kv_seal_ino(const struct kv_seal *seal, uint64_t ino)
{
	uint64_t who = kv_ino_who(ino);

	if (!who)
		return kv_tree_told(seal->tree, ino);
	do
		who = permute(seal, who);
	while (!who);
	return kv_ino(who, kv_ino_index(ino));
}

uint64_t kv_unseal_ino(const struct kv_seal *seal, uint64_t told)
{
	uint64_t who = kv_ino_who(told);

	if (kv_ino_index(told) == KV_TOLD_INDEX || told == KV_ROOT)
		return kv_tree_find(seal->tree, told);
	if (!who)
		return 0;
	do
		who = permute_back(seal, who);
	while (!who);
	return kv_ino(who, kv_ino_index(told));
}
