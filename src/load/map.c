// SPDX-License-Identifier: GPL-2.0-only
#include "load/map.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "load/elements.h"

/* By what their elements are looked up. */
enum way {
	NO_WAY, /* they have no keys, or keys that no one can list */
	INDEX,	/* of an array */
	KEY,
	BUCKET, /* of a hash table */
};

#define ELEM "bpf_map_elem"

static const struct {
	enum way way;
	bool is_cpu, has_id; /* a value per CPU; the value is an id or a cookie */
	const char *iter;    /* kind of the kernel's iterators over such maps */
} types[] = {
	[BPF_MAP_TYPE_HASH] = {BUCKET, false, false, ELEM},
	[BPF_MAP_TYPE_ARRAY] = {INDEX, false, false, ELEM},
	[BPF_MAP_TYPE_PROG_ARRAY] = {INDEX, false, true, NULL},
	[BPF_MAP_TYPE_PERCPU_HASH] = {BUCKET, true, false, ELEM},
	[BPF_MAP_TYPE_PERCPU_ARRAY] = {INDEX, true, false, ELEM},
	[BPF_MAP_TYPE_STACK_TRACE] = {KEY, false, false, NULL},
	[BPF_MAP_TYPE_LRU_HASH] = {BUCKET, false, false, ELEM},
	[BPF_MAP_TYPE_LRU_PERCPU_HASH] = {BUCKET, true, false, ELEM},
	[BPF_MAP_TYPE_LPM_TRIE] = {KEY, false, false, NULL},
	[BPF_MAP_TYPE_ARRAY_OF_MAPS] = {INDEX, false, true, NULL},
	[BPF_MAP_TYPE_HASH_OF_MAPS] = {BUCKET, false, true, NULL},
	[BPF_MAP_TYPE_DEVMAP] = {INDEX, false, false, NULL},
	[BPF_MAP_TYPE_SOCKMAP] = {INDEX, false, true, "sockmap"},
	[BPF_MAP_TYPE_CPUMAP] = {INDEX, false, false, NULL},
	[BPF_MAP_TYPE_SOCKHASH] = {KEY, false, true, "sockmap"},
	[BPF_MAP_TYPE_CGROUP_STORAGE] = {KEY, false, false, NULL},
	[BPF_MAP_TYPE_REUSEPORT_SOCKARRAY] = {INDEX, false, true, NULL},
	[BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE] = {KEY, true, false, NULL},
	[BPF_MAP_TYPE_SK_STORAGE] = {NO_WAY, false, false, "bpf_sk_storage_map"},
	[BPF_MAP_TYPE_DEVMAP_HASH] = {KEY, false, false, NULL},
	[BPF_MAP_TYPE_STRUCT_OPS] = {INDEX, false, false, NULL},
};

static enum way way_of(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) ? types[type].way : NO_WAY;
}

bool kv_map_has(uint32_t type, const char *iter)
{
	const char *has = type < sizeof(types) / sizeof(types[0]) ? types[type].iter : NULL;

	return iter ? has && strcmp(has, iter) == 0 : way_of(type) != NO_WAY;
}

void kv_map_fds_close(struct kv_map_fds *fds)
{
	kv_closep(&fds->map);
	kv_closep(&fds->btf);
	*fds = KV_MAP_FDS_INIT;
}

static int get_info(int fd, struct bpf_map_info *info)
{
	uint32_t len = sizeof(*info);

	*info = (struct bpf_map_info){0};
	return bpf_obj_get_info_by_fd(fd, info, &len);
}

static int open_one(uint32_t id, struct kv_map_fds *fds)
{
	LIBBPF_OPTS(bpf_get_fd_by_id_opts, opts, .open_flags = BPF_F_RDONLY);
	struct bpf_map_info info;
	int rc;

	fds->map = bpf_map_get_fd_by_id_opts(id, &opts);
	if (fds->map < 0)
		return fds->map;
	rc = get_info(fds->map, &info);
	if (!rc && info.btf_id) {
		fds->btf = bpf_btf_get_fd_by_id(info.btf_id);
		rc = fds->btf < 0 ? fds->btf : 0;
	}
	if (rc)
		kv_map_fds_close(fds);
	return rc;
}

int kv_map_open(uint32_t id, bool or_next, struct kv_map_fds *fds)
{
	int rc;

	*fds = KV_MAP_FDS_INIT;
	rc = id ? open_one(id, fds) : -ENOENT;
	while (rc == -ENOENT && or_next) {
		rc = bpf_map_get_next_id(id, &id);
		if (rc)
			return rc;
		rc = open_one(id, fds); /* it may have gone just now */
	}
	return rc;
}

int kv_map_name(const struct kv_map_fds *fds, struct kv_map_name *name)
{
	struct bpf_map_info info;
	int rc = get_info(fds->map, &info);

	if (rc)
		return rc;
	*name = (struct kv_map_name){.id = info.id, .type = info.type};
	snprintf(name->name, sizeof(name->name), "%s", info.name);
	return 0;
}

/* Not btf__load_from_kernel_by_id(): that opens it by its id, which takes rights. NULL: none */
static struct btf *read_btf(int fd)
{
	_cleanup_free_ void *data = NULL;
	struct bpf_btf_info info = {0};
	uint32_t len = sizeof(info);
	struct btf *btf;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return NULL;
	data = malloc(info.btf_size);
	if (!data)
		return NULL;
	info = (struct bpf_btf_info){.btf = (uintptr_t)data, .btf_size = info.btf_size};
	len = sizeof(info);
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return NULL;
	btf = btf__new(data, info.btf_size);
	return libbpf_get_error(btf) ? NULL : btf;
}

static struct kv_map *new_map(int btf_fd, const struct bpf_map_info *info, int ncpus)
{
	const struct kv_shape shape = {
		.key_size = info->key_size,
		.value_size = info->value_size,
		.key_type = info->btf_key_type_id,
		.value_type = info->btf_value_type_id,
		.has_index = way_of(info->type) == INDEX,
		.has_id = types[info->type].has_id,
		.is_cpu = types[info->type].is_cpu,
	};
	struct kv_map *map = calloc(1, sizeof(*map));
	struct btf *btf = read_btf(btf_fd);

	if (map)
		map->layout = kv_layout_new(btf, &shape);
	btf__free(btf);
	if (!map || !map->layout) {
		free(map);
		return NULL;
	}
	map->fd = -1;
	map->id = info->id;
	map->key_size = shape.key_size;
	map->value_size = shape.value_size;
	map->max_entries = info->max_entries;
	map->is_hash = way_of(info->type) == BUCKET;
	map->ncpus = shape.is_cpu ? (unsigned int)ncpus : 0;
	return map;
}

static int no_way(const struct bpf_map_info *info, struct kv_err *err)
{
	const char *type = libbpf_bpf_map_type_str(info->type);

	kv_err_set(err, -EOPNOTSUPP, "the elements of the BPF map %u can't be listed", info->id);
	kv_err_hint(err, "it is of the type %s, which does not tell its keys",
		    type ? type : "of a later kernel");
	return -EOPNOTSUPP;
}

/* On success @map is the view's. */
static int put_view(struct kv_map *map, struct kv_views *views)
{
	struct kv_view *view = calloc(1, sizeof(*view));

	if (!view || asprintf(&view->name, "map/%u", map->id) < 0) {
		kv_schema_free(map->layout->schema);
		free(view);
		return -ENOMEM;
	}
	view->schema = map->layout->schema;
	view->map = map;
	view->loaded = KV_LOADED_INIT;
	view->is_loaded = true;
	*views = (struct kv_views){.list = view, .n = 1};
	return 0;
}

int kv_map_views(struct kv_map_fds *fds, struct kv_views *views, struct kv_err *err)
{
	int ncpus = libbpf_num_possible_cpus();
	struct bpf_map_info info;
	struct kv_map *map = NULL;
	int rc = get_info(fds->map, &info);

	if (!rc && ncpus < 0)
		rc = ncpus;
	if (!rc && way_of(info.type) == NO_WAY) {
		rc = no_way(&info, err);
	} else {
		if (!rc) {
			map = new_map(fds->btf, &info, ncpus);
			rc = map ? put_view(map, views) : -ENOMEM;
		}
		if (rc)
			kv_err_errno(err, rc, "can't read a BPF map");
	}
	if (!rc)
		map->fd = TAKE_FD(fds->map);
	else
		kv_map_free(map);
	kv_map_fds_close(fds);
	return rc;
}

void kv_map_free(struct kv_map *map)
{
	if (!map)
		return;
	kv_closep(&map->fd);
	free(map->layout);
	free(map);
}
