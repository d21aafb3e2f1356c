// SPDX-License-Identifier: GPL-2.0-only
#include "load/image.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "kview/abi.h"
#include "render/render.h"

#define SUFFIX ".bpf.o"
#define IMAGE_MAX (16u << 20)
#define NAME_MAX_LEN 48

const struct kv_embedded *kv_embedded_find(const char *name)
{
	for (const struct kv_embedded *e = kv_embedded; e->name; e++)
		if (strcmp(e->name, name) == 0)
			return e;
	return NULL;
}

uint64_t kv_image_fingerprint(const struct kv_image *image)
{
	return kv_hash(image->data, image->size) ^ KV_ABI_VERSION;
}

static struct kv_image *append(struct kv_images *images, const char *name)
{
	struct kv_image *more = realloc(images->list, (images->n + 1) * sizeof(*more));
	struct kv_image *image;

	if (!more)
		return NULL;
	images->list = more;
	image = &more[images->n];
	memset(image, 0, sizeof(*image));
	image->name = strdup(name);
	if (!image->name)
		return NULL;
	images->n++;
	return image;
}

static int add_embedded(struct kv_images *images, const char *only)
{
	for (const struct kv_embedded *e = kv_embedded; e->name; e++) {
		struct kv_image *image;

		if (strchr(e->name, '/') || (only && strcmp(e->name, only) != 0))
			continue;
		image = append(images, e->name);
		if (!image)
			return -ENOMEM;
		image->size = (size_t)(e->end - e->data);
		image->data = malloc(image->size);
		if (!image->data)
			return -ENOMEM;
		memcpy(image->data, e->data, image->size);
	}
	return 0;
}

static int refuse(const struct kv_image *image, struct kv_err *err, const char *why)
{
	kv_err_set(err, -EINVAL, "can't load '%s': %s", image->path, why);
	kv_err_hint(err, "the view in NAME.bpf.o is called NAME: give the file another name");
	return -EINVAL;
}

/* A view's name is a file name in the mount and a pin (which allows no dot). */
static int check_name(const struct kv_images *images, const struct kv_image *image,
		      struct kv_err *err)
{
	static const char *const taken[] = {"pid", "schema", "status", "self"};
	const char *name = image->name;

	for (const char *c = name; *c; c++)
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_')
			return refuse(image, err, "a view's name is of a-z, 0-9 and _");
	if (!islower((unsigned char)*name) || strlen(name) > NAME_MAX_LEN)
		return refuse(image, err, "a view's name begins with a letter and has at most 48");
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(name, taken[i]) == 0 || kv_format_is_dir(name))
			return refuse(image, err, "that name is the mount's own");
	for (size_t i = 0; i < images->n; i++)
		if (&images->list[i] != image && strcmp(images->list[i].name, name) == 0)
			return refuse(image, err, "there is a view of that name already");
	return 0;
}

static int add_file(struct kv_images *images, const char *dir, const char *file)
{
	_cleanup_free_ char *name = strndup(file, strlen(file) - strlen(SUFFIX));
	struct kv_image *image = name ? append(images, name) : NULL;

	if (!image || asprintf(&image->path, "%s/%s", dir, file) < 0)
		return -ENOMEM;
	if (check_name(images, image, &image->err) == 0)
		kv_read_file(image->path, IMAGE_MAX, &image->data, &image->size, &image->err);
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_object(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > strlen(SUFFIX) && strcmp(d->d_name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static bool is_wanted(const char *file, const char *only)
{
	size_t n = strlen(file) - strlen(SUFFIX);

	return !only || (strlen(only) == n && strncmp(file, only, n) == 0);
}

static int add_dir(struct kv_images *images, const char *dir, const char *only, struct kv_err *err)
{
	struct dirent **files = NULL;
	int n = scandir(dir, &files, is_object, by_name), rc = 0;

	if (n < 0) {
		rc = kv_err_errno(err, -errno, "can't read the directory '%s'", dir);
		kv_err_hint(err, "--iter-dir takes a directory with NAME.bpf.o files");
		return rc;
	}
	for (int i = 0; i < n; i++) {
		if (!rc && is_wanted(files[i]->d_name, only))
			rc = add_file(images, dir, files[i]->d_name);
		free(files[i]);
	}
	free(files);
	return rc;
}

int kv_images_read(const char *dir, const char *only, struct kv_images *images, struct kv_err *err)
{
	int rc;

	*images = (struct kv_images){0};
	rc = add_embedded(images, only);
	if (rc)
		kv_err_errno(err, rc, "can't list the views");
	else if (dir)
		rc = add_dir(images, dir, only, err);
	if (rc)
		kv_images_free(images);
	return rc;
}

void kv_images_free(struct kv_images *images)
{
	for (size_t i = 0; i < images->n; i++) {
		free(images->list[i].name);
		free(images->list[i].path);
		free(images->list[i].data);
	}
	free(images->list);
	*images = (struct kv_images){0};
}
