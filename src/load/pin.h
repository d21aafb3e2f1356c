/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pins: a link for each view, and a program for the identity query, in a directory of a BPF
 * file system. A mount uses the pins that it finds, if this very build made them.
 *
 * Each mount holds a shared flock on the directory, and the kernel drops the lock when the mount
 * dies. The pins that a mount made are removed with the last mount that uses them. `kview load`
 * sets the sticky bit of the directory, which keeps the pins.
 *
 * Who only looks at pins, as `kview list` and `kview cat` do, holds no lock: it would keep the last
 * mount from removing them. A pin may go at any moment, and then is not there.
 */
#ifndef KVIEW_LOAD_PIN_H
#define KVIEW_LOAD_PIN_H

#include <stdbool.h>

#include "base/err.h"
#include "load/view.h"

#define KV_PIN_DIR "/sys/fs/bpf/kview"

struct kv_pins {
	char *dir;
	int fd; /* of the directory, with the flock if it was opened to be used */
};

#define KV_PINS_INIT ((struct kv_pins){NULL, -1})

/**
 * kv_pins_open() - open the pin directory
 * @create: to use it: make it, mount a BPF file system on /sys/fs/bpf if none is there, and lock it
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
 * kv_pins_remove() - remove the directory and each pin in it that some kview made
 *
 * Return: 0 or -errno with @err set; -ENOTEMPTY: it holds files that kview did not make, and
 * they were left alone.
 */
int kv_pins_remove(const struct kv_pins *pins, struct kv_err *err);

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

/* kv_pin_drop() - remove the pins of a view and of its collectors, if kview made them */
void kv_pin_drop(const struct kv_pins *pins, const struct kv_view *view);

/**
 * kv_pin_use_query() - take a query's program from its pin
 * @query: the program's name in the kernel
 * @fingerprint: of its object
 *
 * Return: its descriptor, to be closed; -ENOENT or another -errno.
 */
int kv_pin_use_query(const struct kv_pins *pins, const char *query, uint64_t fingerprint);

/**
 * kv_pin_store_query() - pin a query's program, unless it is pinned
 *
 * Also removes the pins of the same query that other builds made, and half-made pins that a
 * killed `kview load` left.
 */
int kv_pin_store_query(const struct kv_pins *pins, const char *query, uint64_t fingerprint,
		       int prog_fd, struct kv_err *err);

#endif
