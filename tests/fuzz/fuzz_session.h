/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The other end of the connection: requests as the kernel writes them, and
 * what must hold of the replies. Keeps what a kernel would: which requests are
 * unanswered, which nodes and handles it was told of.
 */
#ifndef KVIEW_FUZZ_SESSION_H
#define KVIEW_FUZZ_SESSION_H

#include <dlfcn.h>
#include <linux/fuse.h>

#include "fuzz_kernel.h"

#define MAX_REQUESTS 768
#define MAX_READ (1u << 20)

struct request {
	uint32_t opcode;
	uint64_t node, fh, off;
	uint32_t size;
	bool is_answered;
};

struct handle {
	uint64_t node, fh, off; /* @off: where the last read ended */
	bool is_dir, is_open;
};

static struct {
	struct fuse_session *session;
	struct kv_server server;
	struct kv_facts facts;
	struct kv_log_state log;
	struct request requests[MAX_REQUESTS];
	unsigned int n_requests;
	struct handle handles[MAX_REQUESTS];
	unsigned int n_handles;
	uint64_t nodes[32];
	unsigned int n_nodes;
	uint64_t busy[MAX_REQUESTS]; /* files that a read has, or waits for */
	unsigned int n_busy;
	bool is_open;
	unsigned int depth;  /* requests that come while a read walks */
	bool sets_interrupt; /* within fuse_req_interrupt_func() */
	char reply[MAX_READ + 4096];
} conn;

static inline void learn_node(uint64_t node)
{
	conn.nodes[conn.n_nodes++ % COUNT(conn.nodes)] = node;
}

static inline struct handle *find_handle(uint64_t fh, bool is_dir)
{
	for (unsigned int i = 0; i < conn.n_handles; i++)
		if (conn.handles[i].is_open && conn.handles[i].fh == fh &&
		    conn.handles[i].is_dir == is_dir)
			return &conn.handles[i];
	return NULL;
}

static inline bool is_busy(uint64_t fh)
{
	for (unsigned int i = 0; i < conn.n_busy; i++)
		if (conn.busy[i] == fh)
			return true;
	return false;
}

/* --- what a reply must be --- */

static inline void check_attr(const struct fuse_attr *attr, uint64_t node)
{
	uint32_t kind = attr->mode & S_IFMT;

	MUST(attr->ino == node && node && attr->size == 0 && attr->nlink);
	MUST(kind == S_IFDIR || kind == S_IFREG || kind == S_IFLNK);
}

static inline void check_entry(const void *p, size_t n)
{
	struct fuse_entry_out entry;

	MUST(n == sizeof(entry));
	memcpy(&entry, p, n);
	check_attr(&entry.attr, entry.nodeid);
	learn_node(entry.nodeid);
}

static inline void check_getattr(const struct request *r, const void *p, size_t n)
{
	struct fuse_attr_out out;

	MUST(n == sizeof(out));
	memcpy(&out, p, n);
	check_attr(&out.attr, r->node);
}

/* False: nobody waits for it any more, the server has to drop it. */
static inline bool check_open(const struct request *r, const void *p, size_t n)
{
	struct fuse_open_out out;
	bool is_dir = r->opcode == FUSE_OPENDIR;

	MUST(n == sizeof(out));
	memcpy(&out, p, n);
	if (in_8(kernel.in) >= 240)
		return false;
	MUST(is_dir || ((out.open_flags & FOPEN_DIRECT_IO) && !find_handle(out.fh, false)));
	conn.handles[conn.n_handles++] =
		(struct handle){.node = r->node, .fh = out.fh, .is_dir = is_dir, .is_open = true};
	return true;
}

static inline void check_readdir(const struct request *r, const char *p, size_t n)
{
	uint64_t before = r->off;

	MUST(n <= r->size);
	for (size_t at = 0; at < n;) {
		struct fuse_dirent d;

		MUST(n - at >= FUSE_NAME_OFFSET);
		memcpy(&d, p + at, FUSE_NAME_OFFSET);
		MUST(d.ino && d.namelen >= 1 && d.namelen <= 255 && d.off > before);
		MUST(FUSE_DIRENT_SIZE(&d) <= n - at);
		MUST(!memchr(p + at + FUSE_NAME_OFFSET, '/', d.namelen));
		MUST(!memchr(p + at + FUSE_NAME_OFFSET, '\0', d.namelen));
		learn_node(d.ino);
		before = d.off;
		at += FUSE_DIRENT_SIZE(&d);
	}
}

static inline void check_error(const struct request *r, int code)
{
	static const int reads[] = {EINTR, ESPIPE, ENOENT, EACCES, EIO, ESTALE, ENOMEM, EMFILE};
	bool is_known = r->opcode != FUSE_READ;

	MUST(code > 0 && code < 134);
	for (size_t i = 0; i < COUNT(reads); i++)
		is_known = is_known || reads[i] == code;
	MUST(is_known);
	MUST(r->opcode != FUSE_INTERRUPT || code == EAGAIN);
	MUST(r->opcode != FUSE_RELEASE && r->opcode != FUSE_RELEASEDIR);
}

static inline bool check_payload(const struct request *r, const char *p, size_t n)
{
	switch (r->opcode) {
	case FUSE_LOOKUP:
		check_entry(p, n);
		return true;
	case FUSE_GETATTR:
		check_getattr(r, p, n);
		return true;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return check_open(r, p, n);
	case FUSE_READDIR:
		check_readdir(r, p, n);
		return true;
	case FUSE_READ:
		MUST(n <= r->size);
		return true;
	case FUSE_READLINK:
		MUST(n && n < 16);
		return true;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		MUST(n == 0);
		return true;
	default:
		MUST(r->opcode != FUSE_FORGET && r->opcode != FUSE_BATCH_FORGET);
		return true;
	}
}

/* fuse_custom_io.writev: every request gets one reply, of the length it says. */
static inline ssize_t take_reply(int fd, struct iovec *iov, int n, void *server)
{
	struct fuse_out_header head;
	struct request *r;
	size_t len = 0;

	MUST(fd >= 0 && server == &conn.server && n >= 1 && iov[0].iov_len == sizeof(head));
	/* libfuse unlocks the request behind it: the reply must not have freed it. */
	MUST(!conn.sets_interrupt);
	memcpy(&head, iov[0].iov_base, sizeof(head));
	for (int i = 1; i < n; i++) {
		MUST(iov[i].iov_len <= sizeof(conn.reply) - len);
		memcpy(conn.reply + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	MUST(head.len == sizeof(head) + len);
	MUST(head.unique % 2 == 0 && head.unique && head.unique / 2 <= conn.n_requests);
	r = &conn.requests[head.unique / 2 - 1];
	MUST(!r->is_answered);
	r->is_answered = true;
	if (head.error) {
		MUST(len == 0);
		check_error(r, -head.error);
	} else if (!check_payload(r, conn.reply, len)) {
		errno = ENOENT; /* as the kernel says of a request that was interrupted */
		return -1;
	}
	return (ssize_t)(sizeof(head) + len);
}

/* libfuse's stands behind this one. */
void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void *data)
{
	static void (*real)(fuse_req_t, fuse_interrupt_func_t, void *);
	bool before = conn.sets_interrupt;

	if (!real)
		real = (void (*)(fuse_req_t, fuse_interrupt_func_t, void *))dlsym(
			RTLD_NEXT, "fuse_req_interrupt_func");
	MUST(real);
	conn.sets_interrupt = true;
	real(req, func, data);
	conn.sets_interrupt = before;
}

/* The sanitizer's, which knows of all threads. */
int __interceptor_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
				 void *(*run)(void *), void *arg);

/* There is one thread. What the others would do is done by it, as where the system has no more. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	return conn.is_open ? EAGAIN : __interceptor_pthread_create(thread, attr, run, arg);
}

/* --- requests --- */

/* In memory of just its size. The reply may come within, or later. */
static inline void send_request(struct request r, uid_t uid, const void *payload, size_t len)
{
	struct fuse_in_header head = {
		.len = (uint32_t)(sizeof(head) + len),
		.opcode = r.opcode,
		.nodeid = r.node,
		.uid = uid,
		.pid = (uint32_t)getpid(),
	};
	struct fuse_buf buf = {.size = head.len, .mem = malloc(head.len)};

	MUST(buf.mem);
	if (conn.n_requests < MAX_REQUESTS) {
		conn.requests[conn.n_requests++] = r;
		head.unique = 2 * (uint64_t)conn.n_requests;
		memcpy(buf.mem, &head, sizeof(head));
		if (len)
			memcpy((char *)buf.mem + sizeof(head), payload, len);
		fuse_session_process_buf(conn.session, &buf);
	}
	free(buf.mem);
}

static inline bool is_group(uint64_t told)
{
	const struct kv_tree *tree = &conn.server.tree;
	const struct kv_node *node = kv_tree_node(tree, kv_tree_find(tree, told));

	return node && node->type == KV_NODE_GROUP;
}

/* Between requests that came from nobody's read: all is answered, nothing is left over. */
static inline void check_idle(void)
{
	struct kv_sched_counts counts;
	unsigned int files = 0, dirs = 0;

	for (unsigned int i = 0; i < conn.n_requests; i++) {
		const struct request *r = &conn.requests[i];
		bool is_silent = r->opcode == FUSE_FORGET || r->opcode == FUSE_BATCH_FORGET;

		MUST(r->opcode == FUSE_INTERRUPT || r->is_answered == !is_silent);
	}
	for (unsigned int i = 0; i < conn.n_handles; i++) {
		const struct handle *h = &conn.handles[i];

		files += h->is_open && !h->is_dir;
		dirs += h->is_open && h->is_dir && is_group(h->node);
	}
	kv_sched_count(&conn.server.sched, &counts);
	MUST(counts.running == 0 && counts.waiting == 0);
	MUST(kv_handles_count(&conn.server.files) == files);
	MUST(kv_handles_count(&conn.server.dirs) == dirs);
	conn.n_busy = 0;
}

#endif
