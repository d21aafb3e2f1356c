// SPDX-License-Identifier: GPL-2.0-only
/* map/: files of the elements of each BPF map: 12, 12.json and 12.csv, and a link 12-NAME. */
#include "fuse/fs/group.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/map.h"
#include "render/render.h"

/* --- names --- */

/* Files of a map: one per format, and the link. */
static uint32_t count_files(void)
{
	uint32_t n = 0;

	while (kv_formats[n])
		n++;
	return n + 1;
}

/* The id that a name begins with, and what is behind it. 0: none. */
static uint32_t parse(const char *name, const char **rest)
{
	uint64_t id = 0;

	if (*name < '1' || *name > '9')
		return 0;
	for (; *name >= '0' && *name <= '9'; name++) {
		id = id * 10 + (unsigned int)(*name - '0');
		if (id > UINT32_MAX)
			return 0;
	}
	*rest = name;
	return (uint32_t)id;
}

static bool is_name(const char *name)
{
	const char *rest;

	if (!parse(name, &rest))
		return false;
	for (const struct kv_format *const *f = kv_formats; *f; f++)
		if (strcmp(rest, (*f)->suffix) == 0)
			return true;
	return *rest == '-' && rest[1] && !strchr(rest, '/');
}

/* The name of a map's file, "" where it has no such file. */
static void put_name(const struct kv_map_name *map, uint32_t file, struct kv_member *m)
{
	const struct kv_format *format = kv_formats[file];

	*m = (struct kv_member){.key = map->id, .file = file};
	m->position = (uint64_t)map->id * count_files() + file;
	if (format)
		snprintf(m->name, sizeof(m->name), "%u%s", map->id, format->suffix);
	else if (*map->name)
		snprintf(m->name, sizeof(m->name), "%u-%s", map->id, map->name);
}

/* --- maps --- */

static int name_map(const struct kv_host *host, uint32_t id, bool or_next, struct kv_map_name *map)
{
	struct kv_map_fds fds;
	int rc = kv_host_map(host, id, or_next, &fds);

	if (rc)
		return rc;
	rc = kv_map_name(&fds, map);
	kv_map_fds_close(&fds);
	return rc;
}

static int find(const struct kv_host *host, const struct kv_reader *reader, const char *name,
		struct kv_member *member)
{
	const char *rest;
	struct kv_map_name map;
	uint32_t id = parse(name, &rest);
	int rc = name_map(host, id, false, &map);

	(void)reader;
	if (rc)
		return rc;
	/* One without elements to list has no file. */
	for (uint32_t file = 0; map.has_rows && file < count_files(); file++) {
		put_name(&map, file, member);
		if (strcmp(member->name, name) == 0)
			return 0;
	}
	return -ENOENT;
}

/* Whether it is still there tells who opens it. */
static int look(const struct kv_host *host, const struct kv_reader *reader, uint64_t key,
		struct kv_member *member)
{
	(void)host;
	(void)reader;
	*member = (struct kv_member){.key = key};
	return 0;
}

/* --- listings --- */

struct listing {
	const struct kv_host *host;
	pthread_mutex_t lock;
	struct kv_map_name map; /* the last one; id 0: none yet */
};

static void *list_new(const struct kv_host *host, struct kv_reader *reader)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->host = host;
	pthread_mutex_init(&l->lock, NULL);
	kv_reader_close(reader); /* it sees what all see */
	return l;
}

/* The map @id or the next one. 1; 0: there is none; -errno */
static int go_to(struct listing *l, uint64_t id)
{
	int rc;

	if (l->map.id && l->map.id == id)
		return 1;
	if (id > UINT32_MAX)
		return 0;
	rc = name_map(l->host, (uint32_t)id, true, &l->map);
	if (rc)
		l->map = (struct kv_map_name){0};
	return rc == -ENOENT ? 0 : rc ? rc : 1;
}

static int find_from(struct listing *l, uint64_t position, struct kv_member *m)
{
	uint32_t n = count_files();
	uint64_t id = position / n;
	int rc;

	for (uint32_t file = position % n; (rc = go_to(l, id)) > 0; file = 0) {
		file = l->map.id == id ? file : 0;
		for (; l->map.has_rows && file < n; file++) {
			put_name(&l->map, file, m);
			if (*m->name)
				return 1;
		}
		id = l->map.id + UINT64_C(1);
	}
	return rc;
}

static int list_next(void *list, uint64_t position, struct kv_member *member)
{
	struct listing *l = list;
	int rc;

	pthread_mutex_lock(&l->lock);
	rc = find_from(l, position, member);
	pthread_mutex_unlock(&l->lock);
	return rc;
}

static void list_free(void *list)
{
	struct listing *l = list;

	pthread_mutex_destroy(&l->lock);
	free(l);
}

const struct kv_group kv_group_maps = {
	.name = "map",
	.of_files = true,
	.is_name = is_name,
	.find = find,
	.look = look,
	.list_new = list_new,
	.list_next = list_next,
	.list_free = list_free,
};
