/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Public inode numbers. The inode number of a member contains, for example, the number of a process
 * in kview's pid namespace. A reader in another pid namespace must not learn that number from
 * st_ino or a file handle. So the kernel gets a permutation of the inode number, under random keys
 * of this daemon. A number that another daemon gave out belongs to no node here, except by chance.
 * A node that is no member's has the number that kv_tree_told() returns.
 */
#ifndef KVIEW_FS_SEAL_H
#define KVIEW_FS_SEAL_H

#include <stdint.h>

#include "fuse/fs/tree.h"

#define KV_SEAL_ROUNDS 6

struct kv_seal {
	uint64_t keys[KV_SEAL_ROUNDS];
	const struct kv_tree *tree;
};

/* kv_seal_init() - random keys for the nodes of a tree; 0 or -errno */
int kv_seal_init(struct kv_seal *seal, const struct kv_tree *tree);

/* kv_seal_ino() - a node's number as it is told outside */
uint64_t kv_seal_ino(const struct kv_seal *seal, uint64_t ino);

/* kv_unseal_ino() - back, whatever was told; for what was never told, a number of no node */
uint64_t kv_unseal_ino(const struct kv_seal *seal, uint64_t told);

#endif
