/* SPDX-License-Identifier: GPL-2.0-only */
/* The groups below a control group, one after the other, in a section of RCU. */
#ifndef KVIEW_CSS_H
#define KVIEW_CSS_H

#include "kview.h"

#define KV_CSS_RELEASED 4
#define KV_CSS_STEPS (8 << 20) /* BPF_MAX_LOOPS */

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* How groups hang together. */
struct cgroup_subsys_state___linked {
	struct list_head sibling, children;
	unsigned long long serial_nr; /* of one that was made later it is larger */
};

#pragma clang attribute pop
#pragma clang diagnostic pop

struct kv_css_search {
	__u64 head, next; /* of struct list_head */
	__u64 serial_nr;
	__u64 css;
};

/* A list holds the member @sibling of each group. 0: @link is the head. */
static __always_inline __u64 kv_css_at(__u64 link, __u64 head)
{
	const __u64 at = bpf_core_field_offset(struct cgroup_subsys_state___linked, sibling);

	return link == head || !link ? 0 : link - at;
}

static long kv_css_find_later(__u64 i, struct kv_css_search *s)
{
	const struct cgroup_subsys_state___linked *css = (void *)kv_css_at(s->next, s->head);

	if (!css || BPF_CORE_READ(css, serial_nr) > s->serial_nr) {
		s->css = (__u64)css;
		return 1;
	}
	s->next = (__u64)BPF_CORE_READ(css, sibling.next);
	return 0;
}

static __always_inline __u64 kv_css_first(__u64 at)
{
	const struct cgroup_subsys_state___linked *css = (void *)at;

	return kv_css_at((__u64)BPF_CORE_READ(css, children.next),
			 at + bpf_core_field_offset(*css, children));
}

/*
 * The next one with the same parent, as css_next_child() in kernel/cgroup/cgroup.c: what is linked
 * in a removed group is not true any more, so its place is found by its number.
 */
static __always_inline __u64 kv_css_next(__u64 at, __u64 up)
{
	const struct cgroup_subsys_state___linked *css = (void *)at, *parent = (void *)up;
	struct kv_css_search s = {.head = up + bpf_core_field_offset(*css, children)};

	if (!(BPF_CORE_READ((struct cgroup_subsys_state *)at, flags) & KV_CSS_RELEASED))
		return kv_css_at((__u64)BPF_CORE_READ(css, sibling.next), s.head);
	s.serial_nr = BPF_CORE_READ(css, serial_nr);
	s.next = (__u64)BPF_CORE_READ(parent, children.next);
	bpf_loop(KV_CSS_STEPS, kv_css_find_later, &s, 0);
	return s.css;
}

#endif
