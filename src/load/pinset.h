/* SPDX-License-Identifier: GPL-2.0-only */
/* All views at once: taken from pins, loaded, pinned. */
#ifndef KVIEW_LOAD_PINSET_H
#define KVIEW_LOAD_PINSET_H

#include "load/pin.h"

/**
 * kv_pinset_make() - every view that this kernel can run, loaded and pinned
 * @fresh: load anew and replace; otherwise pins of this build are used as they are
 * @warn: told of each view that is loaded, and of each that is left out for another reason than that the
 *	  kernel has no such iterator; @view->err says why
 *
 * Return: 0 if there is at least one view, or -errno with @err set.
 */
int kv_pinset_make(const struct kv_pins *pins, struct kv_views *views, bool fresh,
		   void (*warn)(const struct kv_view *view), struct kv_err *err);

/**
 * kv_pinset_get() - one view, from its pin if there is one of this build,
 * otherwise loaded for this process alone
 * @pins: NULL: there are none
 *
 * Return: 0 or -errno with @err set.
 */
int kv_pinset_get(const struct kv_pins *pins, struct kv_view *view, struct kv_err *err);

#endif
