/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A view on a kernel that lacks something it reads, or has it in another shape: the view is
 * loaded without the columns that need it.
 */
#ifndef KVIEW_LOAD_FIT_H
#define KVIEW_LOAD_FIT_H

#include "base/err.h"

struct kv_view;

/**
 * kv_fit_load() - load a view, if need be without some of its columns
 * @view: its @loaded is opened; its schema says which columns have no value, and why
 *
 * Only a program that the verifier refuses is tried again. What a program reads without asking
 * kv_has() (iters/include/kview/kview.h) the kernel must have: all that rights depend on is
 * read so.
 *
 * Return: 0 or -errno with @err set; nothing is open then.
 */
int kv_fit_load(struct kv_view *view, struct kv_err *err);

#endif
