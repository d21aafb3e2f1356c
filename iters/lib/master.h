/* SPDX-License-Identifier: GPL-2.0-only */
/* Who answers for a task: one user, whatever ids the user namespaces that this one makes give. */
#ifndef KVIEW_MASTER_H
#define KVIEW_MASTER_H

#include "reader.h"

struct kv_ascent {
	const struct user_namespace *ns;
};

/* Up to a user namespace that is a child of the initial one. */
static long kv_ascent_step(__u64 i, struct kv_ascent *a)
{
	const struct user_namespace *ns = a->ns;

	if (BPF_CORE_READ(ns, level) <= 1)
		return 1;
	a->ns = BPF_CORE_READ(ns, parent);
	return 0;
}

/*
 * The user whom the ids of a user namespace belong to: who made the namespace, or if that was
 * root, the user who is root in it. Of the initial one, @id.
 */
static __always_inline __u32 kv_master_of(const struct user_namespace *from, __u32 id)
{
	struct kv_ascent a = {.ns = from};
	const struct user_namespace *ns;
	__u32 master = 0;

	bpf_loop(KV_USER_NS_DEPTH, kv_ascent_step, &a, 0);
	ns = a.ns;
	if (BPF_CORE_READ(ns, level))
		master = BPF_CORE_READ(ns, owner.val);
	if (BPF_CORE_READ(ns, level) && !master)
		master = kv_map_id(ns, false, 0, true);
	return !master || master == KV_NOBODY ? id : master;
}

#endif
