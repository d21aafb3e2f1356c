// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <time.h>
#include <unistd.h>

#include "access/courier.h"
#include "base/cleanup.h"
#include "cli/commands.h"
#include "fuse/daemon/confine.h"
#include "load/map.h"
#include "load/pinset.h"
#include "stream/run.h"

static int put(const char *bytes, size_t n, struct kv_err *err)
{
	if (fwrite_unlocked(bytes, 1, n, stdout) == n)
		return 0;
	return kv_err_errno(err, -errno, "can't write to standard output");
}

static int put_rows(struct kv_rows *rows, struct kv_err *err)
{
	static char buffer[65536]; /* of standard output */
	int rc = 0, more = 1;
	size_t n;

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	while (!rc && (more = kv_rows_next(rows, &n, err)) > 0)
		rc = put(rows->text, n, err);
	if (more == -EACCES || more == -ENOENT)
		__fpurge(stdout); /* no row was there to see: a header alone would say so */
	return rc ? rc : more;
}

static int choose(const struct kv_args *args, const struct kv_view *view, struct kv_plan *plan,
		  const struct kv_format **format, struct kv_err *err)
{
	char names[KV_FORMAT_NAMES];

	*format = kv_format_find(args->format);
	if (!*format) {
		kv_format_names(" and ", names);
		kv_err_set(err, KV_USAGE, "unknown format '%s'", args->format);
		kv_err_hint(err, "formats are %s", names);
		return KV_USAGE;
	}
	if (view->program && (*format != kv_formats[0] || args->columns)) {
		kv_err_set(err, KV_USAGE, "'%s' has no columns", view->name);
		kv_err_hint(err, "it declares no view: what it prints is shown as it is");
		return KV_USAGE;
	}
	if (!view->schema) { /* raw, or broken: loading it tells why */
		*format = NULL;
		return 0;
	}
	kv_plan_all(plan, view->schema);
	if (args->columns && kv_plan_pick(plan, view->schema, args->columns, err)) {
		kv_err_hint(err, "`kview schema %s` lists the columns", view->name);
		return KV_USAGE;
	}
	return 0;
}

/* @fd: receives the descriptor that the subset's link names, if there is one */
static int choose_subset(const struct kv_args *args, struct kv_subset *subset, int *fd,
			 struct kv_err *err)
{
	if ((args->pid > 0) + (args->map > 0) + (args->cgroup != NULL) > 1) {
		kv_err_set(err, KV_USAGE, "only one of --pid, --map and --cgroup goes");
		kv_err_hint(err, "an iterator takes one parameter");
		return KV_USAGE;
	}
	*subset = kv_subset_process(args->pid, 0);
	if (args->map) {
		struct kv_map_fds map;
		int rc = kv_open_map(args->map, &map, err);

		if (rc)
			return rc;
		kv_closep(&map.btf);
		*fd = map.map;
		subset->link = kv_link_map(*fd);
	} else if (args->cgroup) {
		*fd = open(args->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (*fd < 0) {
			int rc = kv_err_errno(err, -errno, "can't open the cgroup '%s'",
					      args->cgroup);

			kv_err_hint(err, "it is a directory, such as /sys/fs/cgroup/system.slice");
			return rc;
		}
		subset->link = kv_link_cgroup(*fd);
	}
	return 0;
}

/* Command lines take ten times as long as the rest of their rows. */
static bool wants_arguments(const struct kv_view *view)
{
	const struct kv_schema *schema = view->schema;

	for (unsigned int i = 0; schema && schema->whose && i < schema->ncolumns; i++)
		if (schema->columns[i].off == schema->args)
			return !(view->unwanted >> i & 1);
	return false;
}

static int start_courier(struct kv_courier *courier, struct kv_host *host, struct kv_err *err)
{
	int rc = kv_courier_start(courier, kv_confine_courier);

	if (rc)
		return kv_err_errno(err, rc, "can't start what fetches arguments");
	host->courier = courier;
	return 0;
}

/* While its collectors run. A terminal shows how long it takes. */
static void wait_for(uint32_t seconds)
{
	bool shows = isatty(STDERR_FILENO);

	for (uint32_t i = 0; i < seconds; i++) {
		struct timespec left = {.tv_sec = 1};

		if (shows)
			fprintf(stderr, "\rcollecting: %u of %u s", i, seconds);
		while (nanosleep(&left, &left) < 0)
			;
	}
	if (shows && seconds)
		fprintf(stderr, "\r%*s\r", 40, "");
}

/* Prints what the caller would read in the mount. */
static int cat_view(const struct kv_args *args, const struct kv_views *views, struct kv_view *view,
		    struct kv_err *err)
{
	const struct kv_policy policy = KV_POLICY_INIT;
	struct kv_reader reader = KV_READER_INIT;
	struct kv_courier courier = KV_COURIER_INIT;
	struct kv_host host = KV_HOST_INIT;
	struct kv_run_opts opts = {.reader = &reader, .host = &host};
	_cleanup_close_ int fd = -1;
	struct kv_run *run = NULL;
	struct kv_rows rows = {0};
	struct kv_pins dir = KV_PINS_INIT, *pins = NULL;
	const struct kv_format *format;
	struct kv_plan plan;
	int rc = choose(args, view, &plan, &format, err);

	if (!rc)
		rc = choose_subset(args, &opts.subset, &fd, err);
	if (rc)
		return rc;
	if (args->seconds)
		rc = kv_views_collect(views, view->name, err);
	if (rc)
		return KV_USAGE;
	view->unwanted = view->schema ? kv_plan_unwanted(&plan) : 0;
	if (kv_pins_open(args->pin_dir, false, &dir, NULL) == 0)
		pins = &dir;
	rc = kv_pinset_get(pins, view, err);
	if (!rc)
		rc = kv_host_open(&host, &policy, false, pins, views->types, err);
	kv_pins_close(&dir);
	if (!rc)
		rc = kv_reader_self(&host, &reader, err);
	if (!rc && wants_arguments(view))
		rc = start_courier(&courier, &host, err);
	if (!rc)
		wait_for(args->seconds);
	if (!rc)
		rc = kv_run_new(view, &opts, &run, err);
	if (!rc) {
		kv_rows_init(&rows, run, format, &plan);
		rc = put_rows(&rows, err);
	}
	kv_rows_free(&rows);
	kv_reader_close(&reader);
	kv_courier_stop(&courier);
	kv_host_close(&host);
	return rc;
}

int kv_cmd_cat(const struct kv_args *args, struct kv_err *err)
{
	struct kv_views views;
	struct kv_view *view;
	int rc = kv_open_view(args, &views, &view, err);

	if (rc)
		return rc;
	rc = cat_view(args, &views, view, err);
	kv_views_close(&views);
	return rc;
}
