// SPDX-License-Identifier: GPL-2.0-only
#include "load/pin_collect.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "load/view.h"

#define MAX_MAPS 64

bool kv_pin_is_program(int fd, const char *name)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
	       strncmp(info.name, name, sizeof(info.name) - 1) == 0;
}

bool kv_pin_is_query(const char *path, const char *name)
{
	_cleanup_free_ char *query = strndup(name, strcspn(name, "="));
	_cleanup_close_ int fd = query && strchr(name, '=') ? bpf_obj_get(path) : -1;

	return kv_pin_is_program(fd, query);
}

bool kv_pin_is_collector(const char *path, const char *name)
{
	const char *program = strchr(name, KV_COLLECTOR_PIN);
	_cleanup_free_ char *own = program ? strndup(program + 1, strcspn(program + 1, "~")) : NULL;
	struct kv_collector c = {.name = own};
	bool is = own && *own && kv_pin_use_collector(path, &c) == 0;

	kv_closep(&c.link_fd);
	kv_closep(&c.prog_fd);
	return is;
}

void kv_pin_collector_name(const struct kv_view *view, const struct kv_collector *collector,
			   char name[NAME_MAX + 1])
{
	snprintf(name, NAME_MAX + 1, "%s%c%s", view->name, KV_COLLECTOR_PIN, collector->name);
}

/* What it was attached to is in the program. */
static bool is_of(const struct bpf_link_info *link, int prog_fd, const char *name)
{
	return (link->type == BPF_LINK_TYPE_RAW_TRACEPOINT ||
		link->type == BPF_LINK_TYPE_TRACING) &&
	       kv_pin_is_program(prog_fd, name);
}

int kv_pin_use_collector(const char *path, struct kv_collector *collector)
{
	_cleanup_close_ int fd = bpf_obj_get(path);
	_cleanup_close_ int prog = -1;
	struct bpf_link_info link = {0};
	uint32_t len = sizeof(link);

	collector->link_fd = collector->prog_fd = -1;
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &link, &len) < 0)
		return -ESTALE;
	prog = bpf_prog_get_fd_by_id(link.prog_id);
	if (!is_of(&link, prog, collector->name))
		return -ESTALE;
	collector->link_fd = TAKE_FD(fd);
	collector->prog_fd = TAKE_FD(prog);
	return 0;
}

/* Does it use the map @rows? @counts: receives the map of counts, if it uses one and that is -1. */
static bool fills(const struct kv_collector *collector, uint32_t rows, int *counts)
{
	uint32_t ids[MAX_MAPS] = {0}, len = sizeof(struct bpf_prog_info);
	struct bpf_prog_info prog = {.nr_map_ids = MAX_MAPS, .map_ids = (uintptr_t)ids};
	bool uses = false;

	if (bpf_obj_get_info_by_fd(collector->prog_fd, &prog, &len) < 0)
		return false;
	for (uint32_t i = 0; i < prog.nr_map_ids && i < MAX_MAPS; i++) {
		_cleanup_close_ int fd = bpf_map_get_fd_by_id(ids[i]);
		struct bpf_map_info map = {0};

		uses |= ids[i] == rows;
		len = sizeof(map);
		if (*counts < 0 && fd >= 0 && bpf_obj_get_info_by_fd(fd, &map, &len) == 0 &&
		    strcmp(map.name, KV_COLLECTED_MAP) == 0 &&
		    map.value_size == sizeof(struct kv_collected))
			*counts = TAKE_FD(fd);
	}
	return uses;
}

int kv_pin_use_collectors(const char *dir, struct kv_view *view, int link_fd)
{
	struct kv_collectors *c = &view->collectors;
	struct bpf_link_info link = {0};
	uint32_t len = sizeof(link);
	bool any = false;

	if (!c->n)
		return 0;
	if (bpf_obj_get_info_by_fd(link_fd, &link, &len) < 0)
		return -ESTALE;
	for (size_t i = 0; i < c->n; i++) {
		char name[NAME_MAX + 1], path[PATH_MAX];

		kv_pin_collector_name(view, &c->list[i], name);
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		if (kv_pin_use_collector(path, &c->list[i]) == 0)
			any |= fills(&c->list[i], link.iter.map.map_id, &c->counts_fd);
	}
	if (any)
		return 0;
	kv_collectors_detach(c);
	return -ESTALE;
}
