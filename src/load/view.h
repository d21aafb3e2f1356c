/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The views: the embedded ones and those of a user's directory (--iter-dir). What each shows,
 * whether this kernel can run it, and the descriptors to run it with. An iterator of a user's
 * object that declares no view is in the list as well: it is raw, and shows what it prints.
 */
#ifndef KVIEW_LOAD_VIEW_H
#define KVIEW_LOAD_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "load/collect.h"
#include "load/load.h"
#include "schema/schema.h"

struct kv_types;
struct kv_map;

struct kv_view {
	char *name;	  /* of a raw one "OBJECT.PROGRAM" */
	const char *path; /* of a user's object, NULL for a built-in one */
	const char *data; /* the object; NULL: its file could not be read */
	size_t size;
	char *program;		  /* of a raw one: its iterator's name; NULL: it is not raw */
	struct kv_schema *schema; /* NULL: it is raw, or the object is broken, see @err */
	char *others;		  /* of a view: kv_object_others(); "" or NULL: it has none */
	struct kv_collectors collectors;
	uint64_t fingerprint;
	char kind[KV_KIND_MAX];
	enum kv_param param; /* of the kind */
	bool is_of_net;	     /* its rows are of the network namespace of who makes the iterator */
	bool is_by_rights;   /* they are what this one may see */
	bool is_private;     /* to be loaded without being pinned */
	uint64_t unwanted;   /* bits of columns that may be left out: nobody asks for them */
	bool is_loaded;	     /* @loaded is open */
	struct kv_loaded loaded;
	int rc;			/* of the last failure, 0 for none */
	struct kv_err err;	/* why it is broken or not loaded */
	struct kv_types *types; /* to load it with; NULL for a user's, which may need any */
	struct kv_map *map;	/* its rows are the elements of a BPF map: load/map.h; else NULL */
};

/* kv_view_is_wide() - are its rows of all the kernel, so that not everyone may have them? */
static inline bool kv_view_is_wide(const struct kv_view *view)
{
	return view->program || (view->param != KV_PARAM_TASK && !view->is_of_net &&
				 !(view->schema && view->schema->for_all));
}

/*
 * kv_view_is_off() - it has collectors, which are not asked for: there is nothing to show. Its
 * file is there, and says so.
 */
static inline bool kv_view_is_off(const struct kv_view *view)
{
	return view->collectors.n && !kv_collectors_are_on(&view->collectors);
}

/* The file of a user's object. */
struct kv_object_file {
	char *path, *data;
};

struct kv_views {
	struct kv_view *list;
	size_t n;
	struct kv_object_file *files; /* of the views in @list that have a path */
	size_t nfiles;
	struct kv_types *types; /* read when the first view is loaded */
};

/* kv_view_is_broken() - its object tells nothing that could be loaded */
static inline bool kv_view_is_broken(const struct kv_view *view)
{
	return !view->schema && !view->program;
}

/**
 * kv_views_open() - read the schema of every view; the kernel is not asked
 * @iter_dir: directory with more objects, as NAME.bpf.o or NAME.o, or NULL
 * @only: the one view to open, if it is there; NULL: all
 * @views: on success to be closed with kv_views_close()
 *
 * A user's object that is broken, or whose name can't be a view's, is in the list under the
 * object's name, with its error.
 *
 * Return: 0, or -errno with @err set: no such directory, out of memory.
 */
int kv_views_open(const char *iter_dir, const char *only, struct kv_views *views,
		  struct kv_err *err);

/**
 * kv_views_open_file() - the same for one object of a user's
 * @path: NAME.bpf.o or NAME.o
 */
int kv_views_open_file(const char *path, struct kv_views *views, struct kv_err *err);

void kv_views_close(struct kv_views *views);

/**
 * kv_views_find() - a view by name; "raw/NAME" is a raw one, and NAME as well
 *
 * Return: NULL with @err set where there is none.
 */
struct kv_view *kv_views_find(const struct kv_views *views, const char *name, struct kv_err *err);

/**
 * kv_view_load() - load a view that is not loaded yet
 *
 * Return: 0 or -errno; @view->rc and @view->err keep the failure.
 */
int kv_view_load(struct kv_view *view);

/**
 * kv_view_check_link() - can the view be narrowed by the parameters of @link?
 *
 * Return: 0; -EINVAL with @err set: it has another parameter, or can't do without one.
 */
int kv_view_check_link(const struct kv_view *view, const struct kv_link *link, struct kv_err *err);

/**
 * kv_view_is_supported() - can this kernel run the view?
 *
 * A view that is not loaded is loaded for a moment; @view->err says why it did not load. For a
 * caller that may not load programs it is enough that the kernel has the iterator.
 */
bool kv_view_is_supported(struct kv_view *view);

/**
 * kv_view_unload() - close its descriptors; pins and running iterations stay
 */
void kv_view_unload(struct kv_view *view);

#endif
