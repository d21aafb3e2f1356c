/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVIEW_FS_STATUS_H
#define KVIEW_FS_STATUS_H

#include "fuse/fs/ops.h"

/**
 * kv_status_text() - the file `status`: a line per fact, its name, a tab, its value
 * @server: a struct kv_server
 * @reader: who opened it; it is told no more of processes than /proc would tell
 *
 * Return: to be freed; NULL: out of memory.
 */
char *kv_status_text(const void *server, const struct kv_reader *reader);

#endif
