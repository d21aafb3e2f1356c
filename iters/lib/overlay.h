/* SPDX-License-Identifier: GPL-2.0-only */
/* stat(2) on overlayfs: ovl_getattr() in fs/overlayfs/inode.c. Included by stat.h. */
#ifndef KVIEW_OVERLAY_H
#define KVIEW_OVERLAY_H

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ovl_sb { /* a file system that layers lie on */
	__u32 pseudo_dev;
};

struct ovl_fs {
	struct ovl_sb *fs;
	int xino_mode;
};

struct ovl_layer {
	int fsid;
};

struct ovl_path {
	const struct ovl_layer *layer;
	struct dentry *dentry;
};

struct ovl_entry { /* the layers below */
	unsigned int __numlower;
	struct ovl_path __lowerstack[1];
};

struct ovl_inode {
	unsigned long flags;
	struct inode vfs_inode;
	struct dentry *__upperdentry;
	struct ovl_entry *oe;
};

enum ovl_inode_flag {
	OVL_INDEX,
	OVL_UPPERDATA,
	OVL_CONST_INO,
};

/* The layers moved from the dentry to the inode in 6.5 (0af950f57fef). Kept for: 6.1. */
struct ovl_entry___old {
	unsigned int numlower;
	struct ovl_path lowerstack[1];
};

#pragma clang attribute pop
#pragma clang diagnostic pop

static __always_inline bool kv_knows_layers(void)
{
	if (kv_knows(ovl_inode, oe))
		return kv_knows(ovl_entry, __numlower) && kv_knows(ovl_entry, __lowerstack);
	return kv_knows(ovl_entry___old, numlower) && kv_knows(ovl_entry___old, lowerstack) &&
	       kv_knows(dentry, d_fsdata);
}

static __always_inline bool kv_knows_overlay(void)
{
	return kv_knows_layers() && kv_knows(ovl_inode, vfs_inode) && kv_knows(ovl_inode, flags) &&
	       kv_knows(ovl_inode, __upperdentry) && kv_knows(ovl_path, layer) &&
	       kv_knows(ovl_path, dentry) && kv_knows(ovl_layer, fsid) && kv_knows(ovl_fs, fs) &&
	       kv_knows(ovl_fs, xino_mode) && kv_knows(ovl_sb, pseudo_dev) &&
	       bpf_core_enum_value_exists(enum ovl_inode_flag, OVL_INDEX) &&
	       bpf_core_enum_value_exists(enum ovl_inode_flag, OVL_UPPERDATA) &&
	       bpf_core_enum_value_exists(enum ovl_inode_flag, OVL_CONST_INO);
}

/* A file of overlayfs and its files in the layers. */
struct kv_layers {
	const struct inode *inode, *real, *lower;
	__u64 flags;
	__u64 is_dir;
	__u64 is_upper;
	__u64 lowers;
	__s64 lower_fs; /* of the uppermost of these */
};

static __always_inline bool kv_ovl_flag(const struct kv_layers *l, __u64 bit)
{
	return l->flags >> (bit & 63) & 1;
}

#define KV_OVL_FLAG(layers, name) \
	kv_ovl_flag(layers, bpf_core_enum_value(enum ovl_inode_flag, name))

static __always_inline void kv_find_lowers(struct kv_layers *l, const struct ovl_inode *o,
					   const struct dentry *dentry,
					   const struct ovl_layer **layer,
					   const struct dentry **lower)
{
	const struct ovl_entry___old *old;
	const struct ovl_entry *e;

	if (bpf_core_field_exists(o->oe)) {
		e = BPF_CORE_READ(o, oe);
		l->lowers = BPF_CORE_READ(e, __numlower);
		*layer = BPF_CORE_READ(e, __lowerstack[0].layer);
		*lower = BPF_CORE_READ(e, __lowerstack[0].dentry);
	} else {
		old = BPF_CORE_READ(dentry, d_fsdata);
		l->lowers = BPF_CORE_READ(old, numlower);
		*layer = BPF_CORE_READ(old, lowerstack[0].layer);
		*lower = BPF_CORE_READ(old, lowerstack[0].dentry);
	}
}

static __always_inline void kv_find_layers(struct kv_layers *l, const struct inode *inode,
					   const struct dentry *dentry)
{
	const struct ovl_inode *o = KV_CONTAINER(inode, struct ovl_inode, vfs_inode);
	const struct dentry *upper = BPF_CORE_READ(o, __upperdentry);
	const struct dentry *real = upper;
	const struct ovl_layer *layer = NULL;
	const struct dentry *lower = NULL;

	l->inode = inode;
	l->flags = BPF_CORE_READ(o, flags);
	l->is_dir = (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFDIR;
	l->is_upper = upper != NULL;
	kv_find_lowers(l, o, dentry, &layer, &lower);
	if (l->lowers) {
		l->lower_fs = BPF_CORE_READ(layer, fsid);
		l->lower = BPF_CORE_READ(lower, d_inode);
		real = upper ? upper : lower;
	}
	l->real = BPF_CORE_READ(real, d_inode);
}

/* Unknown if the contents are in another layer than the inode (metacopy). */
static __always_inline __s64 kv_ovl_blocks(const struct kv_layers *l)
{
	const struct inode *real = l->real;

	if (!l->is_dir &&
	    (l->is_upper ? l->lowers && !KV_OVL_FLAG(l, OVL_UPPERDATA) : l->lowers > 1))
		return -1;
	return kv_blocks(real, BPF_CORE_READ(real, i_sb, s_magic), BPF_CORE_READ(real, i_blocks));
}

static __always_inline __u64 kv_ovl_nlink(const struct kv_layers *l)
{
	const struct inode *tells = !l->is_dir && KV_OVL_FLAG(l, OVL_INDEX) ? l->inode : l->real;

	if (l->is_dir && l->lowers + l->is_upper > 1)
		return 1;
	return BPF_CORE_READ(tells, i_nlink);
}

/* A file that was copied up keeps its inode number, unless it had other links below. */
static __always_inline bool kv_is_numbered_below(const struct kv_layers *l)
{
	return !l->is_upper || (l->lowers && KV_OVL_FLAG(l, OVL_CONST_INO));
}

/* ovl_map_dev_ino(). The overlay inode has the number that the file had when it was looked up. */
static __always_inline __u64 kv_ovl_ino(const struct kv_layers *l)
{
	const struct inode *tells = l->is_dir || kv_is_numbered_below(l) ? l->inode : l->real;

	return BPF_CORE_READ(tells, i_ino);
}

static __always_inline __u64 kv_ovl_dev(const struct kv_layers *l)
{
	const struct inode *inode = l->inode;
	const struct inode *numbered = kv_is_numbered_below(l) ? l->lower : l->real;
	const struct ovl_fs *o = BPF_CORE_READ(inode, i_sb, s_fs_info);
	const struct ovl_sb *layers = BPF_CORE_READ(o, fs);
	int xino = BPF_CORE_READ(o, xino_mode);
	__u64 id = 0;

	if (l->is_dir || !xino ||
	    (xino > 0 && !(BPF_CORE_READ(numbered, i_ino) >> ((64 - xino) & 63))))
		return BPF_CORE_READ(inode, i_sb, s_dev);
	if (kv_is_numbered_below(l))
		id = l->lower_fs;
	layers = (void *)layers + id * bpf_core_type_size(struct ovl_sb);
	return BPF_CORE_READ(layers, pseudo_dev);
}

static __always_inline bool kv_is_overlay(const struct inode *inode)
{
	return BPF_CORE_READ(inode, i_sb, s_magic) == OVERLAYFS_SUPER_MAGIC;
}

static __always_inline void kv_stat_overlay(struct KV_STAT_VIEW *r, const struct inode *inode,
					    const struct dentry *dentry)
{
	struct kv_layers l = {};

	r->blocks = -1;
	if (!kv_knows_overlay())
		return; /* the plain values hold if all layers are on one file system, as usual */
	kv_find_layers(&l, inode, dentry);
	/* A layer that is overlayfs again would need the same once more. */
	if (!l.real || kv_is_overlay(l.real) || (l.lower && kv_is_overlay(l.lower))) {
		r->dev = KV_DEV_UNKNOWN;
		r->ino = r->size = r->nlink = -1;
		return;
	}
	kv_set(r, dev, kv_ovl_dev(&l));
	kv_set(r, ino, kv_ovl_ino(&l));
	kv_set(r, size, kv_size(l.real));
	kv_set(r, nlink, kv_ovl_nlink(&l));
	kv_set(r, blocks, kv_ovl_blocks(&l));
}

#endif
