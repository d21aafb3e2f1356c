/* SPDX-License-Identifier: GPL-2.0-only */
/* Directories: OPENDIR, READDIR and RELEASEDIR. */
#ifndef KVIEW_FS_DIR_H
#define KVIEW_FS_DIR_H

#include "fuse/fs/ops.h"

/*
 * Positions in a directory: 1 is behind ".", 2 behind "..", 3 + index behind an entry of the
 * tree, and KV_MEMBERS + kv_member.position * kv_node.nfiles + n behind the file n of a member.
 */
#define KV_MEMBERS 0x100000

void kv_op_opendir(fuse_req_t req, fuse_ino_t told, struct fuse_file_info *fi);
void kv_op_readdir(fuse_req_t req, fuse_ino_t told, size_t size, off_t off,
		   struct fuse_file_info *fi);
void kv_op_releasedir(fuse_req_t req, fuse_ino_t told, struct fuse_file_info *fi);

/* kv_listing_free() - of kv_server.dirs: nobody refers to it any more */
void kv_listing_free(void *listing);

#endif
