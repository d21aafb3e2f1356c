/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pins of programs: of collectors beside VIEW, the pin of the view, a link as VIEW+PROGRAM for
 * each; and whose program a pin has.
 */
#ifndef KVIEW_LOAD_PIN_COLLECT_H
#define KVIEW_LOAD_PIN_COLLECT_H

#include <limits.h>
#include <stdbool.h>

#include "load/collect.h"

struct kv_view;

#define KV_COLLECTOR_PIN '+' /* no view's name has it */

/* kv_pin_is_program() - has the program that name, of which the kernel keeps the beginning? */
bool kv_pin_is_program(int fd, const char *name);

/*
 * kv_pin_is_query(), kv_pin_is_collector() - is it the pin of what its file name @name says, of
 * whatever build of kview?
 */
bool kv_pin_is_query(const char *path, const char *name);
bool kv_pin_is_collector(const char *path, const char *name);

void kv_pin_collector_name(const struct kv_view *view, const struct kv_collector *collector,
			   char name[NAME_MAX + 1]);

/**
 * kv_pin_use_collector() - take the descriptors of a collector from its pin
 * @collector: its name is the program's, which the kernel may have shortened; on success its
 *	descriptors are to be closed, on failure they are -1
 *
 * Return: 0 or -errno; -ESTALE: something else is there.
 */
int kv_pin_use_collector(const char *path, struct kv_collector *collector);

/**
 * kv_pin_use_collectors() - those of a view that are pinned
 * @link_fd: of the view: one of them must fill the map that it shows
 *
 * Return: 0; -ESTALE: it has collectors, and none of them is there.
 */
int kv_pin_use_collectors(const char *dir, struct kv_view *view, int link_fd);

#endif
