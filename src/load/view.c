// SPDX-License-Identifier: GPL-2.0-only
#include "load/view.h"

#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "load/fit.h"
#include "load/kernel.h"
#include "load/types.h"
#include "render/render.h"

#define SUFFIX ".bpf.o"
#define OBJECT_MAX (16u << 20)
#define NAME_MAX_LEN 48
#define TRIAL_SECONDS 20

/* --- one object --- */

/* Iterators that take link_info.task: f0d74c4da1f0, Linux 6.1. */
static bool takes_task(const char *kind)
{
	return strcmp(kind, "task") == 0 || strncmp(kind, "task_", 5) == 0;
}

/* Iterators that show the network namespace of the thread that makes them. */
static bool is_of_net(const char *kind)
{
	static const char *const kinds[] = {"tcp", "udp", "unix", "netlink", "ipv6_route"};
	size_t i = 0, n = sizeof(kinds) / sizeof(kinds[0]);

	while (i < n && strcmp(kind, kinds[i]) != 0)
		i++;
	return i < n;
}

/* Notes the failure in @view->err, which says what the view can't be used for. */
static int fail(struct kv_view *view, int rc)
{
	view->rc = rc;
	if (view->path)
		kv_err_prefix(&view->err, "can't load '%s'", view->path);
	else
		kv_err_prefix(&view->err, "can't load view '%s'", view->name);
	return rc;
}

/* In a child: what is about to be done with a user's object. */
static _Noreturn void try_in_child(const struct kv_view *view, bool load)
{
	struct kv_loaded loaded = KV_LOADED_INIT;
	struct bpf_object *object = NULL;
	struct kv_schema *schema = NULL;
	struct rlimit no_core = {0, 0};
	int rc;

	setrlimit(RLIMIT_CORE, &no_core);
	alarm(TRIAL_SECONDS);
	rc = kv_object_open(view->name, view->data, view->size, NULL, &object, NULL);
	if (!rc)
		rc = kv_schema_from_btf(bpf_object__btf(object), &schema, NULL);
	if (!rc && load)
		kv_object_load(object, schema, view->fingerprint, &loaded, NULL);
	_exit(0); /* the parent will meet the same errors, and reports them */
}

/*
 * libbpf trusts the bytes of an object, and a damaged object can crash it. A child tries a
 * user's object first, so that only the child crashes.
 */
static int try_user_object(struct kv_view *view, bool load)
{
	int status = 0;
	pid_t pid;

	if (!view->path)
		return 0;
	fflush(NULL);
	pid = fork();
	if (!pid)
		try_in_child(view, load);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	if (pid < 0)
		return kv_err_errno(&view->err, -errno, "can't try it");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	kv_err_set(&view->err, -EINVAL, "not a BPF object (libbpf can't read it)");
	kv_err_hint(&view->err, "the file is damaged: build it anew");
	return -EINVAL;
}

/* What the object tells of the view. */
static void open_object(struct kv_view *view)
{
	struct bpf_object *object = NULL;
	int rc;

	view->fingerprint = kv_object_fingerprint(view->data, view->size);
	/* When a module has come it must be loaded anew, to know that file system's types. */
	if (!view->path)
		view->fingerprint ^= kv_types_modules();
	rc = try_user_object(view, false);
	if (!rc)
		rc = kv_object_open(view->name, view->data, view->size, NULL, &object, &view->err);
	if (!rc) {
		snprintf(view->kind, sizeof(view->kind), "%s", kv_object_kind(object));
		view->per_task = takes_task(view->kind);
		view->per_net = is_of_net(view->kind);
		rc = kv_schema_from_btf(bpf_object__btf(object), &view->schema, &view->err);
	}
	if (rc)
		fail(view, rc);
	else
		view->others = kv_object_others(object);
	bpf_object__close(object);
}

/* --- the list --- */

static struct kv_view *append(struct kv_views *views)
{
	struct kv_view *more = reallocarray(views->list, views->n + 1, sizeof(*more));

	if (!more)
		return NULL;
	views->list = more;
	more += views->n++;
	*more = (struct kv_view){.loaded = KV_LOADED_INIT};
	return more;
}

static int add_embedded(struct kv_views *views, const struct kv_embedded *e)
{
	struct kv_view *view = append(views);

	if (!view)
		return -ENOMEM;
	view->name = e->name;
	view->data = e->data;
	view->size = e->size;
	view->types = views->types;
	open_object(view);
	return 0;
}

/* A view's name is a file name in the mount, and the name of a pin, which allows no dot. */
static const char *wrong_name(const struct kv_views *views, const struct kv_view *view)
{
	static const char *const taken[] = {"pid", "schema", "status", "self"};
	const char *name = view->name;

	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		return "a view's name is of a-z, 0-9 and _";
	if (*name < 'a' || *name > 'z' || strlen(name) > NAME_MAX_LEN)
		return "a view's name begins with a letter and has at most 48";
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(name, taken[i]) == 0 || kv_format_is_dir(name))
			return "that name is the mount's own";
	for (size_t i = 0; i < views->n; i++)
		if (&views->list[i] != view && strcmp(views->list[i].name, name) == 0)
			return "there is a view of that name already";
	return NULL;
}

static int add_file(struct kv_views *views, const char *dir, const char *file)
{
	struct kv_view *view = append(views);
	char path[PATH_MAX], *data;
	const char *wrong;

	if (!view)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	view->path = strdup(path);
	view->name = view->path ? strndup(file, strlen(file) - strlen(SUFFIX)) : NULL;
	if (!view->name)
		return -ENOMEM;
	wrong = wrong_name(views, view);
	if (wrong) {
		view->rc = kv_err_set(&view->err, -EINVAL, "can't load '%s': %s", path, wrong);
		kv_err_hint(&view->err,
			    "the view in NAME.bpf.o is called NAME: give the file another name");
		return 0;
	}
	view->rc = kv_read_file(path, OBJECT_MAX, &data, &view->size, &view->err);
	if (!view->rc) {
		view->data = data;
		open_object(view);
	}
	return 0;
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

static int add_dir(struct kv_views *views, const char *dir, const char *only, struct kv_err *err)
{
	struct dirent **files = NULL;
	int n = scandir(dir, &files, is_object, alphasort), rc = 0;

	if (n < 0) {
		rc = kv_err_errno(err, -errno, "can't read the directory '%s'", dir);
		kv_err_hint(err, "--iter-dir takes a directory with NAME.bpf.o files");
		return rc;
	}
	for (int i = 0; i < n; i++) {
		if (!rc && is_wanted(files[i]->d_name, only))
			rc = add_file(views, dir, files[i]->d_name);
		free(files[i]);
	}
	free(files);
	return rc ? kv_err_errno(err, rc, "can't list the views") : 0;
}

int kv_views_open(const char *iter_dir, const char *only, struct kv_views *views,
		  struct kv_err *err)
{
	int rc;

	kv_libbpf_log_init();
	*views = (struct kv_views){.types = kv_types_new(NULL)};
	rc = views->types ? 0 : -ENOMEM;
	for (const struct kv_embedded *e = kv_embedded; e->name && !rc; e++)
		if (!strchr(e->name, '/') && (!only || strcmp(e->name, only) == 0))
			rc = add_embedded(views, e);
	if (rc)
		kv_err_errno(err, rc, "can't list the views");
	else if (iter_dir)
		rc = add_dir(views, iter_dir, only, err);
	if (rc)
		kv_views_close(views);
	return rc;
}

void kv_views_close(struct kv_views *views)
{
	for (size_t i = 0; i < views->n; i++) {
		struct kv_view *view = &views->list[i];

		kv_view_unload(view);
		kv_schema_free(view->schema);
		free(view->others);
		if (view->path) { /* of add_file(); others are in this binary */
			free((char *)view->name);
			free((char *)view->path);
			free((char *)view->data);
		}
	}
	free(views->list);
	kv_types_free(views->types);
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

/* --- into the kernel --- */

int kv_view_load(struct kv_view *view)
{
	int rc;

	if (view->is_loaded)
		return 0;
	if (!view->schema)
		return view->rc;
	rc = try_user_object(view, true);
	if (!rc)
		rc = kv_fit_load(view, &view->err);
	if (rc)
		return fail(view, rc);
	view->is_loaded = true;
	view->rc = 0;
	return 0;
}

/* The verifier refuses a program with the same errors as a caller without the right to load it. */
static bool may_load(void)
{
	if (!kv_kernel_in_initial_user_ns())
		return false;
	return kv_kernel_capable(CAP_SYS_ADMIN) ||
	       (kv_kernel_capable(CAP_BPF) && kv_kernel_capable(CAP_PERFMON));
}

bool kv_view_is_supported(struct kv_view *view)
{
	bool is_loaded = view->is_loaded;
	int rc = kv_view_load(view);

	if (!is_loaded)
		kv_view_unload(view);
	if ((rc != -EPERM && rc != -EACCES) || may_load())
		return !rc;
	return kv_kernel_check(view->kind, "", NULL) == 0;
}

void kv_view_unload(struct kv_view *view)
{
	if (view->is_loaded)
		kv_loaded_close(&view->loaded);
	view->is_loaded = false;
}
