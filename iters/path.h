/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths of files, as readlink in /proc shows them to the reader, that is
 * relative to its root directory.
 */
#ifndef KVIEW_PATH_H
#define KVIEW_PATH_H

#include "kview.h"

/* "/name" in front; @len at most KV_NAME_MAX - 1, as for every file system. */
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
	w->reserved = 1; /* d_path() counts a NUL, and what is added behind */
	if (w->deleted)
		w->reserved += sizeof(" (deleted)") - 1;
}

/* The path that was built, or what became of it, as a string of the record. */
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

/* One step up, as prepend_path() in fs/d_path.c takes it; 1 ends the walk. */
static long kv_walk_step(__u64 i, struct kv_call *c)
{
	struct kv_walk *w = &c->scratch->walk;
	const struct dentry *dentry = w->dentry, *parent;
	const struct vfsmount *mnt = w->mnt;
	struct qstr name = {};

	if (w->failed)
		return 1;
	if (dentry == w->root_dentry && mnt == w->root_mnt)
		return 1;
	parent = BPF_CORE_READ(dentry, d_parent);
	if (dentry == BPF_CORE_READ(mnt, mnt_root)) {
		const struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
		const struct mount *up = BPF_CORE_READ(m, mnt_parent);

		if (up == m || !up)
			return 1;
		w->dentry = BPF_CORE_READ(m, mnt_mountpoint);
		w->mnt = (void *)up + bpf_core_field_offset(struct mount, mnt);
		w->first = false;
		return 0;
	}
	if (dentry == parent && !w->first)
		return 1;
	bpf_core_read(&name, sizeof(name), &dentry->d_name);
	/* A dentry without parent or mount is a pseudo file's: simple_dname(). */
	if (dentry == parent)
		w->deleted = true;
	kv_prepend(c->scratch, name.name, name.hash_len >> 32);
	w->first = false;
	if (dentry == parent)
		return 1;
	w->dentry = parent;
	return 0;
}

/**
 * kv_put_path_racy() - append a path that may be going away meanwhile
 * @mnt, @dentry: may be stale
 *
 * Every step is a read that may fail but cannot crash. Handing such a path to
 * bpf_d_path could: the kernel would follow a dentry pointer out of a file
 * that was freed and used anew since 6.7 (SLAB_TYPESAFE_BY_RCU, 0ede61d8589c).
 */
static __always_inline void kv_put_path_racy(struct kv_call *c, struct kv_str *s,
					     const struct vfsmount *mnt,
					     const struct dentry *dentry)
{
	const struct task_struct *self = bpf_get_current_task_btf();
	struct kv_walk *w = &c->scratch->walk;

	w->dentry = dentry;
	w->mnt = mnt;
	if (c->scope && c->scope->root_mnt) {
		w->root_dentry = (void *)c->scope->root_dentry;
		w->root_mnt = (void *)c->scope->root_mnt;
	} else {
		w->root_dentry = BPF_CORE_READ(self, fs, root.dentry);
		w->root_mnt = BPF_CORE_READ(self, fs, root.mnt);
	}
	w->first = true;
	w->deleted =
		!BPF_CORE_READ(dentry, d_hash.pprev) && dentry != BPF_CORE_READ(dentry, d_parent);
	kv_walk_begin(w);
	bpf_loop(KV_PATH_MAX, kv_walk_step, c, 0);
	kv_walk_end(c, s);
}

static __always_inline void kv_put_d_path(struct kv_call *c, struct kv_str *s, struct path *p)
{
	__u64 off = c->scratch->len;
	long n;

	kv_opaque(off);
	s->len = 0;
	s->off = KV_STR_TOO_LONG;
	if (off > KV_RECORD_MAX - KV_PATH_MAX)
		return;
	n = bpf_d_path(p, c->scratch->record + off, KV_PATH_MAX);
	if (n <= 0) { /* -ENAMETOOLONG is all it returns */
		s->off = n == -36 ? KV_STR_TOO_LONG : KV_STR_UNREADABLE;
		return;
	}
	s->off = off;
	s->len = n - 1; /* counts the NUL */
	c->scratch->len = off + n - 1;
}

/*
 * Does its file system name the file in its own way, wherever it is seen from?
 * As d_path() in fs/d_path.c asks: not where the file is mounted on another.
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
 * bpf_d_path is the full truth (pipe:[1], anon_inode:x, "(deleted)"), but it
 * begins at the root of the thread that runs the program, and it follows the
 * pointers that it is given. For a reader whose root is another the path is
 * walked here, unless its file system names the file in its own way; for a
 * path that nobody holds for us there is kv_put_path_racy().
 */
static __always_inline void kv_put_path(struct kv_call *c, struct kv_str *s, struct path *p)
{
	struct dentry *dentry = p->dentry;
	struct vfsmount *mnt = p->mnt;

	if (c->scope && c->scope->root_mnt && !kv_has_own_name(mnt, dentry))
		kv_put_path_racy(c, s, mnt, dentry);
	else
		kv_put_d_path(c, s, p);
}

#endif
