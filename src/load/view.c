// SPDX-License-Identifier: GPL-2.0-only
#include "load/view.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load/fit.h"
#include "load/kernel.h"
#include "load/types.h"

#define TRIAL_SECONDS 20

/* Iterators that take link_info.task: f0d74c4da1f0, Linux 6.1. */
static bool takes_task(const char *kind)
{
	return strcmp(kind, "task") == 0 || strncmp(kind, "task_", 5) == 0;
}

int kv_view_fail(struct kv_view *view, int rc, const struct kv_err *why)
{
	view->rc = rc;
	if (view->path)
		kv_err_set(&view->err, rc, "can't load '%s': %s", view->path, why->msg);
	else
		kv_err_set(&view->err, rc, "can't load view '%s': %s", view->name, why->msg);
	if (why->hint[0])
		kv_err_hint(&view->err, "%s", why->hint);
	return rc;
}

/* In a child: what a user's object is about to be put through. */
static _Noreturn void try_in_child(const struct kv_view *view, bool load)
{
	const struct kv_image *image = view->image;
	struct kv_loaded loaded = KV_LOADED_INIT;
	struct bpf_object *object = NULL;
	struct kv_schema *schema = NULL;
	struct rlimit no_core = {0, 0};
	char kind[KV_KIND_MAX];
	int rc;

	setrlimit(RLIMIT_CORE, &no_core);
	alarm(TRIAL_SECONDS);
	rc = kv_object_open(view->name, image->data, image->size, NULL, kind, &object, NULL);
	if (!rc)
		rc = kv_object_schema(object, &schema, NULL);
	if (!rc && load)
		kv_object_load(object, kind, schema, view->fingerprint, &loaded, NULL);
	_exit(0); /* errors are for the parent to meet and to report */
}

/*
 * libbpf trusts the bytes of an object: a damaged one can crash it. A user's
 * object goes through it in a child first, and takes nobody else down.
 */
static int try_user_object(const struct kv_view *view, bool load, struct kv_err *err)
{
	int status = 0;
	pid_t pid;

	if (!view->path)
		return 0;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return kv_err_errno(err, -errno, "can't try it");
	if (!pid)
		try_in_child(view, load);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return kv_err_errno(err, -errno, "can't try it");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	kv_err_set(err, -EINVAL, "not a BPF object (libbpf can't read it)");
	kv_err_hint(err, "the file is damaged: build it anew");
	return -EINVAL;
}

static void open_one(struct kv_view *view, const struct kv_image *image, struct kv_types *types)
{
	struct bpf_object *object = NULL;
	struct kv_err why = {0};
	int rc;

	*view = (struct kv_view){
		.name = image->name,
		.path = image->path,
		.image = image,
		.types = image->path ? NULL : types,
		.loaded = KV_LOADED_INIT,
	};
	if (!image->data) {
		view->rc = -EINVAL;
		view->err = image->err;
		return;
	}
	/* Loaded once more they know more file systems. */
	view->fingerprint = kv_image_fingerprint(image) ^ (image->path ? 0 : kv_types_modules());
	rc = try_user_object(view, false, &why);
	if (!rc)
		rc = kv_object_open(view->name, image->data, image->size, NULL, view->kind, &object,
				    &why);
	if (!rc)
		rc = kv_object_schema(object, &view->schema, &why);
	if (rc)
		kv_view_fail(view, rc, &why);
	else
		view->others = kv_object_others(object);
	view->per_task = takes_task(view->kind);
	bpf_object__close(object);
}

int kv_views_open(const char *iter_dir, const char *only, struct kv_views *views,
		  struct kv_err *err)
{
	int rc;

	*views = (struct kv_views){0};
	kv_libbpf_log_init();
	rc = kv_images_read(iter_dir, only, &views->images, err);
	if (rc)
		return rc;
	views->list = calloc(views->images.n + 1, sizeof(*views->list));
	views->types = kv_types_new(NULL);
	if (!views->list || !views->types) {
		views->n = 0; /* none is open yet */
		kv_views_close(views);
		return kv_err_errno(err, -ENOMEM, "can't list the views");
	}
	for (; views->n < views->images.n; views->n++)
		open_one(&views->list[views->n], &views->images.list[views->n], views->types);
	return 0;
}

void kv_views_close(struct kv_views *views)
{
	for (size_t i = 0; i < views->n; i++) {
		kv_view_unload(&views->list[i]);
		kv_schema_free(views->list[i].schema);
		free(views->list[i].others);
	}
	free(views->list);
	kv_types_free(views->types);
	kv_images_free(&views->images);
	*views = (struct kv_views){0};
}

struct kv_view *kv_views_find(const struct kv_views *views, const char *name, struct kv_err *err)
{
	for (size_t i = 0; i < views->n; i++)
		if (strcmp(views->list[i].name, name) == 0)
			return &views->list[i];
	kv_err_set(err, -ENOENT, "no view '%s'", name);
	kv_err_hint(err, "`kview list` shows all views");
	return NULL;
}

int kv_view_load(struct kv_view *view)
{
	struct kv_err why = {0};
	int rc;

	if (view->is_loaded)
		return 0;
	if (!view->schema)
		return view->rc;
	rc = try_user_object(view, true, &why);
	if (!rc)
		rc = kv_fit_load(view, &why);
	if (rc)
		return kv_view_fail(view, rc, &why);
	view->is_loaded = true;
	view->rc = 0;
	return 0;
}

/* Its verifier refuses a program with the same words as who lacks the right to load it. */
static bool may_load(void)
{
	if (!kv_kernel_in_initial_user_ns())
		return false;
	return kv_kernel_capable(CAP_SYS_ADMIN) ||
	       (kv_kernel_capable(CAP_BPF) && kv_kernel_capable(CAP_PERFMON));
}

enum kv_support kv_view_support(struct kv_view *view)
{
	bool is_loaded = view->is_loaded;
	int rc = kv_view_load(view);

	if (!is_loaded)
		kv_view_unload(view);
	if (!rc)
		return KV_SUPPORT_YES;
	if ((rc != -EPERM && rc != -EACCES) || may_load())
		return KV_SUPPORT_NO;
	return kv_kernel_has_iter(view->kind, NULL) == 1 ? KV_SUPPORT_UNTRIED : KV_SUPPORT_NO;
}

void kv_view_unload(struct kv_view *view)
{
	if (view->is_loaded)
		kv_loaded_close(&view->loaded);
	view->is_loaded = false;
}
