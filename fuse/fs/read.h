/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVIEW_FS_READ_H
#define KVIEW_FS_READ_H

#include "fuse/fs/ops.h"

/* kv_op_read() - fuse_lowlevel_ops.read */
void kv_op_read(fuse_req_t req, fuse_ino_t told, size_t size, off_t off, struct fuse_file_info *fi);

#endif
