// SPDX-License-Identifier: GPL-2.0-only
#include "ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "file.h"
#include "iter/kernel.h"
#include "iter/pids.h"

/* The static tree never changes; what is below pid/ depends on who looks. */
#define STATIC_TIMEOUT 60.0
#define DIR_CHUNK 65536u

static void drop_file(struct kv_server *s, uint64_t handle)
{
	struct kv_file *file = kv_handles_drop(&s->files, handle);

	if (file)
		kv_file_free(file);
}

static void drop_pids(struct kv_server *s, uint64_t handle)
{
	struct kv_pids *pids = kv_handles_drop(&s->dirs, handle);

	if (pids)
		kv_pids_free(pids);
}

static struct kv_server *server(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static double timeout_of(const struct kv_server *s, uint64_t ino)
{
	const struct kv_node *node = kv_tree_node(&s->tree, ino);

	return kv_ino_pid(ino) || node->type == KV_NODE_SELF ? 0.0 : STATIC_TIMEOUT;
}

static void fill_attr(const struct kv_server *s, uint64_t ino, struct stat *st)
{
	kv_tree_attr(&s->tree, ino, st);
	st->st_uid = s->uid;
	st->st_gid = s->gid;
	st->st_atim = st->st_mtim = st->st_ctim = s->started;
}

/* A node that is there now: known to the tree, and its process alive. */
static const struct kv_node *find_node(const struct kv_server *s, uint64_t ino)
{
	const struct kv_node *node = kv_tree_node(&s->tree, ino);

	if (node && kv_ino_pid(ino) && !kv_kernel_has_process(kv_ino_pid(ino)))
		return NULL;
	return node;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct kv_server *s = userdata;

	(void)conn;
	if (s->ready_fd >= 0) {
		(void)!write(s->ready_fd, "\1", 1);
		close(s->ready_fd);
		s->ready_fd = -1;
	}
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct kv_server *s = server(req);
	struct fuse_entry_param e = {0};

	e.ino = kv_tree_lookup(&s->tree, parent, name);
	if (!e.ino || !find_node(s, e.ino)) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fill_attr(s, e.ino, &e.attr);
	e.attr_timeout = e.entry_timeout = timeout_of(s, e.ino);
	fuse_reply_entry(req, &e);
}

/* Numbers are not counted, so there is nothing to forget. */
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

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct kv_server *s = server(req);
	struct stat st;

	(void)fi;
	if (!find_node(s, ino)) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fill_attr(s, ino, &st);
	fuse_reply_attr(req, &st, timeout_of(s, ino));
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	const struct kv_node *node = kv_tree_node(&server(req)->tree, ino);
	pid_t pid = kv_kernel_process_of(fuse_req_ctx(req)->pid);
	char name[16];

	if (!node || node->type != KV_NODE_SELF) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	if (!pid) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	snprintf(name, sizeof(name), "%d", (int)pid);
	fuse_reply_readlink(req, name);
}

/* --- directories --- */

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct kv_server *s = server(req);
	const struct kv_node *node = find_node(s, ino);
	struct kv_pids *pids;
	int rc = 0;

	if (!node) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	if (node->type == KV_NODE_PIDS) {
		pids = kv_pids_new(s->pids_link);
		rc = pids ? kv_handles_add(&s->dirs, pids, &fi->fh) : -ENOMEM;
		if (rc && pids)
			kv_pids_free(pids);
	}
	if (rc)
		fuse_reply_err(req, -rc);
	else if (fuse_reply_open(req, fi) == -ENOENT && node->type == KV_NODE_PIDS)
		drop_pids(s, fi->fh); /* interrupted: no release comes */
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct kv_server *s = server(req);
	const struct kv_node *node = kv_tree_node(&s->tree, ino);

	if (node && node->type == KV_NODE_PIDS)
		drop_pids(s, fi->fh);
	fuse_reply_err(req, 0);
}

/*
 * Positions in a directory: 1 is behind ".", 2 behind "..", 3 + index behind
 * an entry of the tree, and PID_BASE + pid behind a process.
 */
#define PID_BASE 0x100000

struct listing {
	fuse_req_t req;
	char *buf;
	size_t size, used;
};

/* False: full. */
static bool add_entry(struct listing *l, const char *name, uint64_t ino, mode_t mode, off_t next)
{
	struct stat st = {.st_ino = ino, .st_mode = mode};
	size_t n = fuse_add_direntry(l->req, l->buf + l->used, l->size - l->used, name, &st, next);

	if (n > l->size - l->used)
		return false;
	l->used += n;
	return true;
}

static bool list_tree(struct listing *l, const struct kv_tree *tree, uint64_t dir, off_t off)
{
	uint32_t i = off < 3 ? 0 : (uint32_t)off - 3 + 1;

	if (off < 1 && !add_entry(l, ".", dir, S_IFDIR, 1))
		return false;
	if (off < 2 && !add_entry(l, "..", kv_tree_parent(tree, dir), S_IFDIR, 2))
		return false;
	for (i = kv_tree_child(tree, dir, i); i; i = kv_tree_child(tree, dir, i + 1))
		if (!add_entry(l, tree->nodes[i].name, kv_ino(kv_ino_pid(dir), i),
			       tree->nodes[i].mode, 3 + (off_t)i))
			return false;
	return true;
}

static int list_pids(struct listing *l, const struct kv_server *s, struct kv_pids *pids, off_t off)
{
	pid_t pid = off < PID_BASE ? 1 : (pid_t)(off - PID_BASE) + 1;

	for (pid = kv_pids_from(pids, pid); pid > 0; pid = kv_pids_from(pids, pid + 1)) {
		char name[16];

		snprintf(name, sizeof(name), "%d", (int)pid);
		if (!add_entry(l, name, kv_ino(pid, s->tree.pid), S_IFDIR, PID_BASE + (off_t)pid))
			return 0;
	}
	return pid;
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	struct kv_server *s = server(req);
	const struct kv_node *node = kv_tree_node(&s->tree, ino);
	struct listing l = {.req = req, .size = size < DIR_CHUNK ? size : DIR_CHUNK};
	struct kv_pids *pids = NULL;
	int rc = 0;

	if (node && node->type == KV_NODE_PIDS)
		pids = kv_handles_get(&s->dirs, fi->fh);
	if (!node || off < 0 || (node->type == KV_NODE_PIDS && !pids)) {
		fuse_reply_err(req, node && off >= 0 ? ESTALE : EINVAL);
		return;
	}
	l.buf = malloc(l.size);
	if (!l.buf)
		rc = -ENOMEM;
	else if ((off >= PID_BASE || list_tree(&l, &s->tree, ino, off)) && pids)
		rc = list_pids(&l, s, pids, off);
	/* Entries that are there go out; the failure comes with the next call. */
	if (rc && !l.used)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_buf(req, l.buf, l.used);
	if (pids)
		drop_pids(s, fi->fh);
	free(l.buf);
}

/* --- files --- */

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct kv_server *s = server(req);
	const struct kv_node *node = find_node(s, ino);
	struct kv_source source;
	struct kv_file *file;
	int rc;

	if (!node) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EROFS);
		return;
	}
	source = (struct kv_source){
		.view = node->view,
		.format = node->format,
		.pid = kv_ino_pid(ino),
	};
	file = kv_file_new(&source);
	rc = file ? kv_handles_add(&s->files, file, &fi->fh) : -ENOMEM;
	if (rc) {
		if (file)
			kv_file_free(file);
		fuse_reply_err(req, -rc);
		return;
	}
	fi->direct_io = 1; /* without it a file of size 0 reads as empty */
	if (fuse_reply_open(req, fi) == -ENOENT)
		drop_file(s, fi->fh); /* interrupted */
}

static bool is_interrupted(void *arg)
{
	return fuse_req_interrupted(arg);
}

static void reply_bytes(void *arg, const struct iovec *iov, int n)
{
	fuse_reply_iov(arg, iov, n);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct kv_server *s = server(req);
	struct kv_file *file = kv_handles_get(&s->files, fi->fh);
	struct kv_read read = {
		.off = (uint64_t)off,
		.size = size,
		.cancelled = is_interrupted,
		.reply = reply_bytes,
		.arg = req,
	};
	struct kv_err err = {0};
	int rc;

	(void)ino;
	if (!file) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	rc = kv_file_read(file, &read, &err);
	drop_file(s, fi->fh);
	if (!rc)
		return;
	if (rc != -ESPIPE && rc != -EINTR && rc != -ENOENT) {
		s->log("%s", err.msg[0] ? err.msg : strerror(-rc));
		rc = rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE ? rc : -EIO;
	}
	fuse_reply_err(req, -rc);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	drop_file(server(req), fi->fh);
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
	int pid = (int)getpid();

	(void)arg;
	(void)fi;
	(void)flags;
	(void)in;
	(void)in_size;
	if (ino == KV_ROOT && cmd == KV_IOC_PID && out_size == sizeof(pid))
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
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_releasedir,
	.open = op_open,
	.read = op_read,
	.release = op_release,
	.statfs = op_statfs,
	.ioctl = op_ioctl,
};
