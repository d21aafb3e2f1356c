// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/listing.h"

#include <stdio.h>

/* False: full. */
static bool add_entry(struct kv_listing *l, const char *name, uint64_t ino, mode_t mode, off_t next)
{
	struct stat st = {.st_ino = kv_seal_ino(l->seal, ino), .st_mode = mode};
	size_t n = fuse_add_direntry(l->req, l->buf + l->used, l->size - l->used, name, &st, next);

	if (n > l->size - l->used)
		return false;
	l->used += n;
	return true;
}

bool kv_list_tree(struct kv_listing *l, const struct kv_tree *tree, uint64_t dir, off_t off)
{
	uint32_t i = off < 3 ? 0 : (uint32_t)off - 3 + 1;

	if (off < 1 && !add_entry(l, ".", dir, S_IFDIR, 1))
		return false;
	if (off < 2 && !add_entry(l, "..", kv_tree_parent(tree, dir), S_IFDIR, 2))
		return false;
	for (i = kv_tree_child(tree, dir, i); i; i = kv_tree_child(tree, dir, i + 1))
		if (!add_entry(l, tree->nodes[i].name, kv_ino(kv_ino_who(dir), i),
			       tree->nodes[i].mode, 3 + (off_t)i))
			return false;
	return true;
}

int kv_list_pids(struct kv_listing *l, const struct kv_tree *tree, struct kv_processes *processes,
		 off_t off)
{
	pid_t nr = 1;
	struct kv_process p;
	int rc;

	if (off >= KV_PID_BASE + (1 << KV_PID_BITS)) /* somebody's lseek() */
		return 0;
	if (off >= KV_PID_BASE)
		nr = (pid_t)(off - KV_PID_BASE) + 1;

	for (; (rc = kv_processes_from(processes, nr, &p)) > 0; nr = p.nr + 1) {
		char name[16];

		snprintf(name, sizeof(name), "%d", (int)p.nr);
		if (!add_entry(l, name, kv_ino(kv_who(p.pid, p.start), tree->pid), S_IFDIR,
			       KV_PID_BASE + (off_t)p.nr))
			return 0;
	}
	return rc;
}
