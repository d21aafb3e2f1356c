/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The callbacks that libfuse calls for each request. They turn errors into replies; names, members
 * and rows are the business of tree.h, caller.h and stream/file.h.
 */
#ifndef KVIEW_FS_OPS_H
#define KVIEW_FS_OPS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fuse/fs/server.h"

/* The user data of the session is a struct kv_server. */
extern const struct fuse_lowlevel_ops kv_ops;

/* kv_drop_file() - give a reference to an open file back; the last one frees it */
void kv_drop_file(struct kv_server *s, uint64_t handle);

#endif
