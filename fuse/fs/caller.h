/* SPDX-License-Identifier: GPL-2.0-only */
/* Who sent a request, and what of a group's members that one may reach. */
#ifndef KVIEW_FS_CALLER_H
#define KVIEW_FS_CALLER_H

#include "fuse/fs/ops.h"

/**
 * kv_caller_identify() - the caller, who waits for our reply and so is still what it was as it asked
 * @reader: on success to be closed with kv_reader_close()
 *
 * Return: 0 or -errno, which the log was told of.
 */
int kv_caller_identify(fuse_req_t req, struct kv_reader *reader);

/**
 * kv_caller_find() - a member of a group by the name that the caller knows it by
 * @group: its directory
 * @ino: receives the member's inode number
 *
 * Return: 0; -ENOENT: there is none for this one; -errno.
 */
int kv_caller_find(fuse_req_t req, const struct kv_node *group, const char *name, uint64_t *ino);

/**
 * kv_caller_look() - the member that a node is of, as it is now
 * @ino: of a node that the tree has
 * @member: zeroed if the node is of none
 *
 * Return: 0; -ENOENT: it is gone, or @reader may not know of it; -ESTALE: the same, but @ino may
 * have been told by the daemon before this one, whose keys were others: the kernel looks the
 * name up again; -EPERM: @reader may know of it and not look into it; -errno.
 */
int kv_caller_look(const struct kv_server *s, const struct kv_reader *reader, uint64_t ino,
		   struct kv_member *member);

/* kv_caller_enter() - may the caller look for names in the directory @ino? 0 or -errno as above */
int kv_caller_enter(fuse_req_t req, uint64_t ino);

#endif
