/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pins: a link per view in a directory of a BPF file system. Pins are shared:
 * a mount uses those it finds, if they are of this very build.
 *
 * Who keeps them: `kview load` makes them stay (its mark is the directory's
 * sticky bit); those that a mount made go with the last mount that uses them.
 * A user of the directory holds a shared flock on it, which dies with it.
 */
#ifndef KVIEW_LOAD_PIN_H
#define KVIEW_LOAD_PIN_H

#include <stdbool.h>

#include "base/err.h"
#include "load/view.h"

#define KV_PIN_DIR "/sys/fs/bpf/kview"

struct kv_pins {
	char *dir;
	int fd; /* of the directory, with the flock */
};

#define KV_PINS_INIT ((struct kv_pins){NULL, -1})

/**
 * kv_pins_open() - open the pin directory
 * @dir: path
 * @create: make it, and mount a BPF file system on /sys/fs/bpf if none is there
 *
 * Return: 0 or -errno with @err set; -ENOENT: there is none (and not @create).
 */
int kv_pins_open(const char *dir, bool create, struct kv_pins *pins, struct kv_err *err);

void kv_pins_close(struct kv_pins *pins);

/* kv_pins_keep() - the pins stay when the last mount goes */
int kv_pins_keep(const struct kv_pins *pins, struct kv_err *err);

/**
 * kv_pins_release() - close, and remove the pins if nobody else uses them and
 * no `kview load` keeps them
 */
void kv_pins_release(struct kv_pins *pins);

/**
 * kv_pins_remove() - remove every pin of kview's and the directory
 *
 * Return: 0 or -errno with @err set; -ENOTEMPTY: files of somebody else's are
 * in it and were left alone.
 */
int kv_pins_remove(const struct kv_pins *pins, struct kv_err *err);

/* kv_pins_sweep() - remove what loads that were killed left half pinned */
void kv_pins_sweep(const struct kv_pins *pins);

/**
 * kv_pin_use() - take a view's descriptors from its pin
 *
 * Return: 0 with @view loaded; -ENOENT: not pinned; -ESTALE: pinned by another
 * build, or something else is there; another -errno. @err is set.
 */
int kv_pin_use(const struct kv_pins *pins, struct kv_view *view, struct kv_err *err);

/**
 * kv_pin_store() - pin a loaded view, replacing a pin of its name atomically
 */
int kv_pin_store(const struct kv_pins *pins, const struct kv_view *view, struct kv_err *err);

/**
 * kv_pin_use_program() - a program that is no view
 * @name: its name in the kernel
 * @fingerprint: of its build
 *
 * Return: its descriptor, to be closed; -ENOENT or another -errno.
 */
int kv_pin_use_program(const struct kv_pins *pins, const char *name, uint64_t fingerprint);

/* kv_pin_store_program() - pin one, unless it is pinned, in the place of other builds */
int kv_pin_store_program(const struct kv_pins *pins, const char *name, uint64_t fingerprint,
			 int prog_fd, struct kv_err *err);

#endif
