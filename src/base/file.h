/* SPDX-License-Identifier: GPL-2.0-only */
/* Small files, read whole. */
#ifndef KVIEW_BASE_FILE_H
#define KVIEW_BASE_FILE_H

#include <stddef.h>
#include "base/err.h"

/**
 * kv_read_file() - the contents of a regular file or of one in /proc or /sys
 * @max: more bytes than this are refused with -EFBIG
 * @data: on success the bytes with a NUL behind, to be freed by the caller
 * @len: on success their number, without the NUL; may be NULL
 *
 * Return: 0 or -errno with @err set.
 */
int kv_read_file(const char *path, size_t max, char **data, size_t *len, struct kv_err *err);

#endif
