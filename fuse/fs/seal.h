/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Public inode numbers. A member's own has, for example, the number of a process in kview's
 * pid namespace: a reader in another one must not learn it from st_ino or a file handle.
 * So the kernel is told a permutation of it under random keys of this daemon. What another
 * daemon told is no node's number here, but by chance. Nodes of no member have the number of
 * kv_tree_told().
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
