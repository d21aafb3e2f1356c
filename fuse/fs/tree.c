// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK 131072 /* what cat asks for */

/* FNV-1a of a slash and a name. */
static uint64_t hash_name(uint64_t hash, const char *name)
{
	hash = (hash ^ '/') * 0x100000001b3;
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
	return hash;
}

/* Of the path from the root to @name. */
static uint64_t hash_path(const struct kv_tree *tree, uint32_t parent, const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;

	if (parent > KV_ROOT)
		hash = hash_path(tree, tree->nodes[parent].parent, tree->nodes[parent].name);
	return hash_name(hash, name);
}

static uint64_t make_told(const struct kv_tree *tree, const struct kv_node *node)
{
	uint64_t told;

	if (tree->n == KV_ROOT)
		return KV_ROOT;
	if (node->is_of_member)
		return 0;
	told = hash_path(tree, node->parent, node->name) | KV_TOLD_INDEX;
	while (kv_tree_find(tree, told))
		told += KV_TOLD_INDEX + 1;
	return told;
}

static uint32_t add(struct kv_tree *tree, struct kv_node node, const char *name, const char *suffix)
{
	struct kv_node *more;

	if (tree->n >= KV_TOLD_INDEX) /* a node's number has 16 bits for its index */
		return 0;
	more = realloc(tree->nodes, (tree->n + 1) * sizeof(*more));
	if (!more)
		return 0;
	tree->nodes = more;
	if (name && asprintf(&node.name, "%s%s", name, suffix) < 0)
		return 0;
	node.told = make_told(tree, &node);
	tree->nodes[tree->n] = node;
	return tree->n++;
}

static uint32_t add_dir(struct kv_tree *tree, uint32_t parent, const char *name,
			const struct kv_group *group)
{
	const struct kv_node node = {
		.type = KV_NODE_DIR,
		.parent = parent,
		.mode = S_IFDIR | 0555,
		.group = group,
		.is_of_member = group,
	};

	return add(tree, node, name, "");
}

/* In the root, or of each member of a group. The root has what runs without a parameter. */
static bool is_served(const struct kv_view *view, const struct kv_group *group)
{
	return (view->is_loaded || kv_view_is_off(view)) &&
	       (group ? group->has(view) : view->param != KV_PARAM_MAP);
}

/* The files of the views in one format, or of raw iterators (NULL), in the directory @dir. */
static int add_files(struct kv_tree *tree, uint32_t dir, const struct kv_views *views,
		     const struct kv_format *format, const struct kv_group *group, mode_t wide_mode)
{
	for (size_t i = 0; i < views->n; i++) {
		struct kv_view *view = &views->list[i];
		struct kv_node node = {
			.type = KV_NODE_ROWS,
			.parent = dir,
			.mode = S_IFREG | (kv_view_is_wide(view) ? wide_mode : 0444),
			.is_wide = kv_view_is_wide(view),
			.is_bpf = !view->program && kv_view_is_wide(view) &&
				  strncmp(view->kind, "bpf_", 4) == 0,
			.view = view,
			.format = format,
			.plan = format ? &tree->plans[i] : NULL,
			.group = group,
			.is_of_member = group,
		};

		if (is_served(view, group) && !view->program == (format != NULL) &&
		    !add(tree, node, view->name, format ? format->suffix : ""))
			return -ENOMEM;
	}
	return 0;
}

/*
 * All views below @parent: text files there, and a directory per other format; raw iterators in
 * raw/, if there are any.
 */
static int add_formats(struct kv_tree *tree, uint32_t parent, const struct kv_views *views,
		       const struct kv_group *group, mode_t wide_mode)
{
	int rc = 0;

	for (const struct kv_format *const *f = kv_formats; *f && !rc; f++) {
		uint32_t dir = parent;

		if (*(*f)->dir)
			dir = add_dir(tree, parent, (*f)->dir, group);
		rc = dir ? add_files(tree, dir, views, *f, group, wide_mode) : -ENOMEM;
	}
	for (size_t i = 0; i < views->n && !rc; i++) {
		if (!views->list[i].program || !is_served(&views->list[i], group))
			continue;
		parent = add_dir(tree, parent, "raw", group);
		return parent ? add_files(tree, parent, views, NULL, group, wide_mode) : -ENOMEM;
	}
	return rc;
}

static int add_schemas(struct kv_tree *tree, const struct kv_views *views)
{
	uint32_t dir = add_dir(tree, KV_ROOT, "schema", NULL);

	if (!dir)
		return -ENOMEM;
	for (size_t i = 0; i < views->n; i++) {
		struct kv_node node = {
			.type = KV_NODE_SCHEMA,
			.parent = dir,
			.view = &views->list[i],
			.mode = S_IFREG | 0444,
		};

		if (is_served(&views->list[i], NULL) && views->list[i].schema &&
		    !add(tree, node, views->list[i].name, ""))
			return -ENOMEM;
	}
	return 0;
}

/* Those of a member. The kernel does not look into a directory for who may not search it. */
static int add_member_files(struct kv_tree *tree, uint32_t dir, const struct kv_views *views,
			    const struct kv_group *group, mode_t wide_mode)
{
	uint32_t first = tree->n;
	struct kv_node node = {
		.type = KV_NODE_MAP,
		.parent = dir,
		.mode = S_IFREG | wide_mode,
		.is_wide = true,
		.is_bpf = true,
		.group = group,
		.is_of_member = true,
	};
	struct kv_node *parent = &tree->nodes[dir];

	parent->mode = S_IFDIR | wide_mode | (wide_mode & 0444) >> 2;
	parent->is_wide = parent->is_bpf = true;
	for (const struct kv_format *const *f = kv_formats; *f; f++) {
		node.format = *f;
		if (!add(tree, node, (*f)->suffix, ""))
			return -ENOMEM;
	}
	node.format = NULL;
	for (size_t i = 0; i < views->n; i++) {
		node.view = &views->list[i];
		if (is_served(node.view, group) && !add(tree, node, ".", node.view->name))
			return -ENOMEM;
	}
	node.view = NULL;
	node.type = KV_NODE_ALIAS;
	node.mode = S_IFLNK | 0777;
	if (!add(tree, node, "-", ""))
		return -ENOMEM;
	tree->nodes[dir].member = first;
	tree->nodes[dir].nfiles = tree->n - first;
	return 0;
}

static int add_group(struct kv_tree *tree, const struct kv_views *views,
		     const struct kv_group *group, mode_t wide_mode)
{
	struct kv_node self = {.type = KV_NODE_SELF, .mode = S_IFLNK | 0777, .group = group};
	uint32_t dir, member;
	bool any = group->of_files;

	for (size_t i = 0; i < views->n; i++)
		any = any || is_served(&views->list[i], group);
	if (!any)
		return 0;
	dir = self.parent = add_dir(tree, KV_ROOT, group->name, NULL);
	if (!dir || (group->self && !add(tree, self, group->self, "")))
		return -ENOMEM;
	tree->nodes[dir].type = KV_NODE_GROUP;
	tree->nodes[dir].group = group;
	if (group->of_files)
		return add_member_files(tree, dir, views, group, wide_mode);
	tree->ngroups++;
	member = add_dir(tree, dir, "", group);
	if (!member)
		return -ENOMEM;
	tree->nodes[dir].member = member;
	tree->nodes[dir].nfiles = 1;
	return add_formats(tree, member, views, group, wide_mode);
}

static int add_plans(struct kv_tree *tree, const struct kv_views *views)
{
	tree->plans = calloc(views->n + 1, sizeof(*tree->plans));
	if (!tree->plans)
		return -ENOMEM;
	for (size_t i = 0; i < views->n; i++)
		if (views->list[i].is_loaded && views->list[i].schema)
			kv_plan_all(&tree->plans[i], views->list[i].schema);
	return 0;
}

int kv_tree_new(struct kv_tree *tree, const struct kv_views *views,
		const struct kv_group *const *groups, mode_t wide_mode)
{
	struct kv_node status = {
		.type = KV_NODE_STATUS,
		.parent = KV_ROOT,
		.mode = S_IFREG | 0400,
	};
	int rc;

	*tree = (struct kv_tree){.n = KV_ROOT};
	tree->nodes = calloc(KV_ROOT, sizeof(*tree->nodes));
	if (!tree->nodes)
		return -ENOMEM;
	rc = add_plans(tree, views);
	if (!rc)
		rc = add_dir(tree, KV_ROOT, "", NULL) ? 0 : -ENOMEM;
	if (!rc)
		rc = add_formats(tree, KV_ROOT, views, NULL, wide_mode);
	if (!rc)
		rc = add(tree, status, "status", "") ? 0 : -ENOMEM;
	if (!rc)
		rc = add_schemas(tree, views);
	for (; *groups && !rc; groups++)
		rc = add_group(tree, views, *groups, wide_mode);
	if (rc)
		kv_tree_free(tree);
	return rc;
}

void kv_tree_free(struct kv_tree *tree)
{
	for (uint32_t i = KV_ROOT; i < tree->n; i++)
		free(tree->nodes[i].name);
	free(tree->nodes);
	free(tree->plans);
	*tree = (struct kv_tree){0};
}

uint64_t kv_tree_told(const struct kv_tree *tree, uint64_t ino)
{
	return tree->nodes[kv_ino_index(ino)].told;
}

uint64_t kv_tree_find(const struct kv_tree *tree, uint64_t told)
{
	for (uint32_t i = KV_ROOT; i < tree->n; i++)
		if (tree->nodes[i].told == told)
			return i;
	return 0;
}

const struct kv_node *kv_tree_node(const struct kv_tree *tree, uint64_t ino)
{
	uint32_t index = kv_ino_index(ino);

	if (index < KV_ROOT || index >= tree->n)
		return NULL;
	/* A key where it belongs, and nowhere else. */
	if (tree->nodes[index].is_of_member != (kv_ino_key(ino) > 0))
		return NULL;
	return &tree->nodes[index];
}

bool kv_tree_name(const struct kv_node *node, const struct kv_member *m, char name[KV_NAME_SIZE])
{
	bool is_alias = node->type == KV_NODE_ALIAS;

	if (node->group->of_files && !node->group->has_file(m, node->view))
		return false;
	if (is_alias && !*m->alias)
		return false;
	snprintf(name, KV_NAME_SIZE, "%s%s%s", m->name, node->name, is_alias ? m->alias : "");
	return true;
}

uint64_t kv_tree_lookup(const struct kv_tree *tree, uint64_t dir, const char *name)
{
	const struct kv_node *node = kv_tree_node(tree, dir);

	if (!node || (node->type != KV_NODE_DIR && node->type != KV_NODE_GROUP))
		return 0;
	for (uint32_t i = kv_tree_child(tree, dir, 0); i; i = kv_tree_child(tree, dir, i + 1))
		if (strcmp(tree->nodes[i].name, name) == 0)
			return kv_ino(kv_ino_key(dir), i);
	return 0;
}

uint32_t kv_tree_child(const struct kv_tree *tree, uint64_t dir, uint32_t at)
{
	const struct kv_node *parent = kv_tree_node(tree, dir);

	for (uint32_t i = at > KV_ROOT ? at : KV_ROOT + 1; parent && i < tree->n; i++)
		if (tree->nodes[i].parent == kv_ino_index(dir) &&
		    tree->nodes[i].is_of_member == parent->is_of_member)
			return i;
	return 0;
}

uint64_t kv_tree_parent(const struct kv_tree *tree, uint64_t ino)
{
	const struct kv_node *node = kv_tree_node(tree, ino);

	if (!node)
		return KV_ROOT;
	return kv_ino(tree->nodes[node->parent].is_of_member ? kv_ino_key(ino) : 0, node->parent);
}

static nlink_t count_links(const struct kv_tree *tree, uint64_t ino)
{
	nlink_t n = 2;

	for (uint32_t i = kv_tree_child(tree, ino, 0); i; i = kv_tree_child(tree, ino, i + 1))
		n += S_ISDIR(tree->nodes[i].mode);
	return n;
}

void kv_tree_attr(const struct kv_tree *tree, uint64_t ino, struct stat *st)
{
	const struct kv_node *node = kv_tree_node(tree, ino);

	*st = (struct stat){
		.st_ino = ino,
		.st_mode = node->mode,
		.st_nlink = S_ISDIR(node->mode) ? count_links(tree, ino) : 1,
		.st_blksize = BLOCK,
	};
}
