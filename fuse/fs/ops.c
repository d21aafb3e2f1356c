// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/fs/ops.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "access/process.h"
#include "fuse/fs/read.h"
#include "fuse/fs/readdir.h"
#include "fuse/fs/status.h"
#include "fuse/fs/ioctl.h"

/* The static tree never changes; what is below pid/ depends on who looks. */
#define STATIC_TIMEOUT 60.0

/* What so many take is worth the millisecond that it takes to give it back. */
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
	st->st_uid = is_wide ? s->wide_uid : s->uid;
	st->st_gid = is_wide ? s->wide_gid : s->gid;
	st->st_atim = st->st_mtim = st->st_ctim = s->started;
}

/* --- who asks, and about which process --- */

/* The caller waits for our reply, so it is still what it was as it asked. */
static int identify(fuse_req_t req, struct kv_reader *reader)
{
	struct kv_server *s = server(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct kv_err err = {0};
	int rc = kv_reader_identify(&s->host, ctx->pid, ctx->uid, ctx->gid, reader, &err);

	if (rc)
		kv_log_complain(&s->log, err.msg);
	return rc;
}

/*
 * A node that is there for this reader now: known to the tree, and its process
 * is the same as when it was looked up, and may be known of.
 *
 * After a takeover the number may be one that the daemon before us told, with
 * keys of its own: ESTALE has the kernel look the name up again.
 */
static int look(const struct kv_server *s, const struct kv_reader *reader, uint64_t ino,
		struct kv_process *process)
{
	int rc = kv_process_look(&s->host, reader, kv_ino_pid(ino), process);

	if (!rc && kv_who(process->pid, process->start) != kv_ino_who(ino))
		rc = -ENOENT;
	return rc == -ENOENT && s->is_successor ? -ESTALE : rc;
}

/* May the caller go into the directory of a process, or look at what is in it? */
static int enter(fuse_req_t req, uint64_t ino)
{
	struct kv_process process;
	struct kv_reader reader;
	int rc;

	if (!kv_ino_who(ino))
		return 0;
	rc = identify(req, &reader);
	if (rc)
		return rc;
	rc = look(server(req), &reader, ino, &process);
	kv_reader_close(&reader);
	return !rc && process.is_hidden ? -EPERM : rc;
}

/* pid/N: the reader's N. */
static int find_process(fuse_req_t req, pid_t nr, uint64_t *ino)
{
	struct kv_server *s = server(req);
	struct kv_process process;
	struct kv_reader reader;
	int rc;

	if (!nr)
		return -ENOENT;
	rc = identify(req, &reader);
	if (rc)
		return rc;
	rc = kv_process_find(&s->host, &reader, nr, &process);
	kv_reader_close(&reader);
	if (!rc)
		*ino = kv_ino(kv_who(process.pid, process.start), s->tree.pid);
	return rc;
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

	/* For later workers replay_init() does. */
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
	rc = enter(req, parent);
	if (rc)
		return rc;
	*ino = kv_tree_lookup(tree, parent, name);
	if (*ino)
		return 0;
	return dir->type == KV_NODE_PIDS ? find_process(req, kv_tree_pid(name), ino) : -ENOENT;
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
	 * Whose process pid/N is, or whether it is at all, depends on who looks; and what is
	 * in a directory that somebody holds open goes with its process.
	 */
	e.entry_timeout = kv_ino_who(ino) ? 0.0 : STATIC_TIMEOUT;
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
	const struct kv_node *node = kv_tree_node(&server(req)->tree, unseal(req, told));
	struct kv_reader reader;
	char name[16];
	int rc;

	if (!node || node->type != KV_NODE_SELF) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	rc = identify(req, &reader);
	if (rc) {
		fuse_reply_err(req, -rc);
		return;
	}
	snprintf(name, sizeof(name), "%d", (int)reader.pid);
	if (reader.pid)
		fuse_reply_readlink(req, name);
	else
		fuse_reply_err(req, ENOENT);
	kv_reader_close(&reader);
}

/* --- directories --- */

static int open_pids(fuse_req_t req, uint64_t *handle)
{
	struct kv_server *s = server(req);
	struct kv_processes *processes;
	struct kv_reader reader;
	int rc = identify(req, &reader);
	uid_t user;

	if (rc)
		return rc;
	user = reader.user;
	processes = kv_processes_new(&s->host, &reader);
	rc = processes ? kv_handles_add(&s->dirs, processes, user, handle) : -ENOMEM;
	if (rc && processes)
		kv_processes_free(processes);
	kv_reader_close(&reader);
	return rc;
}

static void op_opendir(fuse_req_t req, fuse_ino_t told, struct fuse_file_info *fi)
{
	struct kv_server *s = server(req);
	uint64_t ino = unseal(req, told);
	const struct kv_node *node = kv_tree_node(&s->tree, ino);
	int rc = node ? enter(req, ino) : -ESTALE;

	if (!rc && node->type == KV_NODE_PIDS)
		rc = open_pids(req, &fi->fh);
	if (rc)
		fuse_reply_err(req, -rc);
	else if (fuse_reply_open(req, fi) == -ENOENT && node->type == KV_NODE_PIDS)
		kv_drop_dir(s, fi->fh); /* interrupted: no release comes */
}

static void op_releasedir(fuse_req_t req, fuse_ino_t told, struct fuse_file_info *fi)
{
	struct kv_server *s = server(req);
	const struct kv_node *node = kv_tree_node(&s->tree, unseal(req, told));

	if (node && node->type == KV_NODE_PIDS)
		kv_drop_dir(s, fi->fh);
	fuse_reply_err(req, 0);
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
		.counters = &s->counters[node->view - s->views->list],
	};
}

/* The file of @node for this reader: its handle, or -errno. */
static int open_file(fuse_req_t req, const struct kv_node *node, uint64_t ino,
		     struct kv_reader *reader, uint64_t *handle)
{
	struct kv_server *s = server(req);
	struct kv_source source = source_of(s, node);
	struct kv_process process = {0};
	uid_t user = reader->user;
	struct kv_file *file;
	int rc = 0;

	if (kv_ino_who(ino))
		rc = look(s, reader, ino, &process);
	if (rc || process.is_hidden)
		return rc ? rc : -EPERM;
	source.pid = process.pid;
	source.start = process.start;
	file = kv_file_new(&source, reader);
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
		rc = identify(req, &reader);
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
	int pid = (int)server(req)->holder;
	struct kv_reader reader;
	bool may_know;

	(void)arg;
	(void)fi;
	(void)flags;
	(void)in;
	(void)in_size;
	if (ino != KV_ROOT || cmd != KV_IOC_PID || out_size != sizeof(pid) ||
	    fuse_req_ctx(req)->uid != server(req)->uid || identify(req, &reader)) {
		fuse_reply_err(req, ENOTTY);
		return;
	}
	/* For who may unmount; in another pid namespace the number means another process. */
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
	.opendir = op_opendir,
	.readdir = kv_op_readdir,
	.releasedir = op_releasedir,
	.open = op_open,
	.read = kv_op_read,
	.release = op_release,
	.statfs = op_statfs,
	.ioctl = op_ioctl,
};
