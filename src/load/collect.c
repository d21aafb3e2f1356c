// SPDX-License-Identifier: GPL-2.0-only
#include "load/collect.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "load/load.h"
#include "load/said.h"
#include "load/view.h"

bool kv_is_collector(const struct bpf_program *prog)
{
	static const char *const kinds[] = {
		"tp_btf/", "raw_tp/",  "raw_tracepoint/", "fentry/",	 "fentry.s/",
		"fexit/",  "fexit.s/", "fmod_ret/",	  "fmod_ret.s/",
	};
	const char *section = bpf_program__section_name(prog);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(section, kinds[i], strlen(kinds[i])) == 0)
			return true;
	return false;
}

static int add(struct kv_collectors *c, const struct bpf_program *prog)
{
	struct kv_collector *more = reallocarray(c->list, c->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	c->list = more;
	more += c->n++;
	*more = (struct kv_collector){
		.name = strdup(bpf_program__name(prog)),
		.section = strdup(bpf_program__section_name(prog)),
		.is_spare = !bpf_program__autoload(prog), /* libbpf has taken the ? */
		.link_fd = -1,
		.prog_fd = -1,
	};
	return more->name && more->section ? 0 : -ENOMEM;
}

int kv_collectors_find(const struct bpf_object *object, struct kv_collectors *c)
{
	const struct bpf_program *prog = NULL;
	int rc = 0;

	*c = (struct kv_collectors){.counts_fd = -1};
	while (!rc && (prog = bpf_object__next_program(object, (struct bpf_program *)prog)))
		if (kv_is_collector(prog))
			rc = add(c, prog);
	if (rc)
		kv_collectors_free(c);
	return rc;
}

void kv_collectors_free(struct kv_collectors *c)
{
	kv_collectors_detach(c);
	for (size_t i = 0; i < c->n; i++) {
		free(c->list[i].name);
		free(c->list[i].section);
		free(c->list[i].why);
	}
	free(c->list);
	*c = (struct kv_collectors){0};
}

bool kv_collector_is_needed(const struct kv_collectors *c, const struct kv_collector *collector)
{
	for (size_t i = 0; i < c->n && collector->is_spare; i++)
		if (!c->list[i].is_spare && c->list[i].why)
			return true;
	return !collector->is_spare;
}

void kv_collectors_choose(const struct kv_collectors *c, struct bpf_object *object)
{
	for (size_t i = 0; i < c->n; i++) {
		struct bpf_program *prog =
			bpf_object__find_program_by_name(object, c->list[i].name);

		if (prog)
			bpf_program__set_autoload(prog,
						  c->wanted && !c->list[i].why &&
							  kv_collector_is_needed(c, &c->list[i]));
	}
}

static void note(struct kv_collector *collector, int rc)
{
	const char *said = rc == -EPERM		? "" /* libbpf guesses at the reason */
			   : *kv_said_verdict() ? kv_said_verdict()
						: kv_said_warning();

	free(collector->why);
	if (*kv_said_lacks() &&
	    asprintf(&collector->why, "this kernel has no %s", kv_said_lacks()) >= 0)
		return;
	collector->why = strdup(*said ? said : strerror(-rc));
}

/* Alone: libbpf gives up the whole object for one program. */
static int try_one(struct bpf_object *object, const char *name)
{
	struct bpf_program *prog = NULL;

	while ((prog = bpf_object__next_program(object, prog)))
		bpf_program__set_autoload(prog, strcmp(bpf_program__name(prog), name) == 0);
	kv_said_clear();
	return bpf_object__load(object);
}

bool kv_collectors_try(struct kv_collectors *c, struct bpf_object *(*open)(const void *arg),
		       const void *arg)
{
	bool is_refused = false;

	for (size_t i = 0; i < c->n && c->wanted; i++) {
		struct bpf_object *object = c->list[i].why ? NULL : open(arg);
		int rc = object ? try_one(object, c->list[i].name) : 0;

		bpf_object__close(object);
		if (rc)
			note(&c->list[i], rc);
		is_refused |= rc != 0;
	}
	return is_refused;
}

/* It keeps the rows in order, and counts nothing. */
static bool is_helper(const struct kv_collector *collector)
{
	return strncmp(collector->name, "kv_", 3) == 0;
}

static int attach_one(struct kv_collector *collector, const struct bpf_program *prog)
{
	struct bpf_link *link;

	kv_said_clear();
	link = bpf_program__attach(prog);
	if (!link) {
		int rc = -errno;

		note(collector, rc);
		return rc;
	}
	collector->link_fd = kv_fd_dup(bpf_link__fd(link));
	collector->prog_fd = kv_fd_dup(bpf_program__fd(prog));
	bpf_link__destroy(link);
	return collector->link_fd < 0 || collector->prog_fd < 0 ? -EMFILE : 0;
}

/* Why the view can't be served: the first that is refused and may not be, or any where none runs. */
static const struct kv_collector *first_refused(const struct kv_collectors *c, bool of_any)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].why && (of_any || is_helper(&c->list[i])))
			return &c->list[i];
	return NULL;
}

/* 0 or -errno: all that can be attached are, or none for lack of descriptors */
static int attach_all(struct kv_collectors *c, const struct bpf_object *object, bool *any)
{
	int rc = 0;

	for (size_t i = 0; i < c->n && rc != -EMFILE; i++) {
		const struct bpf_program *prog =
			bpf_object__find_program_by_name(object, c->list[i].name);

		if (!prog || bpf_program__fd(prog) < 0)
			continue; /* it was refused */
		rc = c->wanted == KV_COLLECT_RUN ? attach_one(&c->list[i], prog) : 0;
		*any |= !rc && !is_helper(&c->list[i]);
	}
	return rc == -EMFILE ? rc : 0;
}

int kv_collectors_attach(struct kv_collectors *c, const struct bpf_object *object,
			 struct kv_err *err)
{
	struct bpf_map *counts = bpf_object__find_map_by_name(object, KV_COLLECTED_MAP);
	const struct kv_collector *refused;
	bool any = false;
	int rc;

	if (!c->n || !c->wanted)
		return 0;
	rc = attach_all(c, object, &any);
	refused = first_refused(c, !any);
	if (!rc && any && !refused) {
		if (kv_collectors_run(c) && counts &&
		    bpf_map__value_size(counts) == sizeof(struct kv_collected))
			c->counts_fd = kv_fd_dup(bpf_map__fd(counts));
		return 0;
	}
	kv_collectors_detach(c);
	if (rc)
		return kv_err_errno(err, rc, "can't attach its collectors");
	if (any)
		return kv_err_set(err, -EINVAL, "this kernel refuses its collector '%s': %s",
				  refused->name, refused->why);
	return kv_err_set(err, -EINVAL, "this kernel runs none of its collectors: %s",
			  refused ? refused->why : "there is none");
}

void kv_collectors_detach(struct kv_collectors *c)
{
	if (!c->n)
		return;
	for (size_t i = 0; i < c->n; i++) {
		kv_closep(&c->list[i].link_fd);
		kv_closep(&c->list[i].prog_fd);
		c->list[i].link_fd = c->list[i].prog_fd = -1;
	}
	kv_closep(&c->counts_fd);
	c->counts_fd = -1;
}

bool kv_collectors_run(const struct kv_collectors *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].link_fd >= 0)
			return true;
	return false;
}

bool kv_collector_use(const struct kv_collector *collector, struct kv_collector_use *use)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	if (collector->link_fd < 0 || bpf_obj_get_info_by_fd(collector->prog_fd, &info, &len) < 0)
		return false;
	*use = (struct kv_collector_use){info.run_cnt, info.run_time_ns, info.recursion_misses};
	return true;
}

bool kv_collectors_counts(const struct kv_collectors *c, struct kv_collected *counts)
{
	uint32_t zero = 0;

	return c->n && c->counts_fd >= 0 && bpf_map_lookup_elem(c->counts_fd, &zero, counts) == 0;
}

/* --- of views --- */

static int want(struct kv_view *view, struct kv_err *err)
{
	if (view->collectors.n) {
		view->collectors.wanted = KV_COLLECT_RUN;
		return 0;
	}
	kv_err_set(err, -EINVAL, "view '%s' has no collectors", view->name);
	kv_err_hint(err, "`kview list` shows which views have");
	return -EINVAL;
}

int kv_views_collect(const struct kv_views *views, const char *names, struct kv_err *err)
{
	_cleanup_free_ char *list = strdup(names);
	char *rest = list, *name;
	int rc = list ? 0 : kv_err_errno(err, -ENOMEM, "can't collect");

	if (!rc && strcmp(names, "all") == 0) {
		for (size_t i = 0; i < views->n; i++)
			if (views->list[i].collectors.n)
				views->list[i].collectors.wanted = KV_COLLECT_RUN;
		return 0;
	}
	while (!rc && (name = strsep(&rest, "+"))) {
		struct kv_view *view = kv_views_find(views, name, err);

		rc = view ? want(view, err) : -EINVAL;
	}
	return rc;
}
