/* SPDX-License-Identifier: GPL-2.0-only */
/* The path of a cgroup, as the reader sees it. */
#ifndef KVIEW_CGROUP_H
#define KVIEW_CGROUP_H

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
};

KV_THREAD_MAP(kv_cgroups, kv_cgroup_cache);

#define CSS_ONLINE 2

struct kv_cgroup {
	struct kernfs_node *kn;
	__u64 id, level;
	__u64 flags; /* of its own state: CSS_ONLINE */
};

/* Names in the v2 hierarchy never change, and nodes hold their parents. */
struct kv_cgroup_walk {
	struct kv_scratch *scratch;
	struct kv_up *up;
};

static __always_inline void kv_put_cgroup_name(struct kv_scratch *scratch, const char *name)
{
	long n;

	/* The name is copied behind the end of the path, to learn its length. */
	n = bpf_probe_read_kernel_str(scratch->path + KV_PATH_MAX, KV_NAME_MAX, name);
	if (n > 0)
		kv_prepend(scratch, name, n - 1);
	else
		scratch->walk.failed = KV_STR_UNREADABLE;
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
		kv_put_cgroup_name(walk->scratch, BPF_CORE_READ(kn, name));
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
	struct kv_cgroup_walk walk = {.scratch = c->scratch, .up = &cache->up};

	if (c->scope && c->scope->cgroup == KV_CGROUP_UNKNOWN) {
		s->off = KV_STR_UNREADABLE;
		return;
	}
	const __u64 key[] = {c->session, group->id, group->flags};

	if (kv_put_kept(c, s, &cache->path, key, 3))
		return;
	c->scratch->walk.deleted =
		!(group->flags & CSS_ONLINE); /* the cgroup of a zombie may be removed */
	kv_walk_begin(&c->scratch->walk);
	cache->up.kn = group->kn;
	cache->up.level = group->level;
	cache->up.root = c->scope ? (void *)c->scope->cgroup : NULL;
	cache->up.root_level = c->scope ? c->scope->cgroup_level : 0;
	cache->up.ups = 0;
	bpf_loop(KV_PATH_MAX, kv_cgroup_step, &walk, 0);
	bpf_loop(KV_PATH_MAX, kv_up_step, &walk, 0);
	kv_walk_end(c, s);
	kv_keep(c, s, &cache->path, key, 3);
}

#endif
