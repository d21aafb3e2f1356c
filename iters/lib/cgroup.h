/* SPDX-License-Identifier: GPL-2.0-only */
/* The path of a cgroup, as the reader sees it. */
#ifndef KVIEW_CGROUP_H
#define KVIEW_CGROUP_H

#include "container.h"
#include "path.h"

/*
 * The way from a cgroup up to the reader's root. The path begins with "/.." for each level of
 * that root which is not above the cgroup, as in kernfs_path_from_node_locked().
 */
struct kv_up {
	struct kernfs_node *kn, *root;
	__u64 level, root_level;
	__u64 ups;
};

struct kv_cgroup_cache {
	struct kv_up up;
	struct kv_kept path;
	struct kv_container container; /* that the path names */
	struct kv_container other;     /* that another hierarchy names */
	__u64 other_of[4];	       /* what that was found by */
};

KV_THREAD_MAP(kv_cgroups, kv_cgroup_cache);

#define CSS_ONLINE 2

struct kv_cgroup {
	struct kernfs_node *kn;
	__u64 id, level;
	__u64 flags; /* of its own state: CSS_ONLINE */
};

/* Inline, so that the verifier knows the types of @cgroup and @kn, its node. */
static __always_inline struct kv_cgroup kv_cgroup_of(const struct cgroup *cgroup,
						     struct kernfs_node *kn)
{
	return (struct kv_cgroup){
		.kn = kn,
		.id = kn->id,
		.level = cgroup->level,
		.flags = cgroup->self.flags,
	};
}

/* Names in the v2 hierarchy never change, and nodes hold their parents. */
struct kv_cgroup_walk {
	struct kv_scratch *scratch;
	struct kv_up *up;
	struct kv_container *container;
};

static __always_inline void kv_put_cgroup_name(struct kv_cgroup_walk *walk, const char *name)
{
	struct kv_scratch *scratch = walk->scratch;
	long n;

	/* The name is copied behind the end of the path, to learn its length. */
	n = bpf_probe_read_kernel_str(scratch->path + KV_PATH_MAX, KV_NAME_MAX, name);
	if (n > 0)
		kv_prepend(scratch, name, n - 1);
	else
		scratch->walk.failed = KV_STR_UNREADABLE;
	if (kv_has_container())
		kv_find_container(walk->container, (__u64)name, n - 1);
}

static long kv_cgroup_step(__u64 i, struct kv_cgroup_walk *walk)
{
	struct kv_up *up = walk->up;
	struct kernfs_node *kn = up->kn, *parent = kv_kernfs_parent(kn);
	__u64 level = up->level, root_level = up->root_level;

	if (kn == up->root || walk->scratch->walk.failed)
		return 1;
	if (level >= root_level) {
		if (!parent)
			return 1;
		kv_put_cgroup_name(walk, BPF_CORE_READ(kn, name));
		up->kn = parent;
		up->level = level - 1;
	}
	if (root_level >= level && up->root) {
		up->root = kv_kernfs_parent(up->root);
		up->root_level = root_level - 1;
		up->ups++;
	}
	return 0;
}

static long kv_up_step(__u64 i, struct kv_cgroup_walk *walk)
{
	static const char parent[] = "..";

	if (i >= walk->up->ups)
		return 1;
	kv_prepend(walk->scratch, parent, sizeof(parent) - 1);
	return 0;
}

/**
 * kv_put_cgroup() - append the path of a cgroup of the v2 hierarchy
 * @cache: of this thread, from the map kv_cgroups
 * @group: with its node; it is read by the caller, who knows what the verifier trusts
 *
 * Most processes of a cgroup follow one another, so its path is kept.
 */
static __always_inline void kv_put_cgroup(struct kv_call *c, struct kv_str *s,
					  struct kv_cgroup_cache *cache,
					  const struct kv_cgroup *group)
{
	struct kv_cgroup_walk walk = {
		.scratch = c->scratch,
		.up = &cache->up,
		.container = &cache->container,
	};

	if (c->scope && c->scope->cgroup == KV_CGROUP_UNKNOWN) {
		s->off = KV_STR_UNREADABLE;
		cache->container.len = 0;
		return;
	}
	const __u64 key[] = {c->session, group->id, group->flags};

	if (kv_put_kept(c, s, &cache->path, key, 3))
		return;
	/* If there will be no path to keep, what was kept has another container. */
	cache->path.key[0] = 0;
	c->scratch->walk.deleted =
		!(group->flags & CSS_ONLINE); /* the cgroup of a zombie may be removed */
	kv_walk_begin(&c->scratch->walk);
	cache->up.kn = group->kn;
	cache->up.level = group->level;
	cache->up.root = c->scope ? (void *)c->scope->cgroup : NULL;
	cache->up.root_level = c->scope ? c->scope->cgroup_level : 0;
	cache->up.ups = 0;
	cache->container.len = 0;
	bpf_loop(KV_PATH_MAX, kv_cgroup_step, &walk, 0);
	bpf_loop(KV_PATH_MAX, kv_up_step, &walk, 0);
	kv_walk_end(c, s);
	kv_keep(c, s, &cache->path, key, 3);
}

/* Most tasks of a group have the same css_set. Its links are its own as long as it lives. */
static __always_inline bool kv_find_other_container(struct kv_call *c,
						    struct kv_cgroup_cache *cache,
						    const struct task_struct *task,
						    const struct css_set *cset)
{
	const struct css_set___links *links = (void *)cset;
	const __u64 key[] = {
		c->session,
		(__u64)cset,
		(__u64)links->cgrp_links.next,
		(__u64)links->cgrp_links.prev,
	};
	bool is_known = true;

	for (int i = 0; i < 4; i++)
		is_known &= cache->other_of[i] == key[i];
	if (is_known)
		return true;
	kv_find_any_container(&cache->other, kv_address(cset));
	for (int i = 0; i < 4; i++)
		cache->other_of[i] = key[i];
	kv_barrier();
	if (BPF_CORE_READ(task, cgroups) == cset)
		return true;
	cache->other_of[0] = 0;
	return false;
}

/**
 * kv_put_container() - append the id of the container that the path put last names
 * @cset: the task's struct css_set, loaded through pointers from the program's context
 *
 * Hosts with control groups of v1 may name it in another hierarchy alone. What of these lies outside
 * the root of the reader's cgroup namespace is not the reader's to see. Only a reader without
 * such a root has them.
 *
 * Return: false: the task got into other groups meanwhile, and the program returns KV_RETRY.
 */
static __always_inline bool kv_put_container(struct kv_call *c, struct kv_str *s,
					     struct kv_cgroup_cache *cache,
					     const struct task_struct *task,
					     const struct css_set *cset)
{
	struct kv_container *found = &cache->container;

	if (!found->len && !(c->scope && c->scope->in_cgroup_ns)) {
		found = &cache->other;
		if (!kv_find_other_container(c, cache, task, cset))
			return false;
	}
	if (found->len)
		kv_put_bytes(c, s, found->id, KV_CONTAINER_ID);
	return true;
}

#endif
