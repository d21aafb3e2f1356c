/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF objects as bytes: those embedded in the program, and those that a user
 * puts in a directory (--iter-dir). Nothing is opened or loaded here.
 */
#ifndef KVIEW_LOAD_IMAGE_H
#define KVIEW_LOAD_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The table that the build makes of iters/; the last entry has no name. */
struct kv_embedded {
	const char *name; /* "task"; "identity/NAME" for what is no view */
	const char *data, *end;
};

extern const struct kv_embedded kv_embedded[];

struct kv_image {
	char *name; /* of the view */
	char *path; /* NULL: built in */
	char *data; /* NULL: see @err */
	size_t size;
	struct kv_err err; /* why the file could not be read */
};

struct kv_images {
	struct kv_image *list;
	size_t n;
};

/**
 * kv_images_read() - all views' objects, by name
 * @dir: directory with more of them, as NAME.bpf.o, or NULL
 * @only: the one view, if it is there; NULL: all
 * @images: on success to be freed with kv_images_free()
 *
 * A file that cannot be read, or whose name cannot be a view's, is in the list
 * with its error: it must not take the others down.
 *
 * Return: 0, or -errno with @err set: no such directory, out of memory.
 */
int kv_images_read(const char *dir, const char *only, struct kv_images *images, struct kv_err *err);

void kv_images_free(struct kv_images *images);

/* kv_embedded_find() - a built-in object by name, NULL for none */
const struct kv_embedded *kv_embedded_find(const char *name);

/* kv_image_fingerprint() - tells builds of an object apart */
uint64_t kv_image_fingerprint(const struct kv_image *image);

#endif
