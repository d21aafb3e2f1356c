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

#include "base/cleanup.h"
#include "base/file.h"
#include "load/fit.h"
#include "load/map.h"
#include "load/kernel.h"
#include "load/said.h"
#include "load/types.h"
#include "load/view_name.h"

#define OBJECT_MAX (16u << 20)
#define TRIAL_SECONDS 20

/* --- one object --- */

/* Notes the failure in @view->err, which says what the view can't be used for. */
static int fail(struct kv_view *view, int rc)
{
	view->rc = rc;
	if (view->program)
		kv_err_prefix(&view->err, "can't load '%s' of '%s'", view->program, view->path);
	else if (view->path)
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
	rc = kv_object_parse(view->name, view->data, view->size, NULL, &object, NULL);
	if (!rc && kv_object_has_view(object))
		rc = kv_schema_from_btf(bpf_object__btf(object), &schema, NULL);
	if (!rc && load)
		rc = kv_object_choose(object, view->program, NULL);
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

static void note_kind(struct kv_view *view, const struct bpf_object *object)
{
	snprintf(view->kind, sizeof(view->kind), "%s", kv_object_kind(object));
	view->param = kv_kind_param(view->kind);
	view->is_of_net = !view->program && kv_kind_is_of_net(view->kind);
	view->is_by_rights = !view->program && kv_kind_is_by_rights(view->kind);
}

/* What the object tells of the view that it declares. */
static int read_view(struct kv_view *view, struct bpf_object *object)
{
	int rc = kv_collectors_find(object, &view->collectors);

	if (rc)
		return kv_err_errno(&view->err, rc, "can't read it");
	rc = kv_object_choose(object, NULL, &view->err);
	if (rc)
		return rc;
	note_kind(view, object);
	view->others = kv_object_others(object);
	rc = kv_schema_from_btf(bpf_object__btf(object), &view->schema, &view->err);
	if (!rc && *view->schema->rows)
		view->param = KV_PARAM_NONE; /* its link names the map */
	return rc;
}

/* --- the list --- */

static struct kv_view *append(struct kv_views *views, const char *name)
{
	struct kv_view *more = reallocarray(views->list, views->n + 1, sizeof(*more));
	char *copy = strdup(name);

	if (more)
		views->list = more;
	if (!more || !copy) {
		free(copy);
		return NULL;
	}
	more += views->n++;
	*more = (struct kv_view){.name = copy, .loaded = KV_LOADED_INIT};
	return more;
}

static int add_embedded(struct kv_views *views, const struct kv_embedded *e)
{
	struct kv_view *view = append(views, e->name);
	struct bpf_object *object;
	int rc;

	if (!view)
		return -ENOMEM;
	view->data = e->data;
	view->size = e->size;
	view->types = views->types;
	/* When a module has come it must be loaded anew, to know that file system's types. */
	view->fingerprint = kv_object_fingerprint(e->data, e->size) ^ kv_types_modules();
	rc = kv_object_parse(e->name, e->data, e->size, NULL, &object, &view->err);
	if (!rc)
		rc = read_view(view, object);
	if (rc)
		fail(view, rc);
	bpf_object__close(object);
	return 0;
}

static int refuse_name(struct kv_view *view, const char *wrong)
{
	kv_err_set(&view->err, -EINVAL, "%s", wrong);
	kv_err_hint(&view->err, "NAME.bpf.o or NAME.o holds NAME: give the file another name");
	return fail(view, -EINVAL);
}

static int add_view(struct kv_views *views, struct bpf_object *object)
{
	struct kv_view *view = &views->list[views->n - 1];
	const char *wrong = kv_view_wrong_name(views, view);
	int rc;

	if (wrong)
		return refuse_name(view, wrong);
	rc = read_view(view, object);
	return rc ? fail(view, rc) : 0;
}

/* The last of @views becomes this iterator of its object. */
static int add_raw(struct kv_views *views, struct bpf_object *object, const char *program)
{
	struct kv_view *view = &views->list[views->n - 1];
	_cleanup_free_ char *name = view->name;
	const char *wrong;

	if (asprintf(&view->name, "%s.%s", name, program) < 0) {
		view->name = TAKE_PTR(name);
		return -ENOMEM;
	}
	wrong = kv_view_wrong_raw_name(views, view);
	if (wrong)
		return refuse_name(view, wrong);
	view->program = strdup(program);
	if (!view->program)
		return -ENOMEM;
	if (kv_object_choose(object, program, &view->err) == 0)
		note_kind(view, object);
	return 0;
}

/* All iterators of an object without a view. */
static int add_raws(struct kv_views *views, const char *name, struct bpf_object *object)
{
	const struct kv_view first = views->list[views->n - 1];
	const char *program = kv_object_next_iterator(object, NULL);
	int rc;

	/* Without one: say so. */
	if (!program)
		return fail(&views->list[views->n - 1],
			    kv_object_choose(object, NULL, &views->list[views->n - 1].err));
	rc = add_raw(views, object, program);
	while (rc != -ENOMEM && (program = kv_object_next_iterator(object, program))) {
		struct kv_view *view = append(views, name);

		if (!view)
			return -ENOMEM;
		view->path = first.path;
		view->data = first.data;
		view->size = first.size;
		view->fingerprint = first.fingerprint;
		rc = add_raw(views, object, program);
	}
	return rc;
}

/* What is in a user's object, into the last of @views. */
static int add_object(struct kv_views *views, const char *name)
{
	struct kv_view *view = &views->list[views->n - 1];
	struct bpf_object *object = NULL;
	int rc;

	view->fingerprint = kv_object_fingerprint(view->data, view->size);
	rc = try_user_object(view, false);
	if (!rc)
		rc = kv_object_parse(name, view->data, view->size, NULL, &object, &view->err);
	if (rc)
		fail(view, rc);
	else if (kv_object_has_view(object))
		rc = add_view(views, object);
	else
		rc = add_raws(views, name, object);
	bpf_object__close(object);
	return rc == -ENOMEM ? rc : 0;
}

/* NAME of NAME.bpf.o or NAME.o: its length; 0: it is no object's file. */
static size_t name_length(const char *file)
{
	static const char *const suffixes[] = {".bpf.o", ".o"};
	size_t n = *file == '.' ? 0 : strlen(file);

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t len = strlen(suffixes[i]);

		if (n > len && strcmp(file + n - len, suffixes[i]) == 0)
			return n - len;
	}
	return 0;
}

static int add_file(struct kv_views *views, const char *path)
{
	const char *file = basename(path);
	_cleanup_free_ char *name = strndup(file, name_length(file));
	struct kv_view *view = name ? append(views, name) : NULL;
	struct kv_object_file *f;

	f = reallocarray(views->files, views->nfiles + 1, sizeof(*f));
	if (f)
		views->files = f;
	if (!view || !f)
		return -ENOMEM;
	f += views->nfiles++;
	*f = (struct kv_object_file){.path = strdup(path)};
	if (!f->path)
		return -ENOMEM;
	view->path = f->path;
	view->rc = kv_read_file(f->path, OBJECT_MAX, &f->data, &view->size, &view->err);
	if (view->rc)
		return 0;
	view->data = f->data;
	return add_object(views, name);
}

static int is_object(const struct dirent *d)
{
	return name_length(d->d_name) > 0;
}

/* @only may be the name of a view, or OBJECT.PROGRAM. */
static bool is_wanted(const char *file, const char *only)
{
	size_t n = name_length(file);

	return !only || (strncmp(only, file, n) == 0 && (!only[n] || only[n] == '.'));
}

static int add_dir(struct kv_views *views, const char *dir, const char *only, struct kv_err *err)
{
	struct dirent **files = NULL;
	int n = scandir(dir, &files, is_object, alphasort), rc = 0;

	if (n < 0) {
		rc = kv_err_errno(err, -errno, "can't read the directory '%s'", dir);
		kv_err_hint(err, "--iter-dir takes a directory with NAME.bpf.o or NAME.o files");
		return rc;
	}
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL;

		if (!rc && is_wanted(files[i]->d_name, only))
			rc = asprintf(&path, "%s/%s", dir, files[i]->d_name) < 0
				     ? -ENOMEM
				     : add_file(views, path);
		free(files[i]);
	}
	free(files);
	return rc ? kv_err_errno(err, rc, "can't list the views") : 0;
}

/* Without the directory of raw ones. */
static const char *plain_name(const char *name)
{
	return strncmp(name, "raw/", 4) == 0 ? name + 4 : name;
}

int kv_views_open(const char *iter_dir, const char *only, struct kv_views *views,
		  struct kv_err *err)
{
	int rc;

	only = only ? plain_name(only) : NULL;
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

int kv_views_open_file(const char *path, struct kv_views *views, struct kv_err *err)
{
	int rc;

	kv_libbpf_log_init();
	*views = (struct kv_views){0};
	if (!name_length(basename(path))) {
		kv_err_set(err, -EINVAL, "'%s' is not called NAME.bpf.o or NAME.o", path);
		kv_err_hint(err, "its iterators are named for it");
		return -EINVAL;
	}
	rc = add_file(views, path);
	if (!rc)
		return 0;
	kv_views_close(views);
	return kv_err_errno(err, rc, "can't list the views");
}

void kv_views_close(struct kv_views *views)
{
	for (size_t i = 0; i < views->n; i++) {
		struct kv_view *view = &views->list[i];

		kv_view_unload(view);
		kv_collectors_free(&view->collectors);
		kv_map_free(view->map);
		kv_schema_free(view->schema);
		free(view->name);
		free(view->program);
		free(view->others);
	}
	for (size_t i = 0; i < views->nfiles; i++) {
		free(views->files[i].path);
		free(views->files[i].data);
	}
	free(views->files);
	free(views->list);
	kv_types_free(views->types);
	*views = (struct kv_views){0};
}

struct kv_view *kv_views_find(const struct kv_views *views, const char *name, struct kv_err *err)
{
	name = plain_name(name);
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
	if (kv_view_is_broken(view))
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

int kv_view_check_link(const struct kv_view *view, const struct kv_link *link, struct kv_err *err)
{
	if (link->param == view->param ||
	    (link->param == KV_PARAM_NONE && view->param != KV_PARAM_MAP))
		return 0;
	if (view->param == KV_PARAM_MAP) {
		kv_err_set(err, -EINVAL, "'%s' shows the elements of one map", view->name);
		kv_err_hint(err, "--map ID says which; `bpftool map` lists them");
	} else if (link->param == KV_PARAM_TASK) {
		kv_err_set(err, -EINVAL, "view '%s' has no rows of single processes", view->name);
		kv_err_hint(err, "--pid is for views of tasks alone");
	} else {
		kv_err_set(err, -EINVAL, "'%s' is not narrowed by a %s", view->name,
			   kv_param_name(link->param));
		kv_err_hint(err, "`kview list --kinds` says which parameter a kind has");
	}
	return -EINVAL;
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
	kv_collectors_detach(&view->collectors);
	view->is_loaded = false;
}
