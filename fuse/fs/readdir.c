// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/readdir.h"

#include <errno.h>
#include <stdlib.h>

#include "fuse/fs/listing.h"
#include "fuse/fs/request.h"

#define DIR_CHUNK 65536u

void kv_drop_dir(struct kv_server *s, uint64_t handle)
{
	struct kv_processes *processes = kv_handles_drop(&s->dirs, handle);

	if (processes)
		kv_processes_free(processes);
}

/* Entries that are there go out; a failure comes with the next call. */
static int list(struct kv_listing *l, const struct kv_tree *tree, uint64_t ino, off_t off,
		struct kv_processes *processes)
{
	int rc = 0;

	l->buf = malloc(l->size);
	if (!l->buf)
		return -ENOMEM;
	if ((off >= KV_PID_BASE || kv_list_tree(l, tree, ino, off)) && processes)
		rc = kv_list_pids(l, tree, processes, off);
	return l->used ? 0 : rc;
}

static struct kv_listing listing(const struct kv_server *s, fuse_req_t req, size_t size)
{
	return (struct kv_listing){
		.req = req,
		.seal = &s->seal,
		.size = size < DIR_CHUNK ? size : DIR_CHUNK,
	};
}

/* Of pid/, for which all tasks are walked through. */
static void list_pids(struct kv_request *r)
{
	struct kv_server *s = r->server;
	struct kv_listing l = listing(s, r->req, r->size);
	int rc;

	rc = list(&l, &s->tree, r->ino, r->off, r->object);
	if (rc)
		kv_request_fail(r, rc);
	else
		kv_request_reply(r, &(struct iovec){l.buf, l.used}, 1);
	free(l.buf);
}

static void readdir_pids(fuse_req_t req, uint64_t ino, size_t size, off_t off, uint64_t handle)
{
	struct kv_server *s = fuse_req_userdata(req);
	struct kv_processes *processes = kv_handles_get(&s->dirs, handle);
	struct kv_request r = {
		.server = s,
		.req = req,
		.run = list_pids,
		.ino = ino,
		.handle = handle,
		.size = size,
		.off = off,
		.object = processes,
		.drop = kv_drop_dir,
	};

	if (!processes) {
		fuse_reply_err(req, ESTALE);
	} else if (kv_request_submit(&r, kv_processes_user(processes), KV_LANE_LISTINGS)) {
		kv_drop_dir(s, handle);
		fuse_reply_err(req, ENOMEM);
	}
}

void kv_op_readdir(fuse_req_t req, fuse_ino_t told, size_t size, off_t off,
		   struct fuse_file_info *fi)
{
	struct kv_server *s = fuse_req_userdata(req);
	uint64_t ino = kv_unseal_ino(&s->seal, told);
	const struct kv_node *node = kv_tree_node(&s->tree, ino);
	struct kv_listing l = listing(s, req, size);
	int rc;

	if (!node || off < 0) {
		fuse_reply_err(req, off < 0 ? EINVAL : ESTALE);
		return;
	}
	if (node->type == KV_NODE_PIDS) {
		readdir_pids(req, ino, size, off, fi->fh);
		return;
	}
	rc = list(&l, &s->tree, ino, off, NULL);
	if (rc)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_buf(req, l.buf, l.used);
	free(l.buf);
}
