/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A view on a kernel that has not all it is made of: what the kernel lacks, or has in
 * another shape than the program knows, costs columns and not the view.
 */
#ifndef KVIEW_LOAD_FIT_H
#define KVIEW_LOAD_FIT_H

#include "base/err.h"

struct kv_view;

/**
 * kv_fit_load() - load a view, if need be without some of its columns
 * @view: its @loaded is opened; its schema says which columns have no value, and why
 *
 * Only a program that the kernel refuses is tried again. What it reads where it does not
 * ask kv_has() (iters/include/kview/kview.h) it must have: so it is with all that rights are decided by.
 *
 * Return: 0 or -errno with @err set; nothing is open then.
 */
int kv_fit_load(struct kv_view *view, struct kv_err *err);

#endif
