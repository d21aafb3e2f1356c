// SPDX-License-Identifier: GPL-2.0-only
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static int read_all(int fd, size_t max, char **data, size_t *len)
{
	_cleanup_free_ char *buf = NULL;
	size_t cap = 0, n = 0;
	ssize_t got;

	do {
		if (n + 1 >= cap) {
			char *more;

			cap = cap ? cap * 2 : 4096;
			more = realloc(buf, cap);
			if (!more)
				return -ENOMEM;
			buf = more;
		}
		got = read(fd, buf + n, cap - n - 1);
		if (got < 0)
			return -errno;
		n += (size_t)got;
		if (n > max)
			return -EFBIG;
	} while (got);
	buf[n] = '\0';
	*data = TAKE_PTR(buf);
	if (len)
		*len = n;
	return 0;
}

int kv_read_file(const char *path, size_t max, char **data, size_t *len, struct kv_err *err)
{
	/* O_NONBLOCK: a FIFO put there must not hang us. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0)
		return kv_err_errno(err, -errno, "can't open '%s' for reading", path);
	if (!S_ISREG(st.st_mode))
		return kv_err_set(err, -EINVAL, "'%s' is not a regular file", path);
	rc = read_all(fd, max, data, len);
	if (rc < 0)
		return kv_err_errno(err, rc, "can't read '%s'", path);
	return 0;
}
