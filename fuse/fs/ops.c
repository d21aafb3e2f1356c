// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/ops.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuse/fs/read.h"
#include "fuse/fs/dir.h"
#include "fuse/fs/caller.h"
#include "fuse/fs/status.h"
#include "fuse/fs/ioctl.h"
#include "load/map.h"

/* Names of the tree never change; which members a group has depends on who looks. */
#define STATIC_TIMEOUT 60.0

/* The memory of so many files is worth a malloc_trim(), which takes a millisecond. */
#define MANY_FILES 16

void kv_drop_file(struct kv_server *s, uint64_t handle)
{
	struct kv_file *file = kv_handles_drop(&s->files, handle);

	if (!file)
		return;
	kv_file_free(file);
	if (kv_handles_were(&s->files, MANY_FILES))
		malloc_trim(0);
}

static struct kv_server *server(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static uint64_t unseal(fuse_req_t req, fuse_ino_t told)
{
	return kv_unseal_ino(&server(req)->seal, told);
}

static void fill_attr(const struct kv_server *s, uint64_t ino, struct stat *st)
{
	bool is_wide = kv_tree_node(&s->tree, ino)->is_wide;

	kv_tree_attr(&s->tree, ino, st);
	st->st_ino = kv_seal_ino(&s->seal, ino);
	st->st_uid = is_wide ? s->host.policy.wide_uid : s->uid;
	st->st_gid = is_wide ? s->host.policy.wide_gid : s->gid;
	st->st_atim = st->st_mtim = st->st_ctim = s->started;
}

/* --- names --- */

/*
 * From this version of the protocol on the kernel can have requests read again that were read
 * and not answered: FUSE_NOTIFY_RESEND, Linux 6.9. Asked before INIT Linux 7.2 says no.
 */
#define RESEND_MINOR 40

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct kv_server *s = userdata;

	/* Later workers keep what the first one found: replay_init() calls this as well. */
	if (!s->facts->is_ready)
		s->facts->resends = conn->proto_minor >= RESEND_MINOR;
	s->facts->is_ready = true;
	if (s->ready_fd >= 0) {
		(void)!write(s->ready_fd, "\1", 1);
		close(s->ready_fd);
		s->ready_fd = -1;
	}
}

static int lookup(fuse_req_t req, uint64_t parent, const char *name, uint64_t *ino)
{
	const struct kv_tree *tree = &server(req)->tree;
	const struct kv_node *dir = kv_tree_node(tree, parent);
	int rc;

	if (!dir)
		return -ESTALE;
	rc = kv_caller_enter(req, parent);
	if (rc)
		return rc;
	*ino = kv_tree_lookup(tree, parent, name);
	if (*ino)
		return 0;
	return dir->type == KV_NODE_GROUP ? kv_caller_find(req, dir, name, ino) : -ENOENT;
}

static void op_lookup(fuse_req_t req, fuse_ino_t told, const char *name)
{
	const struct kv_server *s = server(req);
	struct fuse_entry_param e = {0};
	uint64_t ino = 0;
	int rc = lookup(req, unseal(req, told), name, &ino);

	if (rc) {
		fuse_reply_err(req, -rc);
		return;
	}
	e.ino = kv_seal_ino(&s->seal, ino);
	fill_attr(s, ino, &e.attr);
	e.attr_timeout = STATIC_TIMEOUT;
	/*
	 * Which object a member's name means, or whether any, depends on who looks; and what is
	 * in a directory that somebody holds open goes with its object.
	 */
	e.entry_timeout = kv_ino_key(ino) ? 0.0 : STATIC_TIMEOUT;
	fuse_reply_entry(req, &e);
}

/* Nodes have no reference counts. */
static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	(void)ino;
	(void)n;
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	(void)count;
	(void)forgets;
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t told, struct fuse_file_info *fi)
{
	const struct kv_server *s = server(req);
	uint64_t ino = unseal(req, told);
	struct stat st;

	(void)fi;
	if (!kv_tree_node(&s->tree, ino)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	fill_attr(s, ino, &st);
	fuse_reply_attr(req, &st, STATIC_TIMEOUT);
}

static void op_readlink(fuse_req_t req, fuse_ino_t told)
{
	uint64_t ino = unseal(req, told);
	const struct kv_node *node = kv_tree_node(&server(req)->tree, ino);
	struct kv_reader reader;
	char name[32];
	int rc;

	if (node && node->type == KV_NODE_ALIAS) {
		snprintf(name, sizeof(name), "%ju", (uintmax_t)kv_ino_key(ino));
		fuse_reply_readlink(req, name);
		return;
	}
	if (!node || node->type != KV_NODE_SELF) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	rc = kv_caller_identify(req, &reader);
	if (rc) {
		fuse_reply_err(req, -rc);
		return;
	}
	if (node->group->self_name(&reader, name))
		fuse_reply_readlink(req, name);
	else
		fuse_reply_err(req, ENOENT);
	kv_reader_close(&reader);
}

/* --- files --- */

static char *schema_text(const void *view, const struct kv_reader *reader)
{
	(void)reader;
	return kv_schema_put(((const struct kv_view *)view)->schema);
}

static struct kv_source source_of(const struct kv_server *s, const struct kv_node *node)
{
	if (node->type == KV_NODE_STATUS)
		return (struct kv_source){.text = kv_status_text, .arg = s};
	if (node->type == KV_NODE_SCHEMA)
		return (struct kv_source){.text = schema_text, .arg = node->view};
	return (struct kv_source){
		.view = node->view,
		.format = node->format,
		.plan = node->plan,
		.host = &s->host,
		.counters = node->view ? &s->counters[node->view - s->views->list] : NULL,
	};
}

/* The BPF map that a file shows, until it is closed. */
struct map {
	struct kv_map_fds fds; /* of a raw view; otherwise they are those of @views */
	struct kv_views views; /* the one of its elements */
	struct kv_plan plan;
};

static void free_map(void *owned)
{
	struct map *map = owned;

	kv_map_fds_close(&map->fds);
	kv_views_close(&map->views);
	free(map);
}

/* Who opens the file is told that the kernel refuses the program for this map: not who reads it. */
static int try_raw(const struct kv_view *view, const struct kv_link *link, uint64_t id,
		   struct kv_err *err)
{
	int iter = kv_loaded_iter(&view->loaded, link);

	if (iter >= 0) {
		close(iter);
		return 0;
	}
	return kv_err_set(err, iter, "can't run '%s' for the BPF map %ju: %s", view->name,
			  (uintmax_t)id,
			  iter == -EACCES ? "it accesses more bytes than a key or value has"
					  : strerror(-iter));
}

/* @source receives what the file shows; its owner closes @map. */
static int open_map(const struct kv_node *node, uint64_t id, struct map *map,
		    struct kv_source *source, struct kv_err *err)
{
	int rc = kv_host_map(source->host, (uint32_t)id, false, &map->fds);

	if (rc)
		return kv_err_errno(err, rc, "can't open the BPF map %ju", (uintmax_t)id);
	if (node->view) {
		source->subset.link = kv_link_map(map->fds.map);
		return try_raw(node->view, &source->subset.link, id, err);
	}
	rc = kv_map_views(&map->fds, &map->views, err);
	if (rc)
		return rc;
	kv_plan_all(&map->plan, map->views.list->schema);
	source->view = map->views.list;
	source->plan = &map->plan;
	return 0;
}

/* -ENOENT: the map has gone. The reason of another failure is in the log. */
static int add_map(struct kv_server *s, const struct kv_node *node, uint64_t id,
		   struct kv_source *source)
{
	struct map *map = calloc(1, sizeof(*map));
	struct kv_err err = {0};
	int rc;

	if (!map)
		return -ENOMEM;
	map->fds = KV_MAP_FDS_INIT;
	source->free = free_map;
	source->owned = map;
	rc = open_map(node, id, map, source, &err);
	if (!rc)
		return 0;
	if (rc != -ENOENT)
		kv_log_complain(&s->log, err.msg);
	free_map(map);
	return rc;
}

/* The file of @node for this reader: its handle, or -errno. */
static int open_file(fuse_req_t req, const struct kv_node *node, uint64_t ino,
		     struct kv_reader *reader, uint64_t *handle)
{
	struct kv_server *s = server(req);
	struct kv_source source;
	struct kv_member member;
	uid_t user = reader->user;
	struct kv_file *file;
	int rc = kv_caller_look(s, reader, ino, &member);

	if (rc)
		return rc;
	source = source_of(s, node);
	source.subset = member.subset;
	if (node->type == KV_NODE_MAP)
		rc = add_map(s, node, kv_ino_key(ino), &source);
	if (rc)
		return rc;
	file = kv_file_new(&source, reader);
	if (!file && source.free)
		source.free(source.owned);
	rc = file ? kv_handles_add(&s->files, file, user, handle) : -ENOMEM;
	if (rc && file)
		kv_file_free(file);
	return rc;
}

static void op_open(fuse_req_t req, fuse_ino_t told, struct fuse_file_info *fi)
{
	struct kv_server *s = server(req);
	uint64_t ino = unseal(req, told);
	const struct kv_node *node = kv_tree_node(&s->tree, ino);
	struct kv_reader reader = KV_READER_INIT;
	int rc = 0;

	if (!node)
		rc = -ESTALE;
	else if (!S_ISREG(node->mode))
		rc = -EISDIR;
	else if ((fi->flags & O_ACCMODE) != O_RDONLY)
		rc = -EROFS;
	if (!rc)
		rc = kv_caller_identify(req, &reader);
	if (!rc)
		rc = kv_caller_may(s, node, &reader);
	if (!rc && node->type == KV_NODE_ROWS && kv_view_is_off(node->view))
		rc = -ENODATA; /* an empty table would say: nothing has happened */
	if (!rc)
		rc = kv_caller_hold(req, node, &reader);
	if (!rc)
		rc = open_file(req, node, ino, &reader, &fi->fh);
	kv_reader_close(&reader);
	if (rc) {
		fuse_reply_err(req, -rc);
		return;
	}
	fi->direct_io = 1; /* without it a file of size 0 reads as empty */
	if (fuse_reply_open(req, fi) == -ENOENT)
		kv_drop_file(s, fi->fh); /* interrupted */
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	kv_drop_file(server(req), fi->fh);
	fuse_reply_err(req, 0);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st = {.f_namemax = 255};

	(void)ino;
	fuse_reply_statfs(req, &st);
}

static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
		     struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
		     size_t out_size)
{
	int pid = (int)server(req)->supervisor;
	struct kv_reader reader;
	bool may_know;

	(void)arg;
	(void)fi;
	(void)flags;
	(void)in;
	(void)in_size;
	if (ino != KV_ROOT || cmd != KV_IOC_PID || out_size != sizeof(pid) ||
	    fuse_req_ctx(req)->uid != server(req)->uid || kv_caller_identify(req, &reader)) {
		fuse_reply_err(req, ENOTTY);
		return;
	}
	/* In another pid namespace the number would mean another process. */
	may_know = reader.scope.pid_ns == server(req)->host.self.pid_ns;
	kv_reader_close(&reader);
	if (may_know)
		fuse_reply_ioctl(req, 0, &pid, sizeof(pid));
	else
		fuse_reply_err(req, ENOTTY);
}

const struct fuse_lowlevel_ops kv_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.opendir = kv_op_opendir,
	.readdir = kv_op_readdir,
	.releasedir = kv_op_releasedir,
	.open = op_open,
	.read = kv_op_read,
	.release = op_release,
	.statfs = op_statfs,
	.ioctl = op_ioctl,
};
