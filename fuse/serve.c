// SPDX-License-Identifier: GPL-2.0-only
/* The life of a mount: views, pins, session, daemon, and back. */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <syslog.h>
#include <time.h>

#include "base/cleanup.h"
#include "file.h"
#include "iter/pinset.h"
#include "iter/process.h"
#include "mountpoint.h"
#include "ops.h"

/*
 * libfuse's default of 10 threads lets a dozen slow reads hang everybody; idle
 * ones end. Each busy one takes some 30 KiB.
 */
#define MAX_THREADS 64
#define IDLE_THREADS 8

/* How long `kview umount` waits for the daemon to end. */
#define END_TIMEOUT_MS 5000

struct mounted {
	struct kv_views views;
	struct kv_pins pins;
	struct kv_server server;
	struct fuse_session *session;
	char *mountpoint;
	bool allow_other;
	bool is_handed_on; /* a daemon has it now, pins included */
	int mount_lock;	   /* of the directory below the mount, until it is there */
};

/* --- logs --- */

__attribute__((format(printf, 1, 2))) static void log_stderr(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("kview: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

__attribute__((format(printf, 1, 2))) static void log_syslog(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsyslog(LOG_ERR, fmt, ap);
	va_end(ap);
}

/* libfuse's last words, for the error that comes of them. */
static char fuse_says[256];

__attribute__((format(printf, 2, 0))) static void keep_fuse_log(enum fuse_log_level level,
								const char *fmt, va_list ap)
{
	(void)level;
	vsnprintf(fuse_says, sizeof(fuse_says), fmt, ap);
	fuse_says[strcspn(fuse_says, "\n")] = '\0';
}

static int fail_mount(const char *mountpoint, struct kv_err *err)
{
	kv_err_set(err, -EIO, "can't mount on '%s': %s", mountpoint,
		   *fuse_says ? fuse_says : strerror(errno));
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		kv_err_hint(err, "/dev/fuse is needed: modprobe fuse, and root (CAP_SYS_ADMIN)");
	else
		kv_err_hint(err, "mounting needs root (CAP_SYS_ADMIN)");
	return -EIO;
}

/* --- up --- */

/* Two mounts on one directory at the same time: the later one is refused. */
static int open_session(struct mounted *m, struct kv_err *err)
{
	/* default_permissions: the kernel checks modes, and only then are others let in. */
	char *argv[] = {"kview", "-o",
			"fsname=kview,subtype=kview,ro,nosuid,nodev,noexec,default_permissions",
			"-oallow_other", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(m->allow_other ? 4 : 3, argv);
	int rc = kv_mountpoint_check(m->mountpoint, err);

	if (rc)
		return rc;
	fuse_set_log_func(keep_fuse_log);
	m->session = fuse_session_new(&args, &kv_ops, sizeof(kv_ops), &m->server);
	fuse_opt_free_args(&args);
	if (!m->session || fuse_session_mount(m->session, m->mountpoint) != 0)
		return fail_mount(m->mountpoint, err);
	kv_closep(&m->mount_lock);
	m->mount_lock = -1;
	return 0;
}

static int open_server(struct mounted *m, const struct kv_mount_opts *opts, struct kv_err *err)
{
	struct kv_server *s = &m->server;
	int rc = kv_tree_new(&s->tree, &m->views, opts->mode);

	if (!rc)
		rc = kv_seal_init(&s->seal);
	if (rc)
		return kv_err_errno(err, rc, "can't serve");
	s->wide_uid = opts->uid;
	s->wide_gid = opts->gid;
	return kv_host_open(&s->host, &opts->policy, s->tree.pids, err);
}

static int open_all(struct mounted *m, const struct kv_mount_opts *opts, struct kv_err *err)
{
	int rc = kv_mountpoint_prepare(opts->mountpoint, &m->mountpoint, &m->mount_lock, err);

	if (!rc)
		rc = kv_views_open(opts->iter_dir, &m->views, err);
	if (!rc)
		rc = kv_pins_open(opts->pin_dir, true, &m->pins, err);
	if (!rc)
		rc = kv_pinset_make(&m->pins, &m->views, false, opts->warn, err);
	if (!rc)
		rc = open_server(m, opts, err);
	return rc;
}

/* --- down --- */

static void free_file(void *file)
{
	kv_file_free(file);
}

static void free_dir(void *processes)
{
	kv_processes_free(processes);
}

static void close_all(struct mounted *m)
{
	if (m->session)
		fuse_session_destroy(m->session);
	kv_handles_free(&m->server.files, free_file);
	kv_handles_free(&m->server.dirs, free_dir);
	kv_tree_free(&m->server.tree);
	kv_host_close(&m->server.host);
	kv_closep(&m->server.ready_fd);
	kv_closep(&m->mount_lock);
	kv_views_close(&m->views);
	if (m->is_handed_on)
		kv_pins_close(&m->pins);
	else
		kv_pins_release(&m->pins);
	free(m->mountpoint);
}

/* --- serving --- */

static int loop(struct mounted *m)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int rc;

	if (!config)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(config, 1);
	fuse_loop_cfg_set_max_threads(config, MAX_THREADS);
	fuse_loop_cfg_set_idle_threads(config, IDLE_THREADS);
	rc = fuse_session_loop_mt(m->session, config);
	fuse_loop_cfg_destroy(config);
	return rc > 0 ? 0 : rc; /* above 0: ended by that signal */
}

/* As many open files as the system lets us have, whatever our starter had. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	/* What open files took goes back to the system when they are closed. */
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 32768);
	malloc_trim(0);
}

/* Mount, and serve until the mount goes or a signal ends it. */
static int serve(struct mounted *m, struct kv_err *err)
{
	int rc = open_session(m, err);

	if (rc)
		return rc;
	raise_limits();
	if (fuse_set_signal_handlers(m->session) == 0) {
		rc = loop(m);
		fuse_remove_signal_handlers(m->session);
	} else {
		rc = -EIO;
	}
	fuse_session_unmount(m->session);
	if (rc)
		return kv_err_errno(err, rc, "the mount on '%s' ended", m->mountpoint);
	return 0;
}

static void detach(void)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	if (chdir("/") < 0)
		log_stderr("can't change to the root directory: %s", strerror(errno));
	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	openlog("kview", LOG_PID, LOG_DAEMON);
}

/*
 * In the daemon: never returns. Its starter learns through ready_fd how it
 * went: one byte from the first request on, or the error.
 */
static _Noreturn void run_daemon(struct mounted *m)
{
	struct kv_err err = {0};
	int rc;

	detach();
	m->server.log = log_syslog;
	rc = serve(m, &err);
	if (rc && m->server.ready_fd >= 0)
		(void)!write(m->server.ready_fd, &err, sizeof(err));
	else if (rc)
		syslog(LOG_ERR, "%s", err.msg);
	close_all(m);
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

static int daemonize(struct mounted *m, struct kv_err *err)
{
	_cleanup_close_ int ready = -1;
	int pipefd[2];
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return kv_err_errno(err, -errno, "can't start the daemon");
	ready = pipefd[0];
	m->server.ready_fd = pipefd[1];
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return kv_err_errno(err, -errno, "can't start the daemon");
	if (!pid) {
		close(TAKE_FD(ready));
		run_daemon(m);
	}
	m->is_handed_on = true;
	close(TAKE_FD(m->server.ready_fd));
	return wait_ready(ready, m->mountpoint, err);
}

int kv_mount(const struct kv_mount_opts *opts, struct kv_err *err)
{
	struct mounted m = {
		.pins = KV_PINS_INIT,
		.mount_lock = -1,
		.allow_other = opts->allow_other,
		.server = {.host = KV_HOST_INIT,
			   .ready_fd = -1,
			   .uid = geteuid(),
			   .gid = getegid(),
			   .log = log_stderr},
	};
	int rc;

	/* A daemon must not keep what its starter had open: locks, pipes. */
	if (!opts->foreground)
		close_range(3, ~0U, 0);
	clock_gettime(CLOCK_REALTIME, &m.server.started);
	kv_handles_init(&m.server.files, (uint32_t)m.server.started.tv_sec);
	kv_handles_init(&m.server.dirs, (uint32_t)m.server.started.tv_sec);
	rc = open_all(&m, opts, err);
	if (!rc)
		rc = opts->foreground ? serve(&m, err) : daemonize(&m, err);
	close_all(&m);
	return rc;
}

/* --- unmounting --- */

/* A descriptor that polls readable when the daemon has ended, or -1. */
static int watch_daemon(const char *mountpoint)
{
	_cleanup_close_ int root = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int pid = 0;

	if (root < 0 || ioctl(root, KV_IOC_PID, &pid) < 0 || pid <= 0)
		return -1;
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int kv_umount(const char *mountpoint, struct kv_err *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int daemon = -1;
	struct pollfd p = {.events = POLLIN};
	int rc = kv_mountpoint_find(mountpoint, &path, err);

	if (rc)
		return rc;
	daemon = watch_daemon(path);
	if (umount2(path, UMOUNT_NOFOLLOW) < 0) {
		rc = kv_err_errno(err, -errno, "can't unmount '%s'", path);
		if (rc == -EBUSY)
			kv_err_hint(err,
				    "somebody has a file or directory open there; "
				    "`fuser -m %s` tells who, `umount -l` does not wait",
				    path);
		else if (rc == -EPERM)
			kv_err_hint(err, "unmounting needs root (CAP_SYS_ADMIN)");
		return rc;
	}
	p.fd = daemon;
	if (daemon < 0 || poll(&p, 1, END_TIMEOUT_MS) != 0)
		return 0;
	kv_err_set(err, -ETIMEDOUT, "'%s' is unmounted, but its daemon has not ended", path);
	kv_err_hint(err, "a container, or another mount namespace, may still have the mount; "
			 "the daemon ends with that");
	return -ETIMEDOUT;
}
