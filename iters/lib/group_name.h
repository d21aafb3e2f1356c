/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of control groups, which collectors take while the groups are there. Where cgroup.h tells
 * what a reader sees, these are paths from the root of the hierarchy.
 *
 * The includer says behind it whether its view has a column for containers: kv_has_container().
 */
#ifndef KVIEW_GROUP_NAME_H
#define KVIEW_GROUP_NAME_H

#include "container.h"

#define KV_GROUP_PATH 256

struct kv_group {
	__u64 len; /* of @path; above KV_GROUP_PATH: it is longer */
	__u64 has_container;
	char container[KV_CONTAINER_ID];
	char path[KV_GROUP_PATH];
};

/* Of a processor: a program is not called while it is running on the same one. */
struct kv_naming {
	struct kernfs_node *kn;
	__u64 pos; /* in @text, which is filled from its end */
	__u64 is_too_long;
	struct kv_group group;
	struct kv_container container;
	char text[KV_GROUP_PATH + KV_NAME_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kv_naming);
} kv_namings SEC(".maps");

static __always_inline struct kv_naming *kv_naming(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&kv_namings, &zero);
}

static long kv_name_step(__u64 i, struct kv_naming **naming)
{
	struct kv_naming *n = *naming;
	struct kernfs_node *kn = n->kn, *parent = kv_kernfs_parent(kn);
	const char *name = BPF_CORE_READ(kn, name);
	__u64 pos = n->pos;
	long len;

	if (!parent)
		return 1;
	/* It is copied behind the end of the path, to learn its length. */
	len = bpf_probe_read_kernel_str(n->text + KV_GROUP_PATH, KV_NAME_MAX, name) - 1;
	if (len < 0 || pos < (__u64)len + 1) {
		n->is_too_long = 1;
		return 1;
	}
	pos -= len + 1;
	kv_opaque(pos);
	kv_opaque(len);
	if (pos >= KV_GROUP_PATH || (__u64)len >= KV_NAME_MAX) /* never */
		return 1;
	n->text[pos] = '/';
	if (len)
		bpf_probe_read_kernel(n->text + pos + 1, len, name);
	n->pos = pos;
	if (kv_has_container())
		kv_find_container(&n->container, (__u64)name, len);
	n->kn = parent;
	return 0;
}

/* kv_name_group() - sets @n->group */
static __always_inline void kv_name_group(struct kv_naming *n, struct kernfs_node *kn)
{
	struct kv_group *g = &n->group;
	__u64 pos, len;

	n->kn = kn;
	n->pos = KV_GROUP_PATH;
	n->is_too_long = 0;
	n->container.len = 0;
	bpf_loop(KV_GROUP_PATH, kv_name_step, &n, 0);
	if (n->pos == KV_GROUP_PATH && !n->is_too_long)
		n->text[--n->pos] = '/'; /* the root itself */
	pos = n->pos;
	kv_opaque(pos);
	if (pos >= KV_GROUP_PATH)
		pos = KV_GROUP_PATH - 1;
	len = KV_GROUP_PATH - pos;
	kv_opaque(len);
	g->len = n->is_too_long ? KV_GROUP_PATH + 1 : len;
	if (len <= KV_GROUP_PATH)
		bpf_probe_read_kernel(g->path, len, n->text + pos);
	g->has_container = n->container.len;
	__builtin_memcpy(g->container, n->container.id, KV_CONTAINER_ID);
}

/* kv_put_group() - the columns `cgroup` and `container` of a record @r of the view @view */
#define kv_put_group(c, view, r, group)                                                       \
	do {                                                                                  \
		const struct kv_group *_group = (group);                                      \
		__u64 _len = _group->len;                                                     \
                                                                                              \
		if (kv_has(view, container) && _group->has_container)                         \
			kv_put_bytes(c, &(r)->container, _group->container, KV_CONTAINER_ID); \
		if (kv_has(view, cgroup) && _len > KV_GROUP_PATH)                             \
			(r)->cgroup.off = KV_STR_TOO_LONG;                                    \
		else if (kv_has(view, cgroup) && _len)                                        \
			kv_put_bytes(c, &(r)->cgroup, _group->path, _len);                    \
	} while (0)

#endif
