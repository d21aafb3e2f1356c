/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an epoll or inotify descriptor watches. The elements come and go while they are read, and
 * their locks are not a program's to take: so there are two walks, and the list counts if both
 * met the same.
 */
#ifndef KVIEW_WATCHED_H
#define KVIEW_WATCHED_H

#include "words.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* the real layout is the kernel's */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct rb_node {
	unsigned long __rb_parent_color;
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct rb_root_cached {
	struct rb_root rb_root;
};

struct eventpoll {
	struct rb_root_cached rbr;
};

struct epoll_filefd {
	int fd;
};

struct epitem {
	struct rb_node rbn;
	struct epoll_filefd ffd;
	struct eventpoll *ep;
};

struct fsnotify_group {
	struct list_head marks_list;
};

struct fsnotify_mark_connector {
	void *obj;
};

struct fsnotify_mark {
	struct fsnotify_group *group;
	struct list_head g_list;
	struct fsnotify_mark_connector *connector;
};

struct inode___marked {
	struct fsnotify_mark_connector *i_fsnotify_marks;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

static __always_inline bool kv_knows_epoll(void)
{
	const struct eventpoll *ep = NULL;
	const struct epitem *item = NULL;

	return bpf_core_field_exists(ep->rbr.rb_root.rb_node) &&
	       kv_knows(rb_node, __rb_parent_color) && kv_knows(rb_node, rb_right) &&
	       kv_knows(rb_node, rb_left) && kv_knows(epitem, rbn) && kv_knows(epitem, ep) &&
	       bpf_core_field_exists(item->ffd.fd);
}

static __always_inline bool kv_knows_marks(void)
{
	return kv_knows(fsnotify_group, marks_list) && kv_knows(list_head, next) &&
	       kv_knows(fsnotify_mark, group) && kv_knows(fsnotify_mark, g_list) &&
	       kv_knows(fsnotify_mark, connector) && kv_knows(fsnotify_mark_connector, obj) &&
	       kv_knows(inode___marked, i_fsnotify_marks) && kv_knows(inode, i_ino) &&
	       kv_knows(inode, i_sb) && kv_knows(super_block, s_dev);
}

static __always_inline void kv_watch_add(struct kv_watch *l, __u64 value)
{
	l->sum = kv_mix(l->sum, value);
}

/*
 * May another element be taken? The first walk takes KV_WATCH_MAX of them, and the second one as
 * many as the first.
 */
static __always_inline bool kv_watch_has_room(struct kv_watch *l)
{
	if (l->seen < (l->again ? l->most : KV_WATCH_MAX))
		return true;
	kv_watch_add(l, ~0ULL); /* no address */
	l->more = true;
	l->done = true;
	return false;
}

static __always_inline void kv_watch_take(struct kv_watch *l, __u64 nr, __u64 dev)
{
	__u64 at = l->seen++;

	kv_opaque(at);
	if (l->again || at >= KV_WATCH_MAX)
		return;
	l->elements[at].nr = nr;
	l->elements[at].dev = dev;
}

/*
 * Elements of epoll are freed after a grace period. What is none has no pointer to its
 * eventpoll: when an element goes, it gets a callback_head in its rb_node's place.
 */
static __always_inline bool kv_epoll_take(struct kv_watch *l, const struct rb_node *node)
{
	const struct epitem *item = (void *)node - bpf_core_field_offset(struct epitem, rbn);

	if ((__u64)BPF_CORE_READ(item, ep) != l->owner || !kv_watch_has_room(l))
		return false;
	kv_watch_add(l, (__u64)node);
	kv_watch_take(l, (__u32)BPF_CORE_READ(item, ffd.fd), 0);
	return true;
}

/* One step through a tree, in order: down to the left, to the right, or up. 1 ends the walk. */
static long kv_epoll_step(__u64 i, struct kv_words **words)
{
	struct kv_watch *l = &(*words)->watch;
	const struct rb_node *node = (void *)l->node;
	__u64 parent = BPF_CORE_READ(node, __rb_parent_color) & ~3ULL;
	__u64 left = (__u64)BPF_CORE_READ(node, rb_left);
	__u64 right = (__u64)BPF_CORE_READ(node, rb_right);
	__u64 to = parent;

	if (l->from == parent && left) {
		to = left;
	} else if (l->from == parent || l->from == left) {
		if (!kv_epoll_take(l, node))
			return 1;
		to = right ? right : parent;
	} else if (l->from != right) {
		return 1; /* the tree was changed */
	}
	l->from = l->node;
	l->node = to;
	l->done = !to;
	return l->done;
}

/*
 * The inode that a connector is for; NULL: none. @obj is its address since 6.10, and before that
 * the address of a member of it. The inode points back in any case.
 */
static __always_inline const struct inode *kv_marked_inode(__u64 connector, __u64 obj)
{
	const struct inode___marked *inode = (void *)obj;

	if ((__u64)BPF_CORE_READ(inode, i_fsnotify_marks) == connector)
		return (void *)inode;
	inode = (void *)(obj - bpf_core_field_offset(struct inode___marked, i_fsnotify_marks));
	return (__u64)BPF_CORE_READ(inode, i_fsnotify_marks) == connector ? (void *)inode : NULL;
}

/*
 * One that has no inode any more is on its way, and fdinfo leaves it out as well. The second walk
 * need not look at the inode, which stays until the program returns.
 */
static __always_inline bool kv_mark_take(struct kv_watch *l, __u64 connector)
{
	const struct fsnotify_mark_connector *c = (void *)connector;
	__u64 obj = connector ? (__u64)BPF_CORE_READ(c, obj) : 0;
	const struct inode *inode = NULL;

	kv_watch_add(l, obj);
	if (!obj)
		return true;
	if (!kv_watch_has_room(l))
		return false;
	if (!l->again) {
		inode = kv_marked_inode(connector, obj);
		if (!inode)
			return false;
	}
	kv_watch_take(l, BPF_CORE_READ(inode, i_ino), BPF_CORE_READ(inode, i_sb, s_dev));
	return true;
}

#define kv_mark_offset(field) bpf_core_field_offset(struct fsnotify_mark, field)
#define KV_MARK_MEMBER(l, field) \
	(*(__u64 *)((void *)(l)->members + kv_mark_offset(field) - kv_mark_offset(group)))

/*
 * A mark is freed behind an SRCU grace period, which this program does not delay: so it may be
 * another one by now, or none.
 */
static long kv_marks_step(__u64 i, struct kv_words **words)
{
	const __u64 size = kv_mark_offset(connector) + sizeof(__u64) - kv_mark_offset(group);
	struct kv_watch *l = &(*words)->watch;

	l->done = l->node == l->from;
	if (l->done || size > sizeof(l->members) ||
	    bpf_probe_read_kernel(l->members, size,
				  (void *)l->node - kv_mark_offset(g_list) + kv_mark_offset(group)))
		return 1;
	kv_watch_add(l, l->node);
	if (KV_MARK_MEMBER(l, group) != l->owner || !kv_mark_take(l, KV_MARK_MEMBER(l, connector)))
		return 1;
	l->node = KV_MARK_MEMBER(l, g_list.next);
	return 0;
}

#define KV_WATCH_STEPS 1024

static __always_inline bool kv_epoll_walk(struct kv_words *w)
{
	const struct eventpoll *ep = (void *)w->watch.owner;

	w->watch.node = (__u64)BPF_CORE_READ(ep, rbr.rb_root.rb_node);
	w->watch.from = 0;
	w->watch.done = !w->watch.node;
	if (w->watch.node)
		w->watch.steps += bpf_loop(KV_WATCH_STEPS, kv_epoll_step, &w, 0);
	return w->watch.done;
}

static __always_inline bool kv_marks_walk(struct kv_words *w)
{
	const struct fsnotify_group *group = (void *)w->watch.owner;

	w->watch.node = (__u64)BPF_CORE_READ(group, marks_list.next);
	w->watch.from = (__u64)group + bpf_core_field_offset(struct fsnotify_group, marks_list);
	w->watch.done = false;
	w->watch.steps += bpf_loop(KV_WATCH_STEPS, kv_marks_step, &w, 0);
	return w->watch.done;
}

static __always_inline void kv_watch_begin(struct kv_watch *l)
{
	l->again = l->seen = l->sum = l->more = 0;
}

/* The second walk. */
static __always_inline void kv_watch_again(struct kv_watch *l)
{
	l->most = l->seen;
	l->first_sum = l->sum;
	l->seen = l->sum = 0;
	l->again = true;
	kv_barrier();
}

/*
 * A walk takes longer than most changes. So there are many tries, and the limit of steps bounds the
 * time that the kernel spends without a pause.
 */
#define KV_WATCH_TRIES 2048
#define KV_WATCH_STEPS_MAX 4096
#define KV_WATCH_LONG 2000

static __always_inline long kv_watch_ends(const struct kv_watch *l)
{
	return l->steady || l->steps > KV_WATCH_STEPS_MAX;
}

static long kv_epoll_try(__u64 i, struct kv_words **words)
{
	struct kv_watch *l = &(*words)->watch;

	kv_watch_begin(l);
	l->steady = kv_epoll_walk(*words);
	kv_watch_again(l);
	l->steady &= kv_epoll_walk(*words) && l->sum == l->first_sum;
	return kv_watch_ends(l);
}

static long kv_marks_try(__u64 i, struct kv_words **words)
{
	struct kv_watch *l = &(*words)->watch;

	kv_watch_begin(l);
	l->steady = kv_marks_walk(*words);
	kv_watch_again(l);
	l->steady &= kv_marks_walk(*words) && l->sum == l->first_sum;
	return kv_watch_ends(l);
}

/* Append an element; 1: it was the last. */
static long kv_say_element(__u64 i, struct kv_words **words)
{
	struct kv_words *w = *words;
	struct kv_element *e;

	if (i >= w->watch.most || i >= KV_WATCH_MAX)
		return 1;
	e = &w->watch.elements[i];
	if (i)
		kv_say(w, ",");
	kv_say_digits(w, e->nr, 10, 1);
	if (w->watch.from) { /* the list's head: an inode has a device */
		kv_say(w, "@");
		kv_say_digits(w, e->dev >> 20, 16, 2);
		kv_say(w, ":");
		kv_say_digits(w, e->dev & 0xfffff, 16, 2);
	}
	return 0;
}

static __always_inline void kv_say_elements(struct kv_words *w)
{
	w->lost |= !w->watch.steady;
	bpf_loop(KV_WATCH_MAX, kv_say_element, &w, 0);
	if (w->watch.more)
		kv_say(w, ",...");
}

/* What an epoll watches: descriptors by the numbers that it was given, in the order of fdinfo. */
static __always_inline void kv_say_epoll(struct kv_words *w, const void *ep)
{
	kv_say(w, "tfds=");
	w->watch.owner = (__u64)ep;
	bpf_loop(KV_WATCH_TRIES, kv_epoll_try, &w, 0);
	w->watch.from = 0;
	kv_say_elements(w);
}

/* The inodes that an inotify watches, in the order of fdinfo. */
static __always_inline void kv_say_marks(struct kv_words *w, const void *group)
{
	kv_say(w, "inodes=");
	w->watch.owner = (__u64)group;
	bpf_loop(KV_WATCH_TRIES, kv_marks_try, &w, 0);
	kv_say_elements(w);
}

#endif
