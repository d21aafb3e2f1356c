/* SPDX-License-Identifier: GPL-2.0-only */
/* Resources that are freed at the end of their variable's scope. File descriptors start at -1. */
#ifndef KVIEW_BASE_CLEANUP_H
#define KVIEW_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void kv_freep(void *p)
{
	free(*(void **)p);
}

static inline void kv_closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void kv_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void kv_closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(kv_freep)
#define _cleanup_close_ _cleanup_(kv_closep)
#define _cleanup_fclose_ _cleanup_(kv_fclosep)
#define _cleanup_closedir_ _cleanup_(kv_closedirp)

/* Pass ownership on: the variable is left with nothing to clean up. */
#define TAKE_PTR(p)                   \
	({                            \
		__auto_type _p = (p); \
		(p) = NULL;           \
		_p;                   \
	})

#define TAKE_FD(fd)             \
	({                      \
		int _fd = (fd); \
		(fd) = -1;      \
		_fd;            \
	})

#endif
