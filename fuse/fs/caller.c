// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/caller.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

int kv_caller_identify(fuse_req_t req, struct kv_reader *reader)
{
	struct kv_server *s = fuse_req_userdata(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct kv_err err = {0};
	int rc = kv_reader_identify(&s->host, ctx->pid, ctx->uid, ctx->gid, reader, &err);

	if (rc)
		kv_log_complain(&s->log, err.msg);
	return rc;
}

int kv_caller_may(const struct kv_server *s, const struct kv_node *node,
		  const struct kv_reader *reader)
{
	const struct kv_scope *scope = &reader->scope;
	bool is_admin = !scope->user_ns_level && scope->caps >> CAP_SYS_ADMIN & 1;

	return node->is_bpf && !is_admin && !kv_policy_gives_wide(&s->host.policy) ? -EPERM : 0;
}

int kv_caller_hold(fuse_req_t req, const struct kv_node *node, struct kv_reader *reader)
{
	struct kv_server *s = fuse_req_userdata(req);
	struct kv_err err = {0};
	int rc;

	if (node->type != KV_NODE_ROWS || !node->view->is_of_net)
		return 0;
	rc = kv_reader_hold_net(&s->host, fuse_req_ctx(req)->pid, reader, &err);
	if (rc)
		kv_log_complain(&s->log, err.msg);
	return rc;
}

int kv_caller_find(fuse_req_t req, const struct kv_node *group, const char *name, uint64_t *ino)
{
	struct kv_server *s = fuse_req_userdata(req);
	char own[KV_NAME_SIZE];
	struct kv_member member;
	struct kv_reader reader;
	int rc = group->group->is_name(name) ? kv_caller_identify(req, &reader) : -ENOENT;

	if (rc)
		return rc;
	rc = kv_caller_may(s, group, &reader);
	if (!rc)
		rc = group->group->find(&s->host, &reader, name, &member);
	kv_reader_close(&reader);
	if (rc)
		return rc;
	for (uint32_t i = group->member; i < group->member + group->nfiles; i++) {
		if (!kv_tree_name(&s->tree.nodes[i], &member, own) || strcmp(own, name) != 0)
			continue;
		*ino = kv_ino(member.key, i);
		return 0;
	}
	return -ENOENT;
}

int kv_caller_look(const struct kv_server *s, const struct kv_reader *reader, uint64_t ino,
		   struct kv_member *member)
{
	const struct kv_node *node = kv_tree_node(&s->tree, ino);
	int rc;

	*member = (struct kv_member){0};
	if (!node->is_of_member)
		return 0;
	rc = node->group->look(&s->host, reader, kv_ino_key(ino), member);
	if (rc == -ENOENT && s->is_successor)
		return -ESTALE;
	return !rc && member->is_hidden ? -EPERM : rc;
}

int kv_caller_enter(fuse_req_t req, uint64_t ino)
{
	struct kv_server *s = fuse_req_userdata(req);
	struct kv_member member;
	struct kv_reader reader;
	int rc;

	if (!kv_tree_node(&s->tree, ino)->is_of_member)
		return 0;
	rc = kv_caller_identify(req, &reader);
	if (rc)
		return rc;
	rc = kv_caller_look(s, &reader, ino, &member);
	kv_reader_close(&reader);
	return rc;
}
