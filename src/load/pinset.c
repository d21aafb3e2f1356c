// SPDX-License-Identifier: GPL-2.0-only
#include "load/pinset.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "load/said.h"
#include "load/types.h"

static int make_one(const struct kv_pins *pins, struct kv_view *view, bool fresh)
{
	int rc;

	if (kv_view_is_broken(view))
		return view->rc;
	if (view->program)
		return kv_view_load(view);
	if (fresh && kv_view_is_off(view))
		return 0;
	/* What a view's collectors have counted goes on, as long as it is the same object. */
	if ((!fresh || view->collectors.n) && kv_pin_use(pins, view, NULL) == 0)
		return 0;
	if (kv_view_is_off(view))
		return 0;
	rc = kv_view_load(view);
	if (rc)
		return rc;
	view->rc = kv_pin_store(pins, view, &view->err);
	if (view->rc)
		kv_view_unload(view);
	return view->rc;
}

/* Views that two threads make: each takes the next one. */
struct making {
	const struct kv_pins *pins;
	struct kv_views *views;
	bool fresh;
	atomic_size_t next;
};

/* @types: of this thread, for views that are loaded with the kernel's */
static void make_some(struct making *m, struct kv_types *types)
{
	size_t i;

	while ((i = atomic_fetch_add(&m->next, 1)) < m->views->n) {
		struct kv_view *view = &m->views->list[i];
		struct kv_types *kept = view->types;

		if (kept)
			view->types = types;
		make_one(m->pins, view, m->fresh);
		view->types = kept;
	}
}

static void *help(void *arg)
{
	struct making *m = arg;
	struct kv_types *types = kv_types_new(NULL);

	if (types)
		make_some(m, types);
	kv_types_free(types);
	kv_said_clear();
	return NULL;
}

/* Both threads together may have needed more than there is. */
static bool is_worth_another_try(const struct kv_view *view)
{
	return !view->is_loaded &&
	       (view->rc == -EMFILE || view->rc == -ENOMEM || view->rc == -ESRCH);
}

/*
 * Loading is the verifier's work, and no reader is served until all is loaded: so two threads do it.
 * Each needs 20 MiB.
 */
static void make_all(struct making *m)
{
	pthread_t helper;
	cpu_set_t cpus;
	bool is_helped = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) > 1 &&
			 pthread_create(&helper, NULL, help, m) == 0;

	make_some(m, m->views->types);
	if (!is_helped)
		return;
	pthread_join(helper, NULL);
	for (size_t i = 0; i < m->views->n; i++)
		if (is_worth_another_try(&m->views->list[i]))
			make_one(m->pins, &m->views->list[i], m->fresh);
}

int kv_pinset_make(const struct kv_pins *pins, struct kv_views *views, bool fresh,
		   void (*warn)(const struct kv_view *view), struct kv_err *err)
{
	struct making making = {.pins = pins, .views = views, .fresh = fresh};
	const struct kv_view *failed = NULL;
	size_t made = 0;

	make_all(&making);
	for (size_t i = 0; i < views->n; i++) {
		const struct kv_view *view = &views->list[i];

		if (view->is_loaded)
			made++;
		else if (!kv_view_is_off(view) && (!failed || failed->rc == -EOPNOTSUPP))
			failed = view;
	}
	if (!made && failed) {
		*err = failed->err;
		return failed->rc;
	}
	for (size_t i = 0; i < views->n; i++)
		if (views->list[i].is_loaded ||
		    (views->list[i].rc != -EOPNOTSUPP && !kv_view_is_off(&views->list[i])))
			warn(&views->list[i]);
	return 0;
}

/*
 * Who collects for a view holds a lock on the pin directory, of a byte that the view's name says:
 * an open file description lock, see fcntl_locking(2). It goes with the daemon, whatever ends it.
 */
static struct flock lock_of(const struct kv_view *view, short type)
{
	uint64_t place = kv_object_fingerprint(view->name, strlen(view->name));

	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(place >> 1),
		.l_len = 1,
	};
}

int kv_pinset_claim(const struct kv_pins *pins, const struct kv_views *views, struct kv_err *err)
{
	for (size_t i = 0; i < views->n; i++) {
		struct flock lock = lock_of(&views->list[i], F_RDLCK);

		if (views->list[i].collectors.wanted == KV_COLLECT_RUN &&
		    fcntl(pins->fd, F_OFD_SETLK, &lock) < 0)
			return kv_err_errno(err, -errno, "can't lock the pin directory '%s'",
					    pins->dir);
	}
	return 0;
}

void kv_pinset_drop_off(const struct kv_pins *pins, const struct kv_views *views)
{
	for (size_t i = 0; i < views->n; i++) {
		struct flock lock = lock_of(&views->list[i], F_WRLCK);

		if (kv_view_is_off(&views->list[i]) && fcntl(pins->fd, F_OFD_GETLK, &lock) == 0 &&
		    lock.l_type == F_UNLCK)
			kv_pin_drop(pins, &views->list[i]);
	}
}

static int say_off(const struct kv_view *view, struct kv_err *err)
{
	kv_err_set(err, -ENODATA, "nothing is collected for view '%s'", view->name);
	kv_err_hint(err,
		    "a mount does it with -o collect=%s, `kview cat --for SECONDS %s` for a "
		    "while",
		    view->name, view->name);
	return -ENODATA;
}

int kv_pinset_get(const struct kv_pins *pins, struct kv_view *view, struct kv_err *err)
{
	bool may_use = pins && view->schema && !view->collectors.wanted;
	int rc = view->is_loaded ? 0 : may_use ? kv_pin_use(pins, view, NULL) : -ENOENT;

	if (rc && kv_view_is_off(view))
		return say_off(view, err);
	if (rc) {
		view->is_private = true;
		rc = kv_view_load(view);
	}
	if (rc)
		*err = view->err;
	return rc;
}
