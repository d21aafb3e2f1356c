/* SPDX-License-Identifier: GPL-2.0-only */
/* What a directory holds, as the bytes that READDIR is answered with. */
#ifndef KVIEW_FS_LISTING_H
#define KVIEW_FS_LISTING_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "access/process.h"
#include "fuse/fs/seal.h"
#include "fuse/fs/tree.h"

/*
 * Positions in a directory: 1 is behind ".", 2 behind "..", 3 + index behind
 * an entry of the tree, and KV_PID_BASE + pid behind a process.
 */
#define KV_PID_BASE 0x100000

struct kv_listing {
	fuse_req_t req;
	const struct kv_seal *seal;
	char *buf;
	size_t size, used;
};

/**
 * kv_list_tree() - the entries that the tree has in @dir, from position @off on
 *
 * Return: false: the buffer is full.
 */
bool kv_list_tree(struct kv_listing *l, const struct kv_tree *tree, uint64_t dir, off_t off);

/**
 * kv_list_pids() - the processes in pid/, from position @off on, as far as there is room
 *
 * Return: 0 or -errno.
 */
int kv_list_pids(struct kv_listing *l, const struct kv_tree *tree, struct kv_processes *processes,
		 off_t off);

#endif
