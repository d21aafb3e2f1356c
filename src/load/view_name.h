/* SPDX-License-Identifier: GPL-2.0-only */
/* Which names views may have. */
#ifndef KVIEW_LOAD_VIEW_NAME_H
#define KVIEW_LOAD_VIEW_NAME_H

struct kv_view;
struct kv_views;

/**
 * kv_view_wrong_name() - what is wrong with the name of a view?
 * @view: one of @views
 *
 * It is a file name in the mount, and the name of a pin, which allows no dot.
 *
 * Return: NULL: nothing.
 */
const char *kv_view_wrong_name(const struct kv_views *views, const struct kv_view *view);

/* kv_view_wrong_raw_name() - of a raw one: a file name below raw/, or a part of one below map/ */
const char *kv_view_wrong_raw_name(const struct kv_views *views, const struct kv_view *view);

#endif
