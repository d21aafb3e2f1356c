/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errors: what failed, and what to do about it. The layer that knows the object words the
 * error; only the commands and the daemon print it.
 */
#ifndef KVIEW_BASE_ERR_H
#define KVIEW_BASE_ERR_H

#include <string.h>

struct kv_err {
	char msg[1024]; /* without a newline at the end */
	char hint[512]; /* "" for none */
};

/**
 * kv_err_set() - describe a failure, in place of the last one
 * @err: may be NULL
 * @code: -errno
 * @fmt: names the object and the intent: "can't open '%s' for reading"
 *
 * Return: @code, so that `return kv_err_set(...)` reads well.
 */
int kv_err_set(struct kv_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* kv_err_errno() - the same, with ": " and strerror(-code) behind */
#define kv_err_errno(err, code, fmt, ...)                                            \
	({                                                                           \
		int _code = (code);                                                  \
		kv_err_set(err, _code, fmt ": %s", ##__VA_ARGS__, strerror(-_code)); \
	})

/**
 * kv_err_prefix() - put words and ": " in front of the failure just set: "can't load 'x'"
 */
void kv_err_prefix(struct kv_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * kv_err_hint() - add advice to the failure just set
 */
void kv_err_hint(struct kv_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
