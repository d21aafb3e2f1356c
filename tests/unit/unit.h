/* SPDX-License-Identifier: GPL-2.0-only */
/* What every unit test needs: cmocka with its includes, and words for errors. */
#ifndef KVIEW_UNIT_H
#define KVIEW_UNIT_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Sizes without a cast at every call: strings with NULs inside as well. */
#define BYTES(literal) (literal), (sizeof(literal) - 1)

static inline void assert_bytes(const void *got, size_t n, const void *want, size_t len)
{
	if (n != len || memcmp(got, want, n) != 0)
		print_message("# got:  '%.*s'\n# want: '%.*s'\n", (int)n, (const char *)got,
			      (int)len, (const char *)want);
	assert_int_equal(n, len);
	assert_memory_equal(got, want, n);
}

/* The message and the hint must hold these words: what a user goes by. */
static inline void assert_says(const struct kv_err *err, const char *words)
{
	if (!strstr(err->msg, words))
		print_message("# message: '%s', without '%s'\n", err->msg, words);
	assert_non_null(strstr(err->msg, words));
}

static inline void assert_hints(const struct kv_err *err, const char *words)
{
	if (!strstr(err->hint, words))
		print_message("# hint: '%s', without '%s'\n", err->hint, words);
	assert_non_null(strstr(err->hint, words));
}

/* What leaks is still open afterwards. */
static inline int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Repeatable noise, the same on every machine (xorshift64). */
static inline uint64_t noise(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
