// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/dir.h"

#include <errno.h>
#include <stdlib.h>

#include "fuse/fs/caller.h"
#include "fuse/fs/request.h"

#define DIR_CHUNK 65536u

/* A group's directory that somebody has open. */
struct listing {
	const struct kv_group *group;
	uid_t user; /* who answers for the cost */
	void *list; /* of the group */
};

void kv_listing_free(void *listing)
{
	struct listing *l = listing;

	l->group->list_free(l->list);
	free(l);
}

static void drop(struct kv_server *s, uint64_t handle)
{
	struct listing *l = kv_handles_drop(&s->dirs, handle);

	if (l)
		kv_listing_free(l);
}

/* --- open and close --- */

static struct listing *new_listing(const struct kv_server *s, const struct kv_group *group,
				   struct kv_reader *reader)
{
	struct listing *l = malloc(sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct listing){.group = group, .user = reader->user};
	l->list = group->list_new(&s->host, reader);
	if (l->list)
		return l;
	free(l);
	return NULL;
}

static int open_group(fuse_req_t req, const struct kv_node *node, uint64_t *handle)
{
	struct kv_server *s = fuse_req_userdata(req);
	struct kv_reader reader;
	struct listing *l = NULL;
	int rc = kv_caller_identify(req, &reader);

	if (rc)
		return rc;
	rc = kv_caller_may(s, node, &reader);
	if (!rc)
		l = new_listing(s, node->group, &reader);
	if (!rc)
		rc = l ? kv_handles_add(&s->dirs, l, l->user, handle) : -ENOMEM;
	if (rc && l)
		kv_listing_free(l);
	kv_reader_close(&reader);
	return rc;
}

void kv_op_opendir(fuse_req_t req, fuse_ino_t told, struct fuse_file_info *fi)
{
	struct kv_server *s = fuse_req_userdata(req);
	uint64_t ino = kv_unseal_ino(&s->seal, told);
	const struct kv_node *node = kv_tree_node(&s->tree, ino);
	int rc = node ? kv_caller_enter(req, ino) : -ESTALE;

	if (!rc && node->type == KV_NODE_GROUP)
		rc = open_group(req, node, &fi->fh);
	if (rc)
		fuse_reply_err(req, -rc);
	else if (fuse_reply_open(req, fi) == -ENOENT && node->type == KV_NODE_GROUP)
		drop(s, fi->fh); /* interrupted: no release comes */
}

void kv_op_releasedir(fuse_req_t req, fuse_ino_t told, struct fuse_file_info *fi)
{
	struct kv_server *s = fuse_req_userdata(req);
	const struct kv_node *node = kv_tree_node(&s->tree, kv_unseal_ino(&s->seal, told));

	if (node && node->type == KV_NODE_GROUP)
		drop(s, fi->fh);
	fuse_reply_err(req, 0);
}

/* --- entries --- */

/* What READDIR is answered with. */
struct entries {
	fuse_req_t req;
	const struct kv_server *server;
	char *buf;
	size_t size, used;
};

/* False: full. */
static bool add_entry(struct entries *e, const char *name, uint64_t ino, mode_t mode, off_t next)
{
	struct stat st = {.st_ino = kv_seal_ino(&e->server->seal, ino), .st_mode = mode};
	size_t n = fuse_add_direntry(e->req, e->buf + e->used, e->size - e->used, name, &st, next);

	if (n > e->size - e->used)
		return false;
	e->used += n;
	return true;
}

/* The entries that the tree has. False: full. */
static bool add_nodes(struct entries *e, uint64_t dir, off_t off)
{
	const struct kv_tree *tree = &e->server->tree;
	uint32_t i = off < 3 ? 0 : (uint32_t)off - 3 + 1;

	if (off < 1 && !add_entry(e, ".", dir, S_IFDIR, 1))
		return false;
	if (off < 2 && !add_entry(e, "..", kv_tree_parent(tree, dir), S_IFDIR, 2))
		return false;
	for (i = kv_tree_child(tree, dir, i); i; i = kv_tree_child(tree, dir, i + 1))
		if (!add_entry(e, tree->nodes[i].name, kv_ino(kv_ino_key(dir), i),
			       tree->nodes[i].mode, 3 + (off_t)i))
			return false;
	return true;
}

/* The files of a member from one of them on. False: full. */
static bool add_files(struct entries *e, const struct kv_node *group, const struct kv_member *m,
		      uint32_t file)
{
	off_t at = KV_MEMBERS + (off_t)(m->position * group->nfiles);
	char name[KV_NAME_SIZE];

	for (; file < group->nfiles; file++) {
		uint32_t i = group->member + file;
		const struct kv_node *node = &e->server->tree.nodes[i];

		if (kv_tree_name(node, m, name) &&
		    !add_entry(e, name, kv_ino(m->key, i), node->mode, at + file))
			return false;
	}
	return true;
}

/* The members of a group, as far as there is room. 0 or -errno. */
static int add_members(struct entries *e, uint64_t dir, off_t off, const struct listing *l)
{
	const struct kv_node *group = kv_tree_node(&e->server->tree, dir);
	uint64_t at = off < KV_MEMBERS ? 0 : (uint64_t)off - KV_MEMBERS + 1;
	uint64_t position = at / group->nfiles;
	uint32_t file = at % group->nfiles;
	struct kv_member m;
	int rc;

	for (; (rc = l->group->list_next(l->list, position, &m)) > 0; position = m.position + 1) {
		if (!add_files(e, group, &m, m.position == position ? file : 0))
			return 0;
		file = 0;
	}
	return rc;
}

/* Entries that are there go out; a failure comes with the next call. */
static int fill(struct entries *e, uint64_t dir, off_t off, const struct listing *l)
{
	int rc = 0;

	e->buf = malloc(e->size);
	if (!e->buf)
		return -ENOMEM;
	if ((off >= KV_MEMBERS || add_nodes(e, dir, off)) && l)
		rc = add_members(e, dir, off, l);
	return e->used ? 0 : rc;
}

static struct entries entries(const struct kv_server *s, fuse_req_t req, size_t size)
{
	return (struct entries){
		.req = req,
		.server = s,
		.size = size < DIR_CHUNK ? size : DIR_CHUNK,
	};
}

/* Of a group, all whose objects may have to be walked through. */
static void list_members(struct kv_request *r)
{
	struct entries e = entries(r->server, r->req, r->size);
	int rc = fill(&e, r->ino, r->off, r->object);

	if (rc)
		kv_request_fail(r, rc);
	else
		kv_request_reply(r, &(struct iovec){e.buf, e.used}, 1);
	free(e.buf);
}

static void readdir_group(fuse_req_t req, uint64_t ino, size_t size, off_t off, uint64_t handle)
{
	struct kv_server *s = fuse_req_userdata(req);
	struct listing *l = kv_handles_get(&s->dirs, handle);
	struct kv_request r = {
		.server = s,
		.req = req,
		.run = list_members,
		.ino = ino,
		.handle = handle,
		.size = size,
		.off = off,
		.object = l,
		.drop = drop,
	};

	if (l)
		kv_request_submit(&r, l->user, KV_LANE_LISTINGS);
	else
		fuse_reply_err(req, ESTALE);
}

void kv_op_readdir(fuse_req_t req, fuse_ino_t told, size_t size, off_t off,
		   struct fuse_file_info *fi)
{
	struct kv_server *s = fuse_req_userdata(req);
	uint64_t ino = kv_unseal_ino(&s->seal, told);
	const struct kv_node *node = kv_tree_node(&s->tree, ino);
	struct entries e = entries(s, req, size);
	int rc;

	if (!node || off < 0) {
		fuse_reply_err(req, off < 0 ? EINVAL : ESTALE);
		return;
	}
	if (node->type == KV_NODE_GROUP) {
		readdir_group(req, ino, size, off, fi->fh);
		return;
	}
	rc = fill(&e, ino, off, NULL);
	if (rc)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_buf(req, e.buf, e.used);
	free(e.buf);
}
