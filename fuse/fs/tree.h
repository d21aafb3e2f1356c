/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names under the mount: one table of nodes drives lookup, readdir,
 * getattr and open. Knows no kernel object and serves no byte.
 *
 * A node's number is its index; below pid/PID it carries the process as well:
 * who << 16 | index. So nothing is allocated by a lookup, nothing is to be
 * forgotten, and a number means the same in the next worker. What the kernel
 * gets to see of it: kv_tree_told() and seal.h.
 *
 * pid/N is another process for another reader, so @who is not N: it is made of
 * the process's number in kview's own pid namespace and of its start, by which
 * a later process of the same number is another one.
 */
#ifndef KVIEW_FS_TREE_H
#define KVIEW_FS_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "load/view.h"
#include "render/render.h"

#define KV_ROOT 1u /* FUSE_ROOT_ID */

enum kv_node_type {
	KV_NODE_DIR,
	KV_NODE_PIDS,	/* pid/: its names are processes */
	KV_NODE_SELF,	/* pid/self */
	KV_NODE_ROWS,	/* a view in a format */
	KV_NODE_SCHEMA, /* schema/VIEW */
	KV_NODE_STATUS, /* of the mount itself, for root */
};

struct kv_node {
	enum kv_node_type type;
	uint32_t parent; /* index */
	char *name;	 /* NULL: the template of pid/PID, whose name is a number */
	mode_t mode;	 /* of files, as for st_mode */
	bool is_wide;	 /* of a kernel-wide view: not for everyone */
	struct kv_view *view;
	const struct kv_format *format;
	const struct kv_plan *plan; /* all columns of @view */
	uint64_t told; /* its number outside, unless it is of a process: see kv_tree_told() */
};

struct kv_tree {
	struct kv_node *nodes; /* [0] is not used, [KV_ROOT] the root */
	struct kv_plan *plans; /* by view */
	uint32_t n;
	uint32_t pids; /* index of pid/, 0 without it */
	uint32_t pid;  /* index of the template pid/PID */
};

/**
 * kv_tree_new() - the tree for the views that are loaded
 * @views: must outlive the tree; those not loaded are left out
 * @wide_mode: permissions of the files of kernel-wide views
 *
 * Return: 0 or -ENOMEM.
 */
int kv_tree_new(struct kv_tree *tree, const struct kv_views *views, mode_t wide_mode);

void kv_tree_free(struct kv_tree *tree);

static inline uint32_t kv_ino_index(uint64_t ino)
{
	return (uint32_t)(ino & 0xffff);
}

#define KV_PID_BITS 22 /* PID_MAX_LIMIT in include/linux/threads.h */

/* kv_who() - a process; @pid in kview's own pid namespace, @start in ns since boot */
static inline uint64_t kv_who(pid_t pid, uint64_t start)
{
	/* What is left of 48 bits: of the start in 2^10 ns, so that it repeats after 68 s. */
	return (start >> 10 << KV_PID_BITS | (uint64_t)pid) & 0xffffffffffff;
}

/* kv_ino_who() - the process whose files these are, 0 for none */
static inline uint64_t kv_ino_who(uint64_t ino)
{
	return ino >> 16;
}

static inline pid_t kv_ino_pid(uint64_t ino)
{
	return (pid_t)(kv_ino_who(ino) & ((1u << KV_PID_BITS) - 1));
}

static inline uint64_t kv_ino(uint64_t who, uint32_t index)
{
	return who << 16 | index;
}

/**
 * kv_tree_told() - the number of a node that is not of a process, as the kernel has it
 *
 * It is made of the node's path, so that it means the same to a daemon that
 * takes the mount over and has other views: kernel and containers go on with
 * what they have looked up, and bound, before.
 */
uint64_t kv_tree_told(const struct kv_tree *tree, uint64_t ino);

/* KV_TOLD_INDEX - in the place of the index, in such a number; no node has it */
#define KV_TOLD_INDEX 0xffff

/* kv_tree_find() - the node of such a number, 0 for none */
uint64_t kv_tree_find(const struct kv_tree *tree, uint64_t told);

/* kv_tree_node() - a node by its number, NULL if there can be none */
const struct kv_node *kv_tree_node(const struct kv_tree *tree, uint64_t ino);

/**
 * kv_tree_lookup() - a name in a directory
 * @dir: number of the directory
 *
 * Return: the node's number, 0 for no such name. Below pid/ only "self" is found.
 */
uint64_t kv_tree_lookup(const struct kv_tree *tree, uint64_t dir, const char *name);

/* kv_tree_pid() - the number that a name below pid/ stands for, 0 for none */
pid_t kv_tree_pid(const char *name);

/**
 * kv_tree_child() - the entry of a directory at or behind a position
 * @at: index to begin with, 0 for the first
 *
 * Return: its index, 0 for the end. Below pid/ only "self" is found.
 */
uint32_t kv_tree_child(const struct kv_tree *tree, uint64_t dir, uint32_t at);

/* kv_tree_parent() - number of the directory that holds @ino */
uint64_t kv_tree_parent(const struct kv_tree *tree, uint64_t ino);

/* kv_tree_attr() - ino, mode, link count; size 0 as in /proc */
void kv_tree_attr(const struct kv_tree *tree, uint64_t ino, struct stat *st);

#endif
