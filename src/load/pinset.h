/* SPDX-License-Identifier: GPL-2.0-only */
/* Views from their pins or, if there are none of this build, loaded; all at once, or one. */
#ifndef KVIEW_LOAD_PINSET_H
#define KVIEW_LOAD_PINSET_H

#include "load/pin.h"

/**
 * kv_pinset_make() - every view that this kernel can run, loaded and pinned
 * @fresh: load every view and replace its pin, and leave off what nobody collects for, whatever
 *	   is pinned; otherwise pins of this build are used
 * @warn: called for each view that is loaded, and for each that is not, for the reason in
 *	  @view->err; but not for one whose iterator the kernel lacks
 *
 * Return: 0 if there is at least one view, or -errno with @err set.
 */
int kv_pinset_make(const struct kv_pins *pins, struct kv_views *views, bool fresh,
		   void (*warn)(const struct kv_view *view), struct kv_err *err);

/**
 * kv_pinset_claim() - note that we collect for the views that are asked for
 *
 * Return: 0 or -errno with @err set.
 */
int kv_pinset_claim(const struct kv_pins *pins, const struct kv_views *views, struct kv_err *err);

/* kv_pinset_drop_off() - remove pins of views that are off and that no other daemon collects for */
void kv_pinset_drop_off(const struct kv_pins *pins, const struct kv_views *views);

/**
 * kv_pinset_get() - one view, from its pin if there is one of this build,
 * otherwise loaded for this process alone
 * @pins: NULL: there are none
 *
 * Return: 0 or -errno with @err set.
 */
int kv_pinset_get(const struct kv_pins *pins, struct kv_view *view, struct kv_err *err);

#endif
