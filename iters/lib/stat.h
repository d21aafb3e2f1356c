/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stat(2) says of a file, where its file system answers with more than the inode. The
 * types may be a module's: if it was loaded after this program, or has changed them, they are
 * unknown here, and the files of that file system alone have no value.
 *
 * Included behind the record of a view that has the columns dev, ino, size, nlink and blocks,
 * with KV_STAT_VIEW defined as its name: its struct's, as in kv_has().
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

struct kv_spinlock {
	__u32 is_held; /* not 0 */
};

struct btrfs_inode {
	struct btrfs_root *root;
	struct kv_spinlock lock;
	__u64 new_delalloc_bytes;
	struct inode vfs_inode;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

#define KV_CONTAINER(object, type, member) \
	((const type *)((void *)(object)-bpf_core_field_offset(type, member)))

static __always_inline bool kv_knows_ext4(void)
{
	return kv_knows(ext4_inode_info, vfs_inode) &&
	       kv_knows(ext4_inode_info, i_reserved_data_blocks) &&
	       kv_knows(ext4_inode_info, i_inline_off) && kv_knows(ext4_inode_info, i_flags) &&
	       kv_knows(ext4_sb_info, s_cluster_bits);
}

static __always_inline bool kv_knows_xfs(void)
{
	return kv_knows(xfs_inode, i_vnode) && kv_knows(xfs_inode, i_nblocks) &&
	       kv_knows(xfs_inode, i_delayed_blks) && kv_knows(xfs_inode, i_disk_size);
}

static __always_inline bool kv_knows_btrfs(void)
{
	return kv_knows(btrfs_inode, vfs_inode) && kv_knows(btrfs_inode, root) &&
	       kv_knows(btrfs_inode, lock) && kv_knows(btrfs_inode, new_delalloc_bytes) &&
	       kv_knows(btrfs_root, anon_dev);
}

static __always_inline __u64 kv_round_up(__u64 bytes, __u64 block)
{
	return (bytes + block - 1) & ~(block - 1);
}

/* The ext2 driver has the same magic but other inodes, and delays no allocation. */
static __always_inline bool kv_is_ext4(const struct inode *inode)
{
	const char *name = BPF_CORE_READ(inode, i_sb, s_type, name);
	char chars[4] = {};

	bpf_probe_read_kernel(chars, sizeof(chars), name);
	return chars[3] == '4' || chars[3] == '3';
}

#define EXT4_INODE_INLINE_DATA (1 << 28)
#define EXT4_BLOCK_MAX 65536

/*
 * ext4_file_getattr(): i_blocks lacks data that has no block yet, or is in the inode. Few files
 * have such data, so the driver is checked last.
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
	/* A file with data in its inode may have one block, of attributes. */
	is_inline = blocks <= EXT4_BLOCK_MAX / 512 && BPF_CORE_READ(e, i_inline_off);
	if ((!reserved && !is_inline) || !kv_is_ext4(inode) ||
	    (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG)
		return blocks;
	if (is_inline && (BPF_CORE_READ(e, i_flags) & EXT4_INODE_INLINE_DATA))
		blocks += kv_round_up(BPF_CORE_READ(inode, i_size), 512) / 512;
	if (!reserved)
		return blocks;
	kv_barrier();
	blocks = BPF_CORE_READ(inode, i_blocks); /* some may have been allocated meanwhile */
	sb = BPF_CORE_READ(inode, i_sb, s_fs_info);
	shift = BPF_CORE_READ(sb, s_cluster_bits) + BPF_CORE_READ(inode, i_blkbits) - 9;
	return blocks + (reserved << (shift & 63));
}

#define KV_STAT_TRIES 8

/*
 * xfs_vn_getattr(): XFS does not keep i_blocks. Writing to the disk moves blocks from
 * i_delayed_blks to i_nblocks.
 */
static __always_inline __s64 kv_xfs_blocks(const struct inode *inode)
{
	const struct xfs_inode *x;
	__u64 delayed, blocks = 0;

	if (!kv_knows_xfs())
		return -1;
	x = KV_CONTAINER(inode, struct xfs_inode, i_vnode);
	for (int i = 0; i < KV_STAT_TRIES; i++) {
		delayed = BPF_CORE_READ(x, i_delayed_blks);
		kv_barrier();
		blocks = BPF_CORE_READ(x, i_nblocks) + delayed;
		kv_barrier();
		if (!delayed || delayed == BPF_CORE_READ(x, i_delayed_blks))
			break;
	}
	return blocks << ((BPF_CORE_READ(inode, i_blkbits) - 9) & 63);
}

/* Writing to the disk moves bytes from @delayed to the others, under a lock of the inode. */
struct kv_btrfs_bytes {
	__u64 is_held;
	__u64 blocks, bytes, delayed;
};

static __always_inline void kv_btrfs_read(struct kv_btrfs_bytes *b, const struct inode *inode)
{
	const struct btrfs_inode *own = KV_CONTAINER(inode, struct btrfs_inode, vfs_inode);

	b->is_held = 0;
	bpf_probe_read_kernel(&b->is_held, sizeof(__u32),
			      (void *)own + bpf_core_field_offset(struct btrfs_inode, lock));
	kv_barrier();
	b->blocks = BPF_CORE_READ(inode, i_blocks);
	b->bytes = BPF_CORE_READ(inode, i_bytes);
	b->delayed = BPF_CORE_READ(own, new_delalloc_bytes);
}

/* btrfs_getattr(): whole blocks, of data on the disk and of data that is not written yet. */
static __always_inline __s64 kv_btrfs_blocks(const struct inode *inode)
{
	__u64 block = 1ULL << (BPF_CORE_READ(inode, i_blkbits) & 63);
	struct kv_btrfs_bytes b, again;

	if (!kv_knows_btrfs())
		return -1;
	kv_btrfs_read(&again, inode);
	for (int i = 0; i < KV_STAT_TRIES; i++) {
		b = again;
		kv_barrier();
		kv_btrfs_read(&again, inode);
		if (!b.is_held && !again.is_held && b.blocks == again.blocks &&
		    b.bytes == again.bytes && b.delayed == again.delayed)
			break;
	}
	/* For a directory that member is something else. */
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG)
		b.delayed = 0;
	return (kv_round_up((b.blocks << 9) + b.bytes, block) + kv_round_up(b.delayed, block)) >> 9;
}

/* stat(2) has another size than i_size for directories of XFS. */
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

#define KV_DEV_UNKNOWN 0xffffffff /* not 0, which is the device of a deleted subvolume */

/* Each subvolume of btrfs has a device of its own. */
static __always_inline __u64 kv_btrfs_dev(const struct inode *inode)
{
	const struct btrfs_inode *b;

	if (!kv_knows_btrfs())
		return KV_DEV_UNKNOWN;
	b = KV_CONTAINER(inode, struct btrfs_inode, vfs_inode);
	return BPF_CORE_READ(b, root, anon_dev);
}

/* @blocks: i_blocks */
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

#include "overlay.h"

/* The same for these file systems. Not static, so that it is verified once (see kv_find_pid()). */
__noinline int kv_stat_special(struct KV_STAT_VIEW *r, __u64 inode_address, __u64 dentry,
			       __u64 magic)
{
	const struct inode *inode = (void *)inode_address;

	if (!r)
		return 0;
	if (magic == OVERLAYFS_SUPER_MAGIC) {
		kv_stat_overlay(r, inode, (void *)dentry);
		return 0;
	}
	if (magic == BTRFS_SUPER_MAGIC)
		kv_set(r, dev, kv_btrfs_dev(inode));
	if (magic == XFS_SUPER_MAGIC)
		kv_set(r, size, kv_size(inode));
	kv_set(r, blocks, kv_blocks(inode, magic, r->blocks));
	return 0;
}

/**
 * kv_stat_of() - fill the columns from a file's stat(2); -1: unknown
 * @inode: of a file that is held
 * @dentry: likewise
 */
static __always_inline void kv_stat_of(struct KV_STAT_VIEW *r, struct inode *inode,
				       const struct dentry *dentry)
{
	const struct super_block *sb = inode->i_sb;
	unsigned long magic = sb->s_magic;

	kv_set(r, dev, sb->s_dev);
	kv_set(r, ino, inode->i_ino);
	kv_set(r, size, inode->i_size);
	kv_set(r, nlink, inode->i_nlink);
	kv_set(r, blocks, inode->i_blocks);
	if (magic == EXT4_SUPER_MAGIC || magic == XFS_SUPER_MAGIC || magic == BTRFS_SUPER_MAGIC ||
	    magic == OVERLAYFS_SUPER_MAGIC)
		kv_stat_special(r, kv_address(inode), kv_address(dentry), magic);
}

#endif
