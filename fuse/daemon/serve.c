// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <syslog.h>
#include <time.h>

#include "base/cleanup.h"
#include "fuse/daemon/descriptors.h"
#include "access/identity.h"
#include "load/types.h"
#include "fuse/daemon/supervisor.h"
#include "fuse/fs/ops.h"
#include "fuse/mount/mountpoint.h"
#include "fuse/daemon/privilege.h"

/* Fewer open files would keep users waiting who do nothing unusual. */
#define LEAST_FILES 32

/* Of libfuse, which tells nothing that errno and the log don't. */
static void say_nothing(enum fuse_log_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
}

/* --- up --- */

static int open_connection(struct kv_mounted *m, struct kv_err *err)
{
	int rc;

	if (m->before.pid)
		return kv_connection_share(m->before.pidfd, m->before.pid, m->mountpoint,
					   &m->connection, err);
	rc = kv_connection_mount(m->mountpoint, m->opts->allow_other, &m->connection, err);
	close(TAKE_FD(m->mount_lock));
	return rc;
}

static int open_session(struct kv_mounted *m, struct kv_err *err)
{
	char *argv[] = {"kview", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	int rc = -ENOMEM;

	fuse_set_log_func(say_nothing);
	m->session = fuse_session_new(&args, &kv_ops, sizeof(kv_ops), &m->server);
	fuse_opt_free_args(&args);
	if (m->session)
		rc = kv_flight_session(m->session, m->connection.fd);
	return rc ? kv_err_errno(err, rc, "can't serve '%s'", m->mountpoint) : 0;
}

static size_t shared_size(const struct kv_mounted *m)
{
	return sizeof(struct kv_shared) + m->views.n * sizeof(struct kv_counters);
}

/* How many files there may be: as many as are asked for, or else as there can be. */
static int open_limits(struct kv_mounted *m, struct kv_err *err)
{
	unsigned int each = m->opts->max_user_files, all = m->opts->max_files, least = all;
	int rc;

	if (!all) {
		all = KV_MAX_FILES;
		least = each < LEAST_FILES ? LEAST_FILES : each + 1;
	}
	rc = kv_descriptors_provide(least, &all, err);
	if (!each)
		each = all / 2 < 256 ? all / 2 : 256;
	m->server.limits = (struct kv_handle_limits){all, each, .host = m->server.uid};
	return rc;
}

static int open_server(struct kv_mounted *m, struct kv_err *err)
{
	struct kv_server *s = &m->server;
	int rc = kv_tree_new(&s->tree, &m->views, kv_groups, m->opts->policy.wide_mode);

	m->shared = mmap(NULL, shared_size(m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	if (m->shared == MAP_FAILED) {
		m->shared = NULL;
		return kv_err_errno(err, -errno, "can't serve");
	}
	s->flight = &m->shared->flight;
	s->facts = &m->shared->facts;
	s->counters = m->shared->counters;
	s->views = &m->views;
	s->cpu_percent = m->opts->cpu_percent;
	/* The kernel has sent FUSE_INIT to the predecessor. */
	m->shared->facts.is_ready = s->is_successor = m->before.pid != 0;
	if (!rc)
		rc = kv_seal_init(&s->seal, &s->tree);
	if (!rc && getrandom(&m->shared->generation, sizeof(m->shared->generation), 0) < 0)
		rc = -errno;
	if (rc)
		return kv_err_errno(err, rc, "can't serve");
	rc = kv_host_open(&s->host, &m->opts->policy, s->tree.ngroups, &m->pins, m->views.types,
			  err);
	return rc ? rc : kv_identity_pin(&m->pins, &s->host.reader_query, err);
}

/* The mount to take over, or the place to mount on. */
static int open_place(struct kv_mounted *m, struct kv_err *err)
{
	const struct kv_mount_opts *opts = m->opts;
	int rc = -ENOENT;

	if (opts->takeover)
		rc = kv_mountpoint_find_live(opts->mountpoint, opts->allow_other, &m->mountpoint,
					     err);
	if (rc == -ENOENT)
		return kv_mountpoint_prepare(opts->mountpoint, &m->mountpoint, &m->mount_lock, err);
	return rc ? rc : kv_predecessor_find(m->mountpoint, &m->before, err);
}

static int open_all(struct kv_mounted *m, struct kv_err *err)
{
	const struct kv_mount_opts *opts = m->opts;
	int rc = kv_privilege_check(!opts->policy.host_view, err);

	if (!rc)
		rc = open_place(m, err);
	if (!rc)
		rc = kv_views_open(opts->iter_dir, NULL, &m->views, err);
	if (!rc)
		rc = open_limits(m, err);
	if (!rc)
		rc = kv_pins_open(opts->pin_dir, true, &m->pins, err);
	if (!rc && opts->collect)
		rc = kv_views_collect(&m->views, opts->collect, err);
	if (!rc)
		rc = kv_pinset_claim(&m->pins, &m->views, err);
	if (!rc)
		rc = kv_pinset_make(&m->pins, &m->views, opts->takeover, opts->warn, err);
	if (!rc)
		rc = open_server(m, err);
	kv_types_drop(m->views.types);
	return rc;
}

/* --- down --- */

static void close_all(struct kv_mounted *m)
{
	if (m->session)
		fuse_session_destroy(m->session); /* closes connection.fd */
	else
		kv_closep(&m->connection.fd);
	m->connection.fd = -1;
	kv_connection_close(&m->connection);
	kv_predecessor_close(&m->before);
	kv_tree_free(&m->server.tree);
	kv_host_close(&m->server.host);
	if (m->shared)
		munmap(m->shared, shared_size(m));
	kv_closep(&m->mount_lock);
	kv_views_close(&m->views);
	if (m->is_starter)
		kv_pins_close(&m->pins);
	else
		kv_pins_release(&m->pins);
	free(m->mountpoint);
}

/* --- serving --- */

/* Mount, and keep the mount until it goes or a signal ends it. */
static int serve(struct kv_mounted *m, struct kv_err *err)
{
	int rc = open_connection(m, err);

	if (!rc)
		rc = open_session(m, err);
	if (!rc)
		rc = kv_supervise(m, err);
	/* Unless another daemon serves it: the next one, or the one before, which we did not replace. */
	if (!m->is_handed_over && !m->before.pid)
		kv_connection_unmount(&m->connection);
	return rc;
}

static void detach(void)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	(void)!chdir("/");
	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

/*
 * Its starter learns through starter_fd how it went: a byte once the mount answers, or the error,
 * when nothing is left of it.
 */
static _Noreturn void be_daemon(struct kv_mounted *m)
{
	struct kv_err err = {0};
	int rc;

	detach();
	kv_log_to_daemon(&m->server.log, _PATH_LOG, &m->shared->log);
	rc = serve(m, &err);
	if (rc && m->starter_fd < 0)
		kv_log_say(&m->server.log, "%s", err.msg);
	close_all(m);
	if (rc && m->starter_fd >= 0)
		(void)!write(m->starter_fd, &err, sizeof(err));
	exit(rc ? 1 : 0);
}

static int wait_ready(int fd, const char *mountpoint, struct kv_err *err)
{
	struct kv_err said;
	ssize_t n;

	do
		n = read(fd, &said, sizeof(said));
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	if (n != sizeof(said))
		return kv_err_set(err, -EIO, "the daemon for '%s' ended at once", mountpoint);
	*err = said;
	return -EIO;
}

static int start_daemon(struct kv_mounted *m, struct kv_err *err)
{
	int ready[2], rc;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return kv_err_errno(err, -errno, "can't start the daemon");
	m->starter_fd = ready[1];
	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(ready[0]);
		be_daemon(m);
	}
	rc = pid < 0 ? -errno : 0;
	close(ready[1]);
	if (rc) {
		kv_err_errno(err, rc, "can't start the daemon");
		kv_err_hint(err, "ulimit -u and pids.max of the control group limit processes");
	} else {
		m->is_starter = true;
		rc = wait_ready(ready[0], m->mountpoint, err);
	}
	close(ready[0]);
	return rc;
}

static int run_in_front(struct kv_mounted *m, struct kv_err *err)
{
	kv_log_to_stderr(&m->server.log, &m->shared->log);
	return serve(m, err);
}

int kv_mount(const struct kv_mount_opts *opts, struct kv_err *err)
{
	struct kv_mounted m = {
		.opts = opts,
		.pins = KV_PINS_INIT,
		.connection = KV_CONNECTION_INIT,
		.before = KV_PREDECESSOR_INIT,
		.mount_lock = -1,
		.starter_fd = -1,
		.courier = KV_COURIER_INIT,
		.server = {.host = KV_HOST_INIT,
			   .ready_fd = -1,
			   .uid = geteuid(),
			   .gid = getegid()},
	};

	int rc;

	/* A daemon must not keep what its starter had open: locks, pipes, connections. */
	close_range(3, ~0U, 0);
	clock_gettime(CLOCK_REALTIME, &m.server.started);
	clock_gettime(CLOCK_BOOTTIME, &m.server.began);
	rc = open_all(&m, err);
	if (!rc)
		rc = opts->foreground ? run_in_front(&m, err) : start_daemon(&m, err);
	close_all(&m);
	return rc;
}
