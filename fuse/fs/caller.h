/* SPDX-License-Identifier: GPL-2.0-only */
/* The caller, which sent a request: who it is, and which members of a group it may reach. */
#ifndef KVIEW_FS_CALLER_H
#define KVIEW_FS_CALLER_H

#include "fuse/fs/ops.h"

/**
 * kv_caller_identify() - identify the caller
 * @reader: on success to be closed with kv_reader_close()
 *
 * The caller waits for our reply, so it has not changed since it sent the request.
 *
 * Return: 0 or -errno; the reason is in the log.
 */
int kv_caller_identify(fuse_req_t req, struct kv_reader *reader);

/**
 * kv_caller_may() - may the caller have what is behind a node, beyond what its mode says?
 *
 * The kernel tells of BPF objects of others only who has CAP_SYS_ADMIN, which root of a container
 * may lack. It is asked for where the mount options name nobody else.
 *
 * Return: 0 or -EPERM.
 */
int kv_caller_may(const struct kv_server *s, const struct kv_node *node,
		  const struct kv_reader *reader);

/**
 * kv_caller_hold() - keep what the rows of a node need of the caller, beyond its identity
 * @reader: of kv_caller_identify()
 *
 * Return: 0 or -errno; the reason is in the log.
 */
int kv_caller_hold(fuse_req_t req, const struct kv_node *node, struct kv_reader *reader);

/**
 * kv_caller_find() - a member of a group by the name that the caller knows it by
 * @group: its directory
 * @ino: receives the member's inode number
 *
 * Return: 0; -ENOENT: there is none for this one; -errno.
 */
int kv_caller_find(fuse_req_t req, const struct kv_node *group, const char *name, uint64_t *ino);

/**
 * kv_caller_look() - find the member that a node belongs to
 * @ino: of a node that the tree has
 * @member: receives its present state; zeroed if the node belongs to no member
 *
 * Return: 0; -ENOENT: the member is gone, or @reader may not know of it; -ESTALE: as -ENOENT, but
 * @ino may come from the daemon before this one, which had other keys, so the kernel shall look the
 * name up again; -EPERM: @reader may know of the member, but may not look into it; -errno.
 */
int kv_caller_look(const struct kv_server *s, const struct kv_reader *reader, uint64_t ino,
		   struct kv_member *member);

/* kv_caller_enter() - may the caller look for names in the directory @ino? 0 or -errno as above */
int kv_caller_enter(fuse_req_t req, uint64_t ino);

#endif
