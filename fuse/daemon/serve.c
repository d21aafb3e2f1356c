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
#include "fuse/daemon/holder.h"
#include "fuse/fs/ops.h"
#include "fuse/mount/mountpoint.h"
#include "fuse/daemon/notify.h"
#include "fuse/daemon/privilege.h"

/* Fewer open files would keep users waiting who do nothing unusual. */
#define LEAST_FILES 32

/* libfuse's last words, for the error that comes of them. */
static char fuse_says[256];

__attribute__((format(printf, 2, 0))) static void keep_fuse_log(enum fuse_log_level level,
								const char *fmt, va_list ap)
{
	(void)level;
	vsnprintf(fuse_says, sizeof(fuse_says), fmt, ap);
	fuse_says[strcspn(fuse_says, "\n")] = '\0';
}

/* --- up --- */

/* Two mounts on one directory at the same time: the later one is refused. */
static int open_mount(struct kv_mounted *m, struct kv_err *err)
{
	int rc = kv_mountpoint_check(m->mountpoint, err);

	if (!rc)
		rc = kv_connection_mount(m->mountpoint, m->allow_other, &m->connection, err);
	kv_closep(&m->mount_lock);
	m->mount_lock = -1;
	return rc;
}

static int open_connection(struct kv_mounted *m, struct kv_err *err)
{
	int rc;

	if (!m->before.pid)
		return open_mount(m, err);
	rc = kv_connection_share(m->before.pidfd, m->before.pid, m->mountpoint, &m->connection,
				 err);
	if (rc)
		kv_connection_close(&m->connection); /* it is the other's still */
	return rc;
}

static int open_session(struct kv_mounted *m, struct kv_err *err)
{
	char *argv[] = {"kview", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);

	fuse_set_log_func(keep_fuse_log);
	m->session = fuse_session_new(&args, &kv_ops, sizeof(kv_ops), &m->server);
	fuse_opt_free_args(&args);
	if (m->session && kv_flight_session(m->session, m->connection.fd) == 0)
		return 0;
	return kv_err_set(err, -EIO, "can't serve '%s': %s", m->mountpoint,
			  *fuse_says ? fuse_says : strerror(errno));
}

static size_t shared_size(const struct kv_mounted *m)
{
	return sizeof(struct kv_shared) + m->views.n * sizeof(struct kv_counters);
}

static unsigned int max_user_files(const struct kv_mount_opts *opts, unsigned int all)
{
	if (opts->max_user_files)
		return opts->max_user_files;
	return all / 2 < 256 ? all / 2 : 256;
}

/* How many files there may be: as many as are asked for, or else as there can be. */
static int open_limits(struct kv_mounted *m, const struct kv_mount_opts *opts, struct kv_err *err)
{
	unsigned int all = opts->max_files ? opts->max_files : KV_MAX_FILES, least = all;
	int rc;

	if (!opts->max_files)
		least = opts->max_user_files < LEAST_FILES ? LEAST_FILES : opts->max_user_files + 1;
	rc = kv_descriptors_provide(least, &all, err);
	m->server.limits = (struct kv_handle_limits){
		.all = all,
		.each = max_user_files(opts, all),
		.host = m->server.uid,
	};
	return rc;
}

static int open_server(struct kv_mounted *m, const struct kv_mount_opts *opts, struct kv_err *err)
{
	struct kv_server *s = &m->server;
	int rc = kv_tree_new(&s->tree, &m->views, kv_groups, opts->mode);

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
	/* The kernel has said INIT to who was before us. */
	m->shared->facts.is_ready = s->is_successor = m->before.pid != 0;
	if (!rc)
		rc = kv_seal_init(&s->seal, &s->tree);
	if (!rc && getrandom(&m->shared->generation, sizeof(m->shared->generation), 0) < 0)
		rc = -errno;
	if (rc)
		return kv_err_errno(err, rc, "can't serve");
	s->cpu_percent = opts->cpu_percent;
	s->wide_uid = opts->uid;
	s->wide_gid = opts->gid;
	rc = kv_host_open(&s->host, &opts->policy, s->tree.ngroups, &m->pins, m->views.types, err);
	return rc ? rc : kv_identity_pin(&m->pins, &s->host.reader_tool, err);
}

static int refuse_other(const char *mountpoint, bool allow_other, struct kv_err *err)
{
	kv_err_set(err, -EINVAL, "the mount on '%s' %s allow_other, which can't be changed",
		   mountpoint, allow_other ? "has" : "does not have");
	kv_err_hint(err, allow_other ? "say it again: -o allow_other"
				     : "unmount, and mount again with -o allow_other");
	return -EINVAL;
}

/* The mount to take over, or the place to mount on. */
static int open_place(struct kv_mounted *m, const struct kv_mount_opts *opts, struct kv_err *err)
{
	bool allow_other;
	int rc = -ENOENT;

	if (opts->takeover)
		rc = kv_mountpoint_find_live(opts->mountpoint, &m->mountpoint, &allow_other, err);
	if (rc == -ENOENT)
		return kv_mountpoint_prepare(opts->mountpoint, &m->mountpoint, &m->mount_lock, err);
	if (!rc && allow_other != opts->allow_other)
		rc = refuse_other(m->mountpoint, allow_other, err);
	return rc ? rc : kv_predecessor_find(m->mountpoint, &m->before, err);
}

static int open_all(struct kv_mounted *m, const struct kv_mount_opts *opts, struct kv_err *err)
{
	int rc = kv_privilege_check(!opts->policy.host_view, err);

	if (!rc)
		rc = open_place(m, opts, err);
	if (!rc)
		rc = kv_views_open(opts->iter_dir, NULL, &m->views, err);
	if (!rc)
		rc = open_limits(m, opts, err);
	if (!rc)
		rc = kv_pins_open(opts->pin_dir, true, &m->pins, err);
	if (!rc)
		rc = kv_pinset_make(&m->pins, &m->views, opts->takeover, opts->warn, err);
	if (!rc)
		rc = open_server(m, opts, err);
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
	kv_closep(&m->starter_fd);
	kv_closep(&m->mount_lock);
	kv_views_close(&m->views);
	if (m->is_handed_on)
		kv_pins_close(&m->pins);
	else
		kv_pins_release(&m->pins);
	free(m->mountpoint);
}

/* --- serving --- */

/* Mount, and hold the mount until it goes or a signal ends it. */
static int serve(struct kv_mounted *m, struct kv_err *err)
{
	int rc = open_connection(m, err);

	if (!rc)
		rc = open_session(m, err);
	if (!rc)
		return kv_hold(m, err);
	if (!m->before.pid)
		kv_connection_unmount(&m->connection); /* nobody serves it */
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

static void tell_starter(struct kv_mounted *m)
{
	(void)!write(m->starter_fd, "\1", 1);
	kv_closep(&m->starter_fd);
	m->starter_fd = -1;
}

static void tell_service_manager(struct kv_mounted *m)
{
	(void)m;
	kv_notify("READY=1");
}

/*
 * In the daemon: never returns. Its starter learns through starter_fd how it
 * went: one byte once the mount answers, or the error.
 */
static _Noreturn void run_daemon(struct kv_mounted *m)
{
	struct kv_err err = {0};
	int rc, starter;

	detach();
	kv_log_to_daemon(&m->server.log, _PATH_LOG, &m->shared->log);
	m->on_ready = tell_starter;
	rc = serve(m, &err);
	starter = TAKE_FD(m->starter_fd);
	if (rc && starter < 0)
		kv_log_say(&m->server.log, "%s", err.msg);
	close_all(m);
	/* Whoever is told that it failed finds nothing left of it. */
	if (rc && starter >= 0)
		(void)!write(starter, &err, sizeof(err));
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

static int daemonize(struct kv_mounted *m, struct kv_err *err)
{
	_cleanup_close_ int ready = -1;
	int pipefd[2], rc;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return kv_err_errno(err, -errno, "can't start the daemon");
	ready = pipefd[0];
	m->starter_fd = pipefd[1];
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		rc = kv_err_errno(err, -errno, "can't start the daemon");
		kv_err_hint(err, "ulimit -u and pids.max of the control group limit processes");
		return rc;
	}
	if (!pid) {
		close(TAKE_FD(ready));
		run_daemon(m);
	}
	m->is_handed_on = true;
	close(TAKE_FD(m->starter_fd));
	return wait_ready(ready, m->mountpoint, err);
}

static int run_in_front(struct kv_mounted *m, struct kv_err *err)
{
	kv_log_to_stderr(&m->server.log, &m->shared->log);
	return serve(m, err);
}

int kv_mount(const struct kv_mount_opts *opts, struct kv_err *err)
{
	struct kv_mounted m = {
		.pins = KV_PINS_INIT,
		.connection = KV_CONNECTION_INIT,
		.before = KV_PREDECESSOR_INIT,
		.mount_lock = -1,
		.starter_fd = -1,
		.go_fd = -1,
		.on_ready = tell_service_manager,
		.allow_other = opts->allow_other,
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
	rc = open_all(&m, opts, err);
	if (!rc)
		rc = opts->foreground ? run_in_front(&m, err) : daemonize(&m, err);
	close_all(&m);
	return rc;
}
