// SPDX-License-Identifier: GPL-2.0-only
/*
 * map/: files of each BPF map: its elements in 12, 12.json and 12.csv, with a link 12-NAME, and in
 * 12.OBJECT.PROGRAM what a raw iterator prints of it.
 */
#include "fuse/fs/group.h"

#include <errno.h>
#include <stdio.h>

#include "load/map.h"

/* The id that a name begins with. 0: none. */
static uint32_t parse(const char *name)
{
	uint64_t id = 0;

	if (*name < '1' || *name > '9')
		return 0;
	for (; *name >= '0' && *name <= '9'; name++) {
		id = id * 10 + (unsigned int)(*name - '0');
		if (id > UINT32_MAX)
			return 0;
	}
	return (uint32_t)id;
}

static bool is_name(const char *name)
{
	return parse(name) != 0;
}

static bool has(const struct kv_view *view)
{
	return view->program && view->param == KV_PARAM_MAP;
}

static bool has_file(const struct kv_member *member, const struct kv_view *view)
{
	return kv_map_has(member->type, view ? view->kind : NULL);
}

/* The map @id, or the next one. */
static int get(const struct kv_host *host, uint32_t id, bool or_next, struct kv_member *m)
{
	struct kv_map_name map;
	struct kv_map_fds fds;
	int rc = kv_host_map(host, id, or_next, &fds);

	if (rc)
		return rc;
	rc = kv_map_name(&fds, &map);
	kv_map_fds_close(&fds);
	if (rc)
		return rc;
	*m = (struct kv_member){.key = map.id, .position = map.id, .type = map.type};
	snprintf(m->name, sizeof(m->name), "%u", map.id);
	snprintf(m->alias, sizeof(m->alias), "%s", map.name);
	return 0;
}

static int find(const struct kv_host *host, const struct kv_reader *reader, const char *name,
		struct kv_member *member)
{
	(void)reader;
	return get(host, parse(name), false, member);
}

/* Whether it is still there tells who opens it. */
static int look(const struct kv_host *host, const struct kv_reader *reader, uint64_t key,
		struct kv_member *member)
{
	(void)host;
	(void)reader;
	*member = (struct kv_member){.key = key};
	return key > UINT32_MAX ? -ENOENT : 0;
}

/* All see the same, and a position is an id: a listing has nothing to remember. */
static void *list_new(const struct kv_host *host, struct kv_reader *reader)
{
	kv_reader_close(reader);
	return (void *)host;
}

static int list_next(void *host, uint64_t position, struct kv_member *member)
{
	int rc;

	if (position > UINT32_MAX)
		return 0;
	rc = get(host, (uint32_t)position, true, member);
	return rc == -ENOENT ? 0 : rc ? rc : 1;
}

static void list_free(void *host)
{
	(void)host;
}

const struct kv_group kv_group_maps = {
	.name = "map",
	.has = has,
	.of_files = true,
	.has_file = has_file,
	.is_name = is_name,
	.find = find,
	.look = look,
	.list_new = list_new,
	.list_next = list_next,
	.list_free = list_free,
};
