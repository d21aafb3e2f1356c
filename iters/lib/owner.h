/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The owner of a file as stat(2) tells it. A mount may show other owners than its file system
 * stores (mount_setattr(2), MOUNT_ATTR_IDMAP).
 *
 * Included behind the record of a view that has the column owner, with KV_OWNER_VIEW defined as
 * the name of its struct.
 */
#ifndef KVIEW_OWNER_H
#define KVIEW_OWNER_H

#include "process.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block___of_user {
	struct user_namespace *s_user_ns;
};

struct inode___owned {
	kuid_t i_uid;
};

/* 6.12 has the map itself; between 6.1 and it the mapping's owner has it. Kept for: 6.6. */
struct mnt_idmap___maps {
	struct uid_gid_map uid_map;
};

struct mnt_idmap___owner {
	struct user_namespace *owner;
};

struct vfsmount___idmap {
	struct mnt_idmap *mnt_idmap;
};

/* In 6.1 a namespace is in the mapping's place. Kept for: 6.1. */
struct vfsmount___user_ns {
	struct user_namespace *mnt_userns;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/*
 * How a mount maps ids of its file system to the kernel's; NULL: it does not.
 * @mnt: loaded through pointers from the program's context, so that the verifier knows its type
 */
static __always_inline const struct uid_gid_map *kv_idmap(const struct vfsmount *mnt)
{
	const struct vfsmount___idmap *mount = (void *)mnt;
	const struct uid_gid_map *map;
	const struct user_namespace *ns;
	const struct mnt_idmap___maps *idmap;

	if (kv_knows(vfsmount___user_ns, mnt_userns)) {
		ns = ((struct vfsmount___user_ns *)mnt)->mnt_userns;
	} else {
		idmap = (void *)mount->mnt_idmap;
		if (!kv_knows(mnt_idmap___owner, owner)) {
			map = &idmap->uid_map;
			return map->nr_extents ? map : NULL;
		}
		ns = ((struct mnt_idmap___owner *)idmap)->owner;
	}
	if (!ns->level)
		return NULL;
	return (void *)ns + bpf_core_field_offset(struct user_namespace, uid_map);
}

/* As make_vfsuid() in fs/mnt_idmapping.c. Not static, so that it is verified once. */
__noinline int kv_mapped_owner(__u64 inode_address, __u64 map, __u32 uid)
{
	const struct inode *inode = (void *)inode_address;
	const struct super_block___of_user *sb;
	const struct user_namespace *ns;

	if (!inode || !kv_has(KV_OWNER_VIEW, owner))
		return 0;
	sb = (void *)BPF_CORE_READ(inode, i_sb);
	ns = BPF_CORE_READ(sb, s_user_ns);
	if (BPF_CORE_READ(ns, level))
		uid = kv_map_id(ns, false, uid, false);
	return uid == KV_NOBODY ? uid : kv_map_by((void *)map, uid, true);
}

#define KV_OVERFLOW_UID 65534

/**
 * kv_owner() - the owner of a file that is held, as the reader sees it
 * @mnt: through which the file is open, as in kv_idmap()
 */
static __always_inline __u32 kv_owner(const struct kv_call *c, const struct inode *inode,
				      const struct vfsmount *mnt)
{
	const struct uid_gid_map *map = kv_idmap(mnt);
	__u32 uid = ((const struct inode___owned *)inode)->i_uid.val;

	if (map)
		uid = kv_mapped_owner(kv_address(inode), kv_address(map), uid);
	if (uid == KV_NOBODY)
		return c->scope ? c->scope->overflow_uid : KV_OVERFLOW_UID;
	return kv_uid(c, uid);
}

#endif
