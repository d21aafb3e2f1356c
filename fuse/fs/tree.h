/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names under the mount: one table of nodes drives lookup, readdir,
 * getattr and open. Knows no kernel object and serves no byte.
 *
 * A node's number is its index. All members of a group share the nodes below
 * them, and their numbers carry the member's key as well: key << 16 | index.
 * So a lookup allocates nothing, FORGET frees nothing, and a number means the same
 * to the next worker. The kernel sees other numbers: kv_tree_told() and seal.h
 * make them.
 */
#ifndef KVIEW_FS_TREE_H
#define KVIEW_FS_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "fuse/fs/group.h"
#include "render/render.h"

#define KV_ROOT 1u /* FUSE_ROOT_ID */

enum kv_node_type {
	KV_NODE_DIR,
	KV_NODE_GROUP,	/* its names are members of a group, such as pid/ */
	KV_NODE_SELF,	/* the link to the reader's own member */
	KV_NODE_ROWS,	/* a view in a format */
	KV_NODE_SCHEMA, /* schema/VIEW */
	KV_NODE_MAP,	/* of a BPF map: its elements in a format, or what a raw view prints */
	KV_NODE_ALIAS,	/* a link to the first file of the same member */
	KV_NODE_STATUS, /* of the mount itself, for root */
};

struct kv_node {
	enum kv_node_type type;
	uint32_t parent; /* index */
	char *name;	 /* of a member's own node what is behind the member's name */
	mode_t mode;	 /* of files, as for st_mode */
	bool is_wide;	 /* of a kernel-wide view: not for everyone */
	bool is_bpf;	 /* of BPF objects: see kv_caller_may() */
	struct kv_view *view;
	const struct kv_format *format;
	const struct kv_plan *plan;   /* all columns of @view */
	const struct kv_group *group; /* of a group's directory, and all below it */
	uint32_t member;   /* of a group's directory: index of the members' first own node, ... */
	uint32_t nfiles;   /* ... and how many of these there are: 1 if they are directories */
	bool is_of_member; /* the members' directory or a node below it: its number has a key */
	uint64_t told;	   /* public inode number, see kv_tree_told(); unused if is_of_member */
};

struct kv_tree {
	struct kv_node *nodes; /* [0] is not used, [KV_ROOT] the root */
	struct kv_plan *plans; /* by view */
	uint32_t n;
	uint32_t ngroups; /* whose members are directories */
};

/**
 * kv_tree_new() - the tree for the views that are loaded
 * @views: must outlive the tree; those not loaded are left out
 * @groups: ends with NULL; one that no view has rows for is left out
 * @wide_mode: permissions of the files of kernel-wide views
 *
 * Return: 0 or -ENOMEM.
 */
int kv_tree_new(struct kv_tree *tree, const struct kv_views *views,
		const struct kv_group *const *groups, mode_t wide_mode);

void kv_tree_free(struct kv_tree *tree);

static inline uint32_t kv_ino_index(uint64_t ino)
{
	return (uint32_t)(ino & 0xffff);
}

/* kv_ino_key() - of the member whose node it is, 0 for none */
static inline uint64_t kv_ino_key(uint64_t ino)
{
	return ino >> 16;
}

static inline uint64_t kv_ino(uint64_t key, uint32_t index)
{
	return key << 16 | index;
}

/**
 * kv_tree_told() - the public inode number of a node that belongs to no member
 *
 * The number is a hash of the node's path. So it means the same to a daemon that takes over the
 * mount, even with other views: names that the kernel has looked up, and bind mounts of
 * containers, stay valid.
 */
uint64_t kv_tree_told(const struct kv_tree *tree, uint64_t ino);

/* KV_TOLD_INDEX - the low 16 bits of such a number, which are no node's index */
#define KV_TOLD_INDEX 0xffff

/* kv_tree_find() - the node of such a number, 0 for none */
uint64_t kv_tree_find(const struct kv_tree *tree, uint64_t told);

/* kv_tree_node() - a node by its number, NULL if there can be none */
const struct kv_node *kv_tree_node(const struct kv_tree *tree, uint64_t ino);

#define KV_NAME_SIZE 256

/**
 * kv_tree_name() - the name of a member's own node
 *
 * Return: false: this member has no such file.
 */
bool kv_tree_name(const struct kv_node *node, const struct kv_member *member,
		  char name[KV_NAME_SIZE]);

/**
 * kv_tree_lookup() - a name in a directory
 * @dir: number of the directory
 *
 * Return: the node's number, 0 for no such name. Members of groups are not found.
 */
uint64_t kv_tree_lookup(const struct kv_tree *tree, uint64_t dir, const char *name);

/**
 * kv_tree_child() - the entry of a directory at or behind a position
 * @at: index to begin with, 0 for the first
 *
 * Return: its index, 0 for the end. Members of groups are not found.
 */
uint32_t kv_tree_child(const struct kv_tree *tree, uint64_t dir, uint32_t at);

/* kv_tree_parent() - number of the directory that holds @ino */
uint64_t kv_tree_parent(const struct kv_tree *tree, uint64_t ino);

/* kv_tree_attr() - ino, mode, link count; size 0 as in /proc */
void kv_tree_attr(const struct kv_tree *tree, uint64_t ino, struct stat *st);

#endif
