/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The id of a container: docker, containerd, CRI-O and podman name the control group of a container
 * for its id of 64 hexadecimal digits, alone or as in docker-ID.scope.
 */
#ifndef KVIEW_CONTAINER_H
#define KVIEW_CONTAINER_H

#include "kview.h"

/* Each view that includes this defines it behind its record: kv_has() of its column. */
static __always_inline bool kv_has_container(void);

#define KV_CONTAINER_ID 64

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* The control groups of a task: one in each hierarchy. */
struct css_set___links {
	struct list_head cgrp_links;
};

struct cgrp_cset_link {
	struct cgroup *cgrp;
	struct list_head cgrp_link;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

struct kv_container {
	__u64 len;    /* of @id, or 0: none was found */
	__u64 digits; /* up to here */
	__u64 name_len;
	char id[KV_CONTAINER_ID];
	char name[KV_NAME_MAX]; /* that is being searched */
};

static long kv_container_step(__u64 i, struct kv_container **container)
{
	struct kv_container *k = *container;
	char c = i < k->name_len ? k->name[i & (KV_NAME_MAX - 1)] : 0;
	__u64 at = i - KV_CONTAINER_ID;

	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) {
		k->digits++;
		return 0;
	}
	kv_opaque(at);
	if (k->digits == KV_CONTAINER_ID && at <= KV_NAME_MAX - KV_CONTAINER_ID) {
		k->len = KV_CONTAINER_ID;
		__builtin_memcpy(k->id, k->name + at, KV_CONTAINER_ID);
		return 1;
	}
	k->digits = 0;
	return 0;
}

/*
 * Looks for an id in a name of @len bytes, unless there is one already: that of the innermost
 * group counts. Not static, so that it is verified once (see kv_find_pid()).
 */
__noinline int kv_find_container(struct kv_container *k, __u64 name, __u64 len)
{
	if (!k || !kv_has_container() || k->len || len < KV_CONTAINER_ID)
		return 0;
	kv_opaque(len);
	if (len >= KV_NAME_MAX)
		return 0;
	k->digits = 0;
	k->name_len = len;
	if (!bpf_probe_read_kernel(k->name, len, (void *)name))
		bpf_loop(len + 1, kv_container_step, &k, 0);
	return 0;
}

/* The same in all hierarchies. */
struct kv_links {
	struct kv_container *container;
	__u64 head, at; /* of struct list_head */
	struct kernfs_node *kn;
};

/* In a hierarchy of v1 a group may be renamed; its old name is freed at once. */
static long kv_links_up(__u64 i, struct kv_links *links)
{
	struct kv_container *k = links->container;
	struct kernfs_node *kn = links->kn;
	const char *name = BPF_CORE_READ(kn, name);
	long n;

	n = bpf_probe_read_kernel_str(k->name, KV_NAME_MAX, name);
	if (n > KV_CONTAINER_ID)
		kv_find_container(k, (__u64)name, n - 1);
	kv_barrier();
	if (k->len && BPF_CORE_READ(kn, name) != name)
		k->len = 0;
	links->kn = kv_kernfs_parent(kn);
	return k->len || !links->kn;
}

static long kv_links_step(__u64 i, struct kv_links *links)
{
	const struct cgrp_cset_link *link;

	if (links->at == links->head || !links->at)
		return 1;
	link = (void *)links->at - bpf_core_field_offset(struct cgrp_cset_link, cgrp_link);
	links->kn = BPF_CORE_READ(link, cgrp, kn);
	bpf_loop(KV_PATH_MAX, kv_links_up, links, 0);
	links->at = (__u64)BPF_CORE_READ(link, cgrp_link.next);
	return links->container->len != 0;
}

#define KV_HIERARCHIES_MAX 256

/*
 * kv_find_any_container() - look for an id in all hierarchies, if there are others than that of v2
 * @cset: address of the task's struct css_set. Its links are freed with it, without a grace period:
 *	  the task must still have it afterwards
 */
__noinline int kv_find_any_container(struct kv_container *k, __u64 cset)
{
	const struct css_set___links *set = (void *)cset;
	struct kv_links links = {.container = k};
	const struct list_head *first;

	if (!k || !kv_has_container())
		return 0;
	k->len = 0;
	links.head = (__u64)set + bpf_core_field_offset(struct css_set___links, cgrp_links);
	first = BPF_CORE_READ(set, cgrp_links.next);
	links.at = (__u64)first;
	if ((__u64)BPF_CORE_READ(first, next) != links.head)
		bpf_loop(KV_HIERARCHIES_MAX, kv_links_step, &links, 0);
	return 0;
}

#endif
