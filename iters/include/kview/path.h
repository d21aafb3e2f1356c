/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths of files, as readlink in /proc shows them to the reader, that is
 * relative to its root directory.
 */
#ifndef KVIEW_PATH_H
#define KVIEW_PATH_H

#include "kview.h"

/* Puts "/name" before the path; @len is at most KV_NAME_MAX - 1, as in every file system. */
static __always_inline void kv_prepend(struct kv_scratch *scratch, const void *name, __u64 len)
{
	struct kv_walk *w = &scratch->walk;
	__u64 pos = w->pos;

	len &= KV_NAME_MAX - 1;
	if (pos < len + 1 + w->reserved) {
		w->failed = KV_STR_TOO_LONG;
		return;
	}
	pos -= len + 1;
	kv_opaque(pos);
	kv_opaque(len);
	if (pos >= KV_PATH_MAX || len >= KV_NAME_MAX) /* never */
		return;
	scratch->path[pos] = '/';
	if (len && bpf_probe_read_kernel(scratch->path + pos + 1, len, name))
		w->failed = KV_STR_UNREADABLE;
	w->pos = pos;
}

static __always_inline void kv_walk_begin(struct kv_walk *w)
{
	w->pos = KV_PATH_MAX;
	w->failed = 0;
	w->reserved = 1; /* d_path() counts a NUL, and " (deleted)" */
	if (w->deleted)
		w->reserved += sizeof(" (deleted)") - 1;
}

/* Appends the path that was built, or its KV_STR_ code. */
static __always_inline void kv_walk_end(struct kv_call *c, struct kv_str *s)
{
	struct kv_walk *w = &c->scratch->walk;
	__u64 pos;

	if (w->pos == KV_PATH_MAX && !w->failed)
		kv_prepend(c->scratch, NULL, 0); /* the root itself */
	pos = w->pos;
	kv_opaque(pos);
	s->len = 0;
	s->off = w->failed;
	if (!w->failed && pos < KV_PATH_MAX)
		kv_put_bytes(c, s, c->scratch->path + pos, KV_PATH_MAX - pos);
	if (w->deleted && s->len)
		kv_add_literal(c, s, " (deleted)");
}

static __always_inline void kv_walk_add(struct kv_walk *w, __u64 value)
{
	w->sum = kv_mix(w->sum, value);
}

#define kv_dentry_offset(field) bpf_core_field_offset(struct dentry, field)

/* Reads the members of a dentry from offset @begin to @end at once. */
static __always_inline void kv_walk_read(struct kv_walk *w, const struct dentry *dentry,
					 __u64 begin, __u64 end)
{
	if (end - begin > sizeof(w->members) ||
	    bpf_probe_read_kernel(w->members, end - begin, (void *)dentry + begin))
		w->moving = true; /* there is none */
}

/* Opaque, since the verifier of 6.1 cannot track a negative offset that the compiler makes. */
static __always_inline void *kv_walk_member(struct kv_walk *w, __u64 begin, __u64 offset)
{
	__u64 at = offset - begin;

	kv_opaque(at);
	return (void *)w->members + at;
}

/*
 * A dentry's d_seq is a seqcount: it grows with each change of the name, of the parent, and of
 * whether the dentry is hashed, and is odd during a change. So it is read before these, and
 * again in the second walk.
 */
static __always_inline const struct dentry *kv_walk_first(struct kv_call *c,
							  const struct dentry *dentry)
{
	const __u64 begin = kv_dentry_offset(d_parent), name_at = kv_dentry_offset(d_name);
	struct kv_walk *w = &c->scratch->walk;
	__u32 seq = BPF_CORE_READ(dentry, d_seq.seqcount.sequence);
	const struct dentry *parent;
	struct qstr name;

	kv_barrier();
	kv_walk_read(w, dentry, begin, name_at + sizeof(name));
	parent = *(const struct dentry **)kv_walk_member(w, begin, begin);
	name = *(struct qstr *)kv_walk_member(w, begin, name_at);
	w->moving |= seq & 1;
	kv_walk_add(w, seq);
	kv_walk_add(w, (__u64)parent);
	if (dentry == parent && !w->first)
		return parent;
	if (!w->failed)
		kv_prepend(c->scratch, name.name, name.hash_len >> 32);
	return parent;
}

static __always_inline const struct dentry *kv_walk_again(struct kv_walk *w,
							  const struct dentry *dentry)
{
	/* From an aligned offset on, since members are read as words. */
	const __u64 begin = kv_dentry_offset(d_seq) & ~7ULL, parent_at = kv_dentry_offset(d_parent);
	const __u64 seq_at = kv_dentry_offset(d_seq.seqcount.sequence);
	const struct dentry *parent;

	kv_walk_read(w, dentry, begin, parent_at + sizeof(parent));
	parent = *(const struct dentry **)kv_walk_member(w, begin, parent_at);
	kv_walk_add(w, *(__u32 *)kv_walk_member(w, begin, seq_at));
	kv_walk_add(w, (__u64)parent);
	return parent;
}

static __always_inline void kv_walk_enter(struct kv_walk *w, const struct vfsmount *mnt)
{
	w->mnt = mnt;
	w->mnt_root = BPF_CORE_READ(mnt, mnt_root); /* for as long as there is the mount */
}

/* From a mount's root to its mount point; 1: it has none. */
static __always_inline long kv_walk_cross(struct kv_walk *w)
{
	const struct vfsmount *mnt = w->mnt;
	const struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
	const struct mount *up = BPF_CORE_READ(m, mnt_parent);

	if (up == m || !up)
		return 1;
	w->dentry = BPF_CORE_READ(m, mnt_mountpoint);
	kv_walk_enter(w, (void *)up + bpf_core_field_offset(struct mount, mnt));
	w->first = false;
	kv_walk_add(w, (__u64)w->dentry);
	kv_walk_add(w, (__u64)w->mnt);
	return 0;
}

/*
 * A dentry without parent or mount belongs to a pseudo file: simple_dname(). It is freed without
 * a grace period, unlike its inode. The inode in the sum tells it from a later dentry at the
 * same address.
 */
static __always_inline void kv_walk_pseudo(struct kv_walk *w, const struct dentry *dentry)
{
	w->deleted = true;
	kv_walk_add(w, (__u64)BPF_CORE_READ(dentry, d_inode));
}

/* One step up, as prepend_path() in fs/d_path.c takes it; 1 ends the walk. */
static long kv_walk_step(__u64 i, struct kv_call *c)
{
	struct kv_walk *w = &c->scratch->walk;
	const struct dentry *dentry = w->dentry, *parent;

	if (dentry == w->root_dentry && w->mnt == w->root_mnt)
		return 1;
	if (dentry == w->mnt_root)
		return kv_walk_cross(w);
	parent = w->copies ? kv_walk_first(c, dentry) : kv_walk_again(w, dentry);
	if (dentry == parent) {
		if (w->first)
			kv_walk_pseudo(w, dentry);
		return 1;
	}
	w->first = false;
	w->dentry = parent;
	return 0;
}

static __always_inline void kv_walk_start(struct kv_walk *w, bool copies)
{
	w->dentry = w->from_dentry;
	kv_walk_enter(w, w->from_mnt);
	w->first = true;
	w->copies = copies;
	w->sum = 0;
}

static __always_inline void kv_walk_names(struct kv_call *c)
{
	struct kv_walk *w = &c->scratch->walk;
	const struct dentry *from = w->from_dentry;

	w->moving = 0;
	w->deleted = !BPF_CORE_READ(from, d_hash.pprev) && from != BPF_CORE_READ(from, d_parent);
	kv_walk_begin(w);
	kv_walk_start(w, true);
	w->steps += bpf_loop(KV_PATH_MAX, kv_walk_step, c, 0);
	w->first_sum = w->sum;
	kv_barrier();
	kv_walk_start(w, false);
}

/*
 * The second walk. If both walks met the same, the path was this one for the time between the
 * two.
 */
static __always_inline bool kv_walk_check(struct kv_call *c)
{
	struct kv_walk *w = &c->scratch->walk;

	bpf_loop(KV_PATH_MAX, kv_walk_step, c, 0);
	return w->sum == w->first_sum && !w->moving;
}

/*
 * The beginning of the second walk, up to a mount or a root, by direct reads. They take a tenth
 * of the time, but need a dentry whose type the verifier knows.
 */
#define KV_WALK_DIRECT 12

static __always_inline void kv_walk_direct(struct kv_walk *w, const struct dentry *dentry)
{
	for (int i = 0; i < KV_WALK_DIRECT; i++) {
		const struct dentry *parent = dentry->d_parent;

		w->next = parent;
		asm volatile("" : : : "memory"); /* so w->next is read as a number */
		if (w->dentry == w->root_dentry || w->dentry == w->mnt_root || w->dentry == w->next)
			return;
		kv_walk_add(w, dentry->d_seq.seqcount.sequence);
		kv_walk_add(w, (__u64)w->next);
		w->first = false;
		w->dentry = w->next;
		dentry = parent;
	}
}

static __always_inline void kv_walk_from(struct kv_call *c, const struct vfsmount *mnt,
					 const struct dentry *dentry)
{
	const struct task_struct *self = bpf_get_current_task_btf();
	struct kv_walk *w = &c->scratch->walk;

	w->from_dentry = dentry;
	w->from_mnt = mnt;
	w->steps = 0;
	if (c->scope && c->scope->root_mnt) {
		w->root_dentry = (void *)c->scope->root_dentry;
		w->root_mnt = (void *)c->scope->root_mnt;
	} else {
		w->root_dentry = self->fs->root.dentry;
		w->root_mnt = self->fs->root.mnt;
	}
}

/*
 * A rename takes longer than a walk, unless the path is long. So a process that renames without
 * end disturbs few walks, but for those during a rename whose CPU a hypervisor has taken away for
 * a moment: hence so many tries. The limit of steps bounds the time that the kernel spends without
 * a pause.
 */
#define KV_WALK_TRIES 2048
#define KV_WALK_STEPS (4 * KV_PATH_MAX)
#define KV_WALK_LONG 1000

static long kv_walk_try(__u64 i, struct kv_call *c)
{
	struct kv_walk *w = &c->scratch->walk;

	kv_walk_names(c);
	w->steady = kv_walk_check(c);
	return w->steady || w->steps > KV_WALK_STEPS;
}

static __always_inline void kv_walk_go(struct kv_call *c, struct kv_str *s)
{
	struct kv_walk *w = &c->scratch->walk;

	if (!w->steady)
		bpf_loop(KV_WALK_TRIES, kv_walk_try, c, 0);
	if (!w->steady)
		w->failed = KV_STR_UNREADABLE;
	if (w->steps > KV_WALK_LONG)
		kv_look_soon(c->scope);
	kv_walk_end(c, s);
}

/**
 * kv_put_path_racy() - append a path that may go away meanwhile
 * @mnt, @dentry: may be stale
 *
 * Every step is a read that may fail but cannot crash. bpf_d_path() could crash: since 6.7
 * (SLAB_TYPESAFE_BY_RCU, 0ede61d8589c) it would follow a dentry pointer of a file that was
 * freed and reused.
 *
 * The kernel walks again if a rename or a mount happened meanwhile (rename_lock, mount_lock),
 * and so does this. If no two walks agree, the path is (unreadable).
 */
static __always_inline void kv_put_path_racy(struct kv_call *c, struct kv_str *s,
					     const struct vfsmount *mnt,
					     const struct dentry *dentry)
{
	kv_walk_from(c, mnt, dentry);
	c->scratch->walk.steady = false;
	kv_walk_go(c, s);
}

/**
 * kv_put_path_typed() - the same, faster
 * @dentry: loaded through pointers from the program's context, so that the verifier knows its
 *	    type: not read by BPF_CORE_READ()
 */
static __always_inline void kv_put_path_typed(struct kv_call *c, struct kv_str *s,
					      const struct vfsmount *mnt,
					      const struct dentry *dentry)
{
	struct kv_walk *w = &c->scratch->walk;

	kv_walk_from(c, mnt, dentry);
	kv_walk_names(c);
	kv_walk_direct(w, dentry);
	w->steady = kv_walk_check(c);
	kv_walk_go(c, s);
}

static __always_inline void kv_put_d_path(struct kv_call *c, struct kv_str *s, struct path *p)
{
	char *room = kv_room(c, KV_PATH_MAX);
	long n = bpf_d_path(p, room ? room : c->scratch->path, KV_PATH_MAX);

	if (n > 0 && room) {
		kv_took(c, s, n - 1); /* it counts the NUL */
	} else if (n > 0) {
		kv_took_far(c, s, c->scratch->path, n - 1);
	} else { /* -ENAMETOOLONG is all it returns */
		s->len = 0;
		s->off = n == -36 ? KV_STR_TOO_LONG : KV_STR_UNREADABLE;
	}
}

/*
 * Does the file system make the name (d_dname), whatever the reader's root? As in d_path() of
 * fs/d_path.c, not if the file is mounted on another one.
 */
static __always_inline bool kv_has_own_name(const struct vfsmount *mnt, const struct dentry *dentry)
{
	if (!BPF_CORE_READ(dentry, d_op, d_dname))
		return false;
	return BPF_CORE_READ(dentry, d_parent) != dentry || BPF_CORE_READ(mnt, mnt_root) != dentry;
}

/**
 * kv_put_path() - append a path by the kernel's own d_path
 * @p: must stay referenced for the whole call: a file that the iterator holds
 *
 * bpf_d_path() gives what /proc shows (pipe:[1], anon_inode:x, "(deleted)"), but from the root
 * of the thread that runs the program. For a reader with another root the path is walked here,
 * unless the file system makes the name. bpf_d_path() also follows the pointers that it is
 * given: for a path that the iterator does not hold there is kv_put_path_racy().
 */
static __always_inline void kv_put_path(struct kv_call *c, struct kv_str *s, struct path *p)
{
	struct dentry *dentry = p->dentry;
	struct vfsmount *mnt = p->mnt;

	if (c->scope && c->scope->root_mnt && !kv_has_own_name(mnt, dentry))
		kv_put_path_typed(c, s, mnt, dentry);
	else
		kv_put_d_path(c, s, p);
}

/*
 * A path walked once serves all rows that repeat it: the threads of a process, the processes
 * of a cgroup. Per reading thread, one run at a time.
 */
#define KV_KEY_MAX 8

struct kv_kept {
	__u64 key
		[KV_KEY_MAX]; /* all that the walk began with, so that a reused address is not mistaken */
	__u64 len;
	char path[KV_PATH_MAX];
};

/* kv_put_kept() - append the path that was kept under the @n words of @key; false: there is none */
static __always_inline bool kv_put_kept(struct kv_call *c, struct kv_str *s,
					const struct kv_kept *kept, const __u64 *key, int n)
{
	for (int i = 0; i < n; i++)
		if (kept->key[i] != key[i])
			return false;
	kv_put_bytes(c, s, kept->path, kept->len);
	return true;
}

/* kv_keep() - keep the path just put under @key, unless it is (too long) or (unreadable) */
static __always_inline void kv_keep(struct kv_call *c, const struct kv_str *s, struct kv_kept *kept,
				    const __u64 *key, int n)
{
	__u64 off = s->off, len = s->len, split = c->scratch->split;
	struct kv_buffer *part = c->record;

	if (off >= KV_STR_UNREADABLE)
		return;
	if (split && off >= split) {
		off -= split;
		part = kv_second_buffer();
	}
	kv_opaque(off);
	kv_opaque(len);
	if (!part || len > KV_PATH_MAX || off > sizeof(part->bytes) - KV_PATH_MAX)
		return;
	bpf_probe_read_kernel(kept->path, len, part->bytes + off);
	kept->len = len;
	for (int i = 0; i < n; i++)
		kept->key[i] = key[i];
}

#endif
