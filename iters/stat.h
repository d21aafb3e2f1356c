/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stat(2) says of a file, where its file system answers with more than the inode. The
 * types may be a module's, and are its own affair: of one that was loaded later than this
 * program, or has changed them, nothing is known, and only its files have no value then.
 */
#ifndef KVIEW_STAT_H
#define KVIEW_STAT_H

#include "kview.h"

#define EXT4_SUPER_MAGIC 0xEF53
#define XFS_SUPER_MAGIC 0x58465342
#define BTRFS_SUPER_MAGIC 0x9123683E
#define OVERLAYFS_SUPER_MAGIC 0x794c7630

#define S_IFMT 0170000
#define S_IFDIR 0040000
#define S_IFREG 0100000

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ext4_sb_info {
	unsigned int s_cluster_bits;
};

struct ext4_inode_info {
	unsigned long i_flags;
	struct inode vfs_inode;
	unsigned int i_reserved_data_blocks;
	__u16 i_inline_off;
};

struct xfs_inode {
	__u64 i_delayed_blks;
	long long i_disk_size;
	__u64 i_nblocks;
	struct inode i_vnode;
};

struct btrfs_root {
	__u32 anon_dev;
};

struct btrfs_inode {
	struct btrfs_root *root;
	__u64 new_delalloc_bytes;
	struct inode vfs_inode;
};

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

struct kv_stat {
	__u64 dev; /* 0: unknown */
	__u64 ino;
	__s64 size; /* -1: unknown */
	__u64 nlink;
	__s64 blocks; /* of 512 bytes; -1: unknown */
};

enum kv_stat_member {
	KV_STAT_DEV = 1,
	KV_STAT_INO = 2,
	KV_STAT_SIZE = 4,
	KV_STAT_NLINK = 8,
	KV_STAT_BLOCKS = 16,
};

/* Each view that includes this defines it, behind its record: which of these are columns? */
static __always_inline __u32 kv_stat_columns(void);

#define KV_CONTAINER(object, type, member) \
	((const type *)((void *)(object)-bpf_core_field_offset(type, member)))

static __always_inline bool kv_knows_ext4(void)
{
	return bpf_core_field_exists(struct ext4_inode_info, vfs_inode) &&
	       bpf_core_field_exists(struct ext4_inode_info, i_reserved_data_blocks) &&
	       bpf_core_field_exists(struct ext4_inode_info, i_inline_off) &&
	       bpf_core_field_exists(struct ext4_inode_info, i_flags) &&
	       bpf_core_field_exists(struct ext4_sb_info, s_cluster_bits);
}

static __always_inline bool kv_knows_xfs(void)
{
	return bpf_core_field_exists(struct xfs_inode, i_vnode) &&
	       bpf_core_field_exists(struct xfs_inode, i_nblocks) &&
	       bpf_core_field_exists(struct xfs_inode, i_delayed_blks) &&
	       bpf_core_field_exists(struct xfs_inode, i_disk_size);
}

static __always_inline bool kv_knows_btrfs(void)
{
	return bpf_core_field_exists(struct btrfs_inode, vfs_inode) &&
	       bpf_core_field_exists(struct btrfs_inode, root) &&
	       bpf_core_field_exists(struct btrfs_inode, new_delalloc_bytes) &&
	       bpf_core_field_exists(struct btrfs_root, anon_dev);
}

static __always_inline bool kv_knows_layers(void)
{
	if (bpf_core_field_exists(struct ovl_inode, oe))
		return bpf_core_field_exists(struct ovl_entry, __numlower) &&
		       bpf_core_field_exists(struct ovl_entry, __lowerstack);
	return bpf_core_field_exists(struct ovl_entry___old, numlower) &&
	       bpf_core_field_exists(struct ovl_entry___old, lowerstack) &&
	       bpf_core_field_exists(struct dentry, d_fsdata);
}

static __always_inline bool kv_knows_overlay(void)
{
	return kv_knows_layers() && bpf_core_field_exists(struct ovl_inode, vfs_inode) &&
	       bpf_core_field_exists(struct ovl_inode, flags) &&
	       bpf_core_field_exists(struct ovl_inode, __upperdentry) &&
	       bpf_core_field_exists(struct ovl_path, layer) &&
	       bpf_core_field_exists(struct ovl_path, dentry) &&
	       bpf_core_field_exists(struct ovl_layer, fsid) &&
	       bpf_core_field_exists(struct ovl_fs, fs) &&
	       bpf_core_field_exists(struct ovl_fs, xino_mode) &&
	       bpf_core_field_exists(struct ovl_sb, pseudo_dev) &&
	       bpf_core_enum_value_exists(enum ovl_inode_flag, OVL_INDEX) &&
	       bpf_core_enum_value_exists(enum ovl_inode_flag, OVL_UPPERDATA) &&
	       bpf_core_enum_value_exists(enum ovl_inode_flag, OVL_CONST_INO);
}

static __always_inline __u64 kv_round_up(__u64 bytes, __u64 block)
{
	return (bytes + block - 1) & ~(block - 1);
}

/* ext2's own driver has the same number and other inodes. It delays nothing. */
static __always_inline bool kv_is_ext4(const struct inode *inode)
{
	const char *name = BPF_CORE_READ(inode, i_sb, s_type, name);
	char chars[4] = {};

	bpf_probe_read_kernel(chars, sizeof(chars), name);
	return chars[3] == '4' || chars[3] == '3';
}

#define EXT4_INODE_INLINE_DATA (1 << 28)

/*
 * ext4_file_getattr(): what is not written yet has no place, and a small file may need none.
 * Few files have any of that, so whose inode it is is asked last.
 */
static __always_inline __s64 kv_ext4_blocks(const struct inode *inode, __s64 blocks)
{
	const struct ext4_inode_info *e;
	const struct ext4_sb_info *sb;
	__u64 reserved, is_inline;
	__u32 shift;

	if (!kv_knows_ext4())
		return kv_is_ext4(inode) ? -1 : blocks;
	e = KV_CONTAINER(inode, struct ext4_inode_info, vfs_inode);
	reserved = BPF_CORE_READ(e, i_reserved_data_blocks);
	is_inline = !blocks && BPF_CORE_READ(e, i_inline_off);
	if ((!reserved && !is_inline) || !kv_is_ext4(inode) ||
	    (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG)
		return blocks;
	if (is_inline && (BPF_CORE_READ(e, i_flags) & EXT4_INODE_INLINE_DATA))
		blocks = kv_round_up(BPF_CORE_READ(inode, i_size), 512) / 512;
	if (!reserved)
		return blocks;
	sb = BPF_CORE_READ(inode, i_sb, s_fs_info);
	shift = BPF_CORE_READ(sb, s_cluster_bits) + BPF_CORE_READ(inode, i_blkbits) - 9;
	return blocks + (reserved << (shift & 63));
}

/* xfs_vn_getattr(): the inode's own count is not kept. */
static __always_inline __s64 kv_xfs_blocks(const struct inode *inode)
{
	const struct xfs_inode *x;

	if (!kv_knows_xfs())
		return -1;
	x = KV_CONTAINER(inode, struct xfs_inode, i_vnode);
	return (BPF_CORE_READ(x, i_nblocks) + BPF_CORE_READ(x, i_delayed_blks))
	       << ((BPF_CORE_READ(inode, i_blkbits) - 9) & 63);
}

/* btrfs_getattr(): whole blocks, of what lies there and of what is not written yet. */
static __always_inline __s64 kv_btrfs_blocks(const struct inode *inode)
{
	__u64 block = 1ULL << (BPF_CORE_READ(inode, i_blkbits) & 63);
	__u64 bytes = (BPF_CORE_READ(inode, i_blocks) << 9) + BPF_CORE_READ(inode, i_bytes);
	const struct btrfs_inode *b;

	if (!kv_knows_btrfs())
		return -1;
	b = KV_CONTAINER(inode, struct btrfs_inode, vfs_inode);
	return (kv_round_up(bytes, block) +
		kv_round_up(BPF_CORE_READ(b, new_delalloc_bytes), block)) >>
	       9;
}

/* The same of a directory's size. */
static __always_inline __s64 kv_size(const struct inode *inode)
{
	const struct xfs_inode *x;

	if (BPF_CORE_READ(inode, i_sb, s_magic) != XFS_SUPER_MAGIC ||
	    (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFDIR)
		return BPF_CORE_READ(inode, i_size);
	if (!kv_knows_xfs())
		return -1;
	x = KV_CONTAINER(inode, struct xfs_inode, i_vnode);
	return BPF_CORE_READ(x, i_disk_size);
}

/* Each subvolume of btrfs has a device of its own. */
static __always_inline __u64 kv_btrfs_dev(const struct inode *inode)
{
	const struct btrfs_inode *b;

	if (!kv_knows_btrfs())
		return 0;
	b = KV_CONTAINER(inode, struct btrfs_inode, vfs_inode);
	return BPF_CORE_READ(b, root, anon_dev);
}

/* @blocks: as the inode has them */
static __always_inline __s64 kv_blocks(const struct inode *inode, __u64 magic, __s64 blocks)
{
	switch (magic) {
	case EXT4_SUPER_MAGIC:
		return kv_ext4_blocks(inode, blocks);
	case XFS_SUPER_MAGIC:
		return kv_xfs_blocks(inode);
	case BTRFS_SUPER_MAGIC:
		return kv_btrfs_blocks(inode);
	case OVERLAYFS_SUPER_MAGIC:
		return -1;
	default:
		return blocks;
	}
}

/* --- overlayfs: ovl_getattr() in fs/overlayfs/inode.c --- */

/* A file and what of it lies in the layers. */
struct kv_layers {
	const struct inode *inode, *real;
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
		real = upper ? upper : lower;
	}
	l->real = BPF_CORE_READ(real, d_inode);
}

/* Of a file whose contents lie in another layer than it does (metacopy) they are unknown. */
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

/* A file that was copied up keeps the number that it had below, unless it had other links there. */
static __always_inline bool kv_is_numbered_below(const struct kv_layers *l)
{
	return !l->is_upper || (l->lowers && KV_OVL_FLAG(l, OVL_CONST_INO));
}

/* ovl_map_dev_ino(), as @ino: what the inode has is of the file as it was first looked up. */
static __always_inline __u64 kv_ovl_ino(const struct kv_layers *l)
{
	const struct inode *tells = l->is_dir || kv_is_numbered_below(l) ? l->inode : l->real;

	return BPF_CORE_READ(tells, i_ino);
}

static __always_inline __u64 kv_ovl_dev(const struct kv_layers *l)
{
	const struct inode *inode = l->inode, *real = l->real;
	const struct ovl_fs *o = BPF_CORE_READ(inode, i_sb, s_fs_info);
	const struct ovl_sb *layers = BPF_CORE_READ(o, fs);
	int xino = BPF_CORE_READ(o, xino_mode);
	__u64 id = 0;

	if (l->is_dir || !xino || (xino > 0 && !(BPF_CORE_READ(real, i_ino) >> ((64 - xino) & 63))))
		return BPF_CORE_READ(inode, i_sb, s_dev);
	if (kv_is_numbered_below(l))
		id = l->lower_fs;
	layers = (void *)layers + id * bpf_core_type_size(struct ovl_sb);
	return BPF_CORE_READ(layers, pseudo_dev);
}

static __always_inline void kv_stat_overlay(struct kv_stat *st, const struct inode *inode,
					    const struct dentry *dentry)
{
	struct kv_layers l = {};

	st->blocks = -1;
	if (!kv_knows_overlay())
		return; /* most have all layers on one file system */
	kv_find_layers(&l, inode, dentry);
	if (!l.real)
		return;
	if (kv_stat_columns() & KV_STAT_DEV)
		st->dev = kv_ovl_dev(&l);
	if (kv_stat_columns() & KV_STAT_INO)
		st->ino = kv_ovl_ino(&l);
	if ((kv_stat_columns() & KV_STAT_SIZE) && l.is_dir)
		st->size = kv_size(l.real);
	if (kv_stat_columns() & KV_STAT_NLINK)
		st->nlink = kv_ovl_nlink(&l);
	if (kv_stat_columns() & KV_STAT_BLOCKS)
		st->blocks = kv_ovl_blocks(&l);
}

/* As kv_stat_of(), of one of these file systems. Verified once, as in reader.h. */
__noinline int kv_stat_special(struct kv_stat *st, __u64 inode_address, __u64 dentry, __u64 magic)
{
	const struct inode *inode = (void *)inode_address;

	if (!st)
		return 0;
	if (magic == OVERLAYFS_SUPER_MAGIC) {
		kv_stat_overlay(st, inode, (void *)dentry);
		return 0;
	}
	if ((kv_stat_columns() & KV_STAT_DEV) && magic == BTRFS_SUPER_MAGIC)
		st->dev = kv_btrfs_dev(inode);
	if ((kv_stat_columns() & KV_STAT_SIZE) && magic == XFS_SUPER_MAGIC)
		st->size = kv_size(inode);
	if (kv_stat_columns() & KV_STAT_BLOCKS)
		st->blocks = kv_blocks(inode, magic, st->blocks);
	return 0;
}

/**
 * kv_stat_of() - the members of a file's stat(2) that its inode may not tell
 * @st: receives those whose columns there are
 * @inode: of a file that is held
 * @dentry: likewise
 */
static __always_inline void kv_stat_of(struct kv_stat *st, struct inode *inode,
				       const struct dentry *dentry)
{
	const struct super_block *sb = inode->i_sb;
	unsigned long magic = sb->s_magic;

	if (kv_stat_columns() & KV_STAT_DEV)
		st->dev = sb->s_dev;
	if (kv_stat_columns() & KV_STAT_INO)
		st->ino = inode->i_ino;
	if (kv_stat_columns() & KV_STAT_SIZE)
		st->size = inode->i_size;
	if (kv_stat_columns() & KV_STAT_NLINK)
		st->nlink = inode->i_nlink;
	if (kv_stat_columns() & KV_STAT_BLOCKS)
		st->blocks = inode->i_blocks;
	if (magic == EXT4_SUPER_MAGIC || magic == XFS_SUPER_MAGIC || magic == BTRFS_SUPER_MAGIC ||
	    magic == OVERLAYFS_SUPER_MAGIC)
		kv_stat_special(st, kv_address(inode), kv_address(dentry), magic);
}

#endif
