/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVIEW_FS_READDIR_H
#define KVIEW_FS_READDIR_H

#include "fuse/fs/ops.h"

/* kv_op_readdir() - fuse_lowlevel_ops.readdir */
void kv_op_readdir(fuse_req_t req, fuse_ino_t told, size_t size, off_t off,
		   struct fuse_file_info *fi);

/* kv_drop_dir() - give a reference to an open listing of pid/ back */
void kv_drop_dir(struct kv_server *s, uint64_t handle);

#endif
