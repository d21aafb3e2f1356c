// SPDX-License-Identifier: GPL-2.0-only
/*
 * FUSE requests in any order to the server's callbacks, without a mount. There
 * is one thread: what other threads would do meanwhile is done by requests
 * that come while a read walks in the kernel.
 */
#include <sys/eventfd.h>

#include "fuse/fs/ioctl.h"
#include "fuse/fs/dir.h"
#include "fuse/fs/request.h"
#include "fuzz_session.h"
#include "access/identity.h"
#include "load/kernel.h"

#define MAX_DEPTH 3
#define MAX_STEPS (MAX_REQUESTS / 3) /* the rest is for closing what is open then */

/* --- what a request is about --- */

static uint64_t any_node(struct input *in)
{
	uint8_t which = in_8(in);
	unsigned int n = conn.n_nodes < COUNT(conn.nodes) ? conn.n_nodes : COUNT(conn.nodes);

	if (which >= 250)
		return in_64(in);
	if (which >= 200 || !n)
		return which % 32; /* of the tree, or above it */
	return conn.nodes[which % n];
}

static struct handle *any_handle(struct input *in, bool is_dir)
{
	unsigned int skip = in_8(in) % 8, seen = 0;

	for (unsigned int i = conn.n_handles; i-- > 0;)
		if (conn.handles[i].is_open && conn.handles[i].is_dir == is_dir && seen++ == skip)
			return &conn.handles[i];
	return NULL;
}

/* One that an earlier worker gave out. */
static uint64_t stale_handle(struct input *in)
{
	uint64_t fh = in_64(in);

	return fh >> 32 == conn.server.files.epoch ? fh ^ 1ull << 40 : fh;
}

static uint64_t any_offset(struct input *in, uint64_t next)
{
	switch (in_8(in) % 6) {
	case 0:
		return 0;
	case 1:
		return next + in_16(in);
	case 2:
		return next - (in_16(in) < next ? in_16(in) % (next + 1) : 0);
	case 3:
		return in_64(in) & INT64_MAX;
	default:
		return next;
	}
}

/* --- requests of each kind --- */

static void do_lookup(struct input *in, uid_t uid)
{
	static const char *const names[] = {"pid",  "self", "json",   "csv",	   "schema",
					    "rows", "wide", "status", "rows.json", "wide.csv",
					    "1",    "2",    "3",      "4194303",   "."};
	struct request r = {.opcode = FUSE_LOOKUP, .node = any_node(in)};
	uint8_t which = in_8(in);
	char name[64];
	size_t n;

	if (which < 240)
		n = (size_t)snprintf(name, sizeof(name), "%s", names[which % COUNT(names)]);
	else
		n = in_word(in, name, sizeof(name) - 1);
	send_request(r, uid, name, n + 1);
}

static void do_getattr(struct input *in, uid_t uid)
{
	struct fuse_getattr_in arg = {0};

	send_request((struct request){.opcode = FUSE_GETATTR, .node = any_node(in)}, uid, &arg,
		     sizeof(arg));
}

static void do_open(struct input *in, uid_t uid, uint32_t opcode)
{
	struct request r = {.opcode = opcode, .node = any_node(in)};
	uint8_t how = in_8(in);
	struct fuse_open_in arg = {.flags = how >= 240 ? how % 4 : O_RDONLY};

	send_request(r, uid, &arg, sizeof(arg));
}

/*
 * One read of a file at a time: another one would wait for the file's lock,
 * which the thread has that would have to let it go.
 */
static void do_read(struct input *in, uid_t uid)
{
	struct handle *h = any_handle(in, false);
	struct fuse_read_in arg = {.fh = h ? h->fh : stale_handle(in)};
	struct request r = {.opcode = FUSE_READ, .node = h ? h->node : any_node(in)};

	if (is_busy(arg.fh))
		return;
	arg.offset = any_offset(in, h ? h->off : 0);
	arg.size = in_8(in) & 1 ? 131072 : in_16(in);
	r.fh = arg.fh;
	r.off = arg.offset;
	r.size = arg.size;
	if (h) {
		h->off = arg.offset + arg.size;
		conn.busy[conn.n_busy++ % COUNT(conn.busy)] = arg.fh;
	}
	send_request(r, uid, &arg, sizeof(arg));
}

/* The kernel closes a file when the last read of it was answered: it may still be under way. */
static bool is_awaited(uint64_t fh)
{
	for (unsigned int i = 0; i < conn.n_requests; i++)
		if (conn.requests[i].opcode == FUSE_READ && conn.requests[i].fh == fh &&
		    !conn.requests[i].is_answered)
			return true;
	return false;
}

static void close_handle(struct handle *h)
{
	struct fuse_release_in arg = {.fh = h->fh};
	struct request r = {.opcode = h->is_dir ? FUSE_RELEASEDIR : FUSE_RELEASE, .node = h->node};

	h->is_open = false;
	send_request(r, 0, &arg, sizeof(arg));
}

static void do_release(struct input *in, bool is_dir)
{
	struct handle *h = any_handle(in, is_dir);
	struct handle stale = {.node = h ? 0 : any_node(in), .is_dir = is_dir};

	if (!h) {
		stale.fh = stale_handle(in);
		close_handle(&stale);
	} else if (is_dir || !is_awaited(h->fh)) {
		close_handle(h);
	}
}

static void do_readdir(struct input *in, uid_t uid)
{
	struct handle *h = any_handle(in, true);
	struct fuse_read_in arg = {.fh = h ? h->fh : stale_handle(in)};
	struct request r = {.opcode = FUSE_READDIR, .node = h ? h->node : any_node(in)};

	arg.offset = any_offset(in, in_8(in) & 1 ? KV_MEMBERS + in_8(in) % 8u : in_8(in) % 32u);
	arg.size = in_8(in) & 1 ? 4096 : in_16(in);
	r.off = arg.offset;
	r.size = arg.size;
	send_request(r, uid, &arg, sizeof(arg));
}

static void do_forget(struct input *in, uid_t uid)
{
	struct {
		struct fuse_batch_forget_in head;
		struct fuse_forget_one ones[4];
	} many = {.head.count = in_8(in) % 5};
	struct fuse_forget_in one = {.nlookup = in_64(in)};

	for (uint32_t i = 0; i < many.head.count; i++)
		many.ones[i] = (struct fuse_forget_one){any_node(in), in_8(in)};
	if (many.head.count)
		send_request((struct request){.opcode = FUSE_BATCH_FORGET}, uid, &many,
			     sizeof(many));
	else
		send_request((struct request){.opcode = FUSE_FORGET, .node = any_node(in)}, uid,
			     &one, sizeof(one));
}

/* Of one that waits, or, overtaking it, of the one to come. */
static void do_interrupt(struct input *in)
{
	struct fuse_interrupt_in arg = {.unique = 2 * ((uint64_t)conn.n_requests + 2)};
	unsigned int skip = in_8(in) % 4;

	for (unsigned int i = conn.n_requests; i-- > 0 && skip < 3;)
		if (conn.requests[i].opcode == FUSE_READ && !conn.requests[i].is_answered &&
		    skip-- == 0) {
			arg.unique = 2 * ((uint64_t)i + 1);
			break;
		}
	send_request((struct request){.opcode = FUSE_INTERRUPT}, 0, &arg, sizeof(arg));
}

static void do_ioctl(struct input *in, uid_t uid)
{
	struct fuse_ioctl_in arg = {
		.cmd = in_8(in) & 1 ? (uint32_t)KV_IOC_PID : (uint32_t)in_64(in),
		.flags = FUSE_IOCTL_DIR,
		.out_size = in_8(in) & 1 ? sizeof(int) : in_16(in),
	};

	send_request((struct request){.opcode = FUSE_IOCTL, .node = any_node(in)}, uid, &arg,
		     sizeof(arg));
}

/* What the server has no answer to: libfuse says so. */
static void do_other(struct input *in, uid_t uid)
{
	static const uint32_t opcodes[] = {FUSE_STATFS,	  FUSE_SETATTR, FUSE_MKDIR,  FUSE_WRITE,
					   FUSE_GETXATTR, FUSE_ACCESS,	FUSE_CREATE, FUSE_FLUSH,
					   FUSE_LSEEK,	  FUSE_RENAME2, FUSE_POLL};
	static const char zeros[256];

	send_request((struct request){.opcode = opcodes[in_8(in) % COUNT(opcodes)],
				      .node = any_node(in)},
		     uid, zeros, sizeof(zeros));
}

static void step(struct input *in)
{
	uint8_t what = in_8(in), who = in_8(in);
	uid_t uid = who & 7;

	if (conn.n_requests >= MAX_STEPS)
		return;
	become(who, uid);
	switch (what % 16) {
	case 0:
	case 1:
		do_lookup(in, uid);
		break;
	case 2:
		do_getattr(in, uid);
		break;
	case 3:
	case 4:
		do_open(in, uid, FUSE_OPEN);
		break;
	case 5:
	case 6:
	case 7:
		do_read(in, uid);
		break;
	case 8:
		do_release(in, what & 0x80);
		break;
	case 9:
		do_open(in, uid, FUSE_OPENDIR);
		break;
	case 10:
		do_readdir(in, uid);
		break;
	case 11:
		send_request((struct request){.opcode = FUSE_READLINK, .node = any_node(in)}, uid,
			     NULL, 0);
		break;
	case 12:
		do_interrupt(in);
		break;
	case 13:
		change_process(who, in_8(in));
		kv_sched_tick(&conn.server.sched);
		break;
	case 14:
		what & 0x80 ? do_ioctl(in, uid) : do_forget(in, uid);
		break;
	default:
		do_other(in, uid);
	}
}

static void while_walking(void)
{
	if (conn.depth >= MAX_DEPTH)
		return;
	conn.depth++;
	for (unsigned int n = 1 + in_8(kernel.in) % 4; n; n--)
		step(kernel.in);
	conn.depth--;
}

/* --- the server --- */

static struct kv_view views_list[] = {
	{.name = "rows", .kind = "task_file", .param = KV_PARAM_TASK},
	{.name = "wide", .kind = "kmem_cache"},
	{.name = "gone", .kind = "gone"},
};
static const struct kv_views views = {.list = views_list, .n = COUNT(views_list)};
static const struct kv_loaded view_loaded = {PROG(IT_VIEW), PROG(IT_VIEW), -1, -1};
static const struct kv_loaded self_loaded = {PROG(IT_SELF), PROG(IT_SELF), -1, -1};

static ssize_t no_read(int fd, void *buf, size_t len, void *server)
{
	(void)fd;
	(void)buf;
	(void)len;
	(void)server;
	return -1;
}

static const struct kv_sched_owner nobody;
static const struct kv_share_limits sched_limits = {
	.slots = 2, .lane = 2, .each = 2, .host_each = 2, .all = 3};

static void open_server(struct kv_server *s, uint8_t how)
{
	for (size_t i = 0; i < COUNT(views_list); i++) {
		views_list[i].schema = &row_schema;
		views_list[i].is_loaded = i < 2;
		views_list[i].loaded = view_loaded;
	}
	*s = (struct kv_server){
		.views = &views,
		.supervisor = 1,
		.host = KV_HOST_INIT,
		.limits = {.all = 6, .each = 2},
		.ready_fd = -1,
		.log = {.fd = -1},
		.seal = {.keys = {1, 2, 3, 4, 5, 6}, .tree = &s->tree},
	};
	s->host.policy.host_view = how >= 0xf0;
	s->host.policy.hidepid = (enum kv_hidepid)(how % 3);
	s->host.policy.hidepid_gid = 1u + (how >> 2 & 1);
	s->host.self = own_identity();
	kv_self_by(&self_loaded);
	s->host.reader_query = (struct kv_loaded){PROG(IT_IDENTITY), PROG(IT_IDENTITY), -1, -1};
	s->host.processes_query =
		(struct kv_loaded){PROG(IT_PROCESSES), PROG(IT_PROCESSES), -1, -1};
	s->host.threads_query = (struct kv_loaded){PROG(IT_THREADS), PROG(IT_THREADS), -1, -1};
	s->host.self.walk_skips = how >> 4 & 1;
	s->host.finds_threads = how >> 5 & 1;
	conn.facts = (struct kv_facts){0};
	s->facts = &conn.facts;
	s->counters = calloc(views.n, sizeof(struct kv_counters));
	conn.log = (struct kv_log_state){0};
	s->log.state = &conn.log;
	MUST(s->counters && kv_tree_new(&s->tree, &views, kv_groups, 0400) == 0);
	kv_handles_init(&s->files, 7, &s->limits);
	kv_handles_init(&s->dirs, 7, &s->limits);
	MUST(kv_sched_start(&s->sched, &sched_limits, &kv_request_ops, &nobody) == -EAGAIN);
}

/* @waiting: requests, as poll() tells */
static void open_session(unsigned int waiting)
{
	static const struct fuse_custom_io io = {.writev = take_reply, .read = no_read};
	struct fuse_init_in init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_readahead = 131072,
		.flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_MAX_PAGES,
	};
	char *argv[] = {(char *)"kview", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	int fd = eventfd(waiting, EFD_CLOEXEC);

	conn.session = fuse_session_new(&args, &kv_ops, sizeof(kv_ops), &conn.server);
	fuse_opt_free_args(&args);
	MUST(conn.session && fd >= 0 && fuse_session_custom_io(conn.session, &io, fd) == 0);
	send_request((struct request){.opcode = FUSE_INIT}, 0, &init, sizeof(init));
	MUST(conn.requests[0].is_answered && conn.server.facts->is_ready);
}

static void free_file(void *file)
{
	(void)file;
	MUST(!"a file is left");
}

/* Interrupts that met nobody are answered with the requests that come next. */
static void close_session(void)
{
	struct kv_server *s = &conn.server;

	for (unsigned int i = 0; i < conn.n_handles; i++)
		if (conn.handles[i].is_open)
			close_handle(&conn.handles[i]);
	for (unsigned int n = conn.n_requests; n; n--)
		if (conn.n_requests < MAX_REQUESTS)
			send_request((struct request){.opcode = FUSE_STATFS}, 0, NULL, 0);
	check_idle();
	fuse_session_destroy(conn.session);
	MUST(kv_sched_stop(&s->sched));
	kv_handles_free(&s->files, free_file);
	kv_handles_free(&s->dirs, free_file);
	kv_tree_free(&s->tree);
	free(s->counters);
}

static int lowest_fd(void)
{
	int fd = dup(STDERR_FILENO);

	MUST(fd >= 0);
	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	uint8_t how = in_8(&in);
	int fd = lowest_fd();

	conn.n_requests = conn.n_handles = conn.n_nodes = conn.n_busy = conn.depth = 0;
	kernel.in = &in;
	kernel.on_read = while_walking;
	for (unsigned int i = 0; i < NR_PROCESSES; i++)
		change_process(i, 1);
	conn.is_open = true;
	open_server(&conn.server, how);
	open_session(how >> 3 & 1);
	while (in_left(&in) && conn.n_requests < MAX_STEPS) {
		step(&in);
		check_idle();
	}
	close_session();
	conn.is_open = false;
	MUST(lowest_fd() == fd);
	return 0;
}
