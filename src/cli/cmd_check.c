// SPDX-License-Identifier: GPL-2.0-only
/* What kview needs of a machine, each with a hint where it is not there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "load/kernel.h"
#include "load/said.h"
#include "access/reader.h"
#include "stream/run.h"
#include "render/render.h"

static void put_item(const char *item, bool ok, const char *note)
{
	printf("%-28s %s%s%s\n", item, ok ? "yes" : "no", *note ? (ok ? "  " : "   ") : "", note);
}

/* An item that nothing works without: returns whether it is there. */
static bool need(const char *item, bool ok, const char *hint)
{
	put_item(item, ok, ok ? "" : hint);
	return ok;
}

#define NOTE_MAX 2048

static const char *note_of(const struct kv_err *why, char note[NOTE_MAX])
{
	snprintf(note, NOTE_MAX, "%s%s%s", why->msg, why->hint[0] ? "; " : "", why->hint);
	return note;
}

static bool check_kernel(void)
{
	struct kv_err why = {0};
	char note[NOTE_MAX];
	int rc = kv_kernel_check(NULL, "", &why);
	bool has_btf = !rc || rc == -EOPNOTSUPP;

	note_of(&why, note);
	return need("kernel BTF", has_btf, note) && need("Linux 6.1 or newer", !rc, note);
}

static bool check_bpffs(void)
{
	struct statfs fs;
	bool there = statfs("/sys/fs/bpf", &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
	bool can = kv_kernel_capable(CAP_SYS_ADMIN) && access("/sys/fs/bpf", F_OK) == 0;

	put_item("BPF file system", there || can,
		 there ? "/sys/fs/bpf"
		 : can ? "not mounted yet: `kview mount` does it"
		       : "mount one: mount -t bpf bpf /sys/fs/bpf");
	return there || can;
}

static bool check_fuse(void)
{
	_cleanup_close_ int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	return need("/dev/fuse", fd >= 0,
		    errno == ENOENT
			    ? "modprobe fuse (CONFIG_FUSE_FS); in a container: --device /dev/fuse"
			    : "can't be opened: root is needed");
}

/* CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON, as in the kernel. */
static bool has_capability(int cap)
{
	return kv_kernel_capable(cap) || kv_kernel_capable(CAP_SYS_ADMIN);
}

/* Makes a mount safer, and no mount is refused for the lack of it. */
static void put_confinement(void)
{
	bool can = kv_kernel_capable(CAP_SETUID) && kv_kernel_capable(CAP_SETGID) &&
		   kv_kernel_capable(CAP_KILL);
	/* EFAULT for the address where there are filters. */
	bool filters = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) < 0 && errno == EFAULT;

	put_item("worker's own user id", can,
		 can ? ""
		     : "optional: without CAP_SETUID, CAP_SETGID, CAP_KILL the worker is root");
	put_item("seccomp filters", filters,
		 filters ? "" : "not needed: the kernel has no CONFIG_SECCOMP_FILTER");
}

/* Without identified readers nothing is served. */
static bool check_readers(struct kv_types *types, struct kv_host *host)
{
	const struct kv_policy policy = KV_POLICY_INIT;
	struct kv_err why = {0};
	char note[NOTE_MAX];
	int rc = kv_host_open(host, &policy, true, NULL, types, &why);

	return need("identifying readers", rc == 0, note_of(&why, note));
}

static bool check_memlock(bool any_loaded)
{
	struct rlimit limit = {0};
	bool unlimited;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	unlimited = limit.rlim_cur == RLIM_INFINITY || kv_kernel_capable(CAP_SYS_RESOURCE);
	put_item("locked memory", any_loaded || unlimited,
		 unlimited    ? ""
		 : any_loaded ? "not limiting: BPF memory is charged to the cgroup"
			      : "raise it: ulimit -l unlimited");
	return any_loaded || unlimited;
}

/*
 * Loading does not prove that a program runs: it may find no memory, or come to no row. A view
 * of tasks is read for this process alone, since others may keep a reader waiting. A raw iterator
 * is not run: nobody knows what it does besides printing.
 */
static int read_row(const struct kv_view *view, const struct kv_host *host, struct kv_err *err)
{
	struct kv_reader reader = KV_READER_INIT;
	const struct kv_run_opts opts = {
		.reader = &reader,
		.host = host,
		.subset = kv_subset_process(view->param == KV_PARAM_TASK ? getpid() : 0, 0),
	};
	struct kv_run *run = NULL;
	const void *record;
	uint32_t len;
	int rc = kv_reader_self(host, &reader, err);

	if (!rc)
		rc = kv_run_new(view, &opts, &run, err);
	if (!rc)
		rc = kv_run_next(run, &record, &len, err);
	kv_run_free(run);
	kv_reader_close(&reader);
	return rc < 0 ? rc : 0;
}

static void check_collector(const struct kv_view *view, const struct kv_collector *c)
{
	char item[300];

	snprintf(item, sizeof(item), "collector %s", c->name);
	put_item(item, c->link_fd >= 0, c->why ? c->why : view->rc ? "its view is not loaded" : "");
}

/* @host: NULL: no reader can be identified, and so nothing read */
static bool check_view(struct kv_view *view, const struct kv_host *host)
{
	char item[300], note[NOTE_MAX] = "", columns[1024];
	int rc;

	view->collectors.wanted = KV_COLLECT_RUN;
	rc = kv_view_load(view);
	if (!rc && host && !view->program)
		rc = read_row(view, host, &view->err);
	snprintf(item, sizeof(item), "%s %s", view->program ? "raw" : "view", view->name);
	if (rc)
		note_of(&view->err, note);
	else if (view->schema && kv_schema_put_lacking(view->schema, columns, sizeof(columns)))
		snprintf(note, sizeof(note), "without %s", columns);
	put_item(item, rc == 0, note);
	for (size_t i = 0; i < view->collectors.n; i++)
		if (kv_collector_is_needed(&view->collectors, &view->collectors.list[i]))
			check_collector(view, &view->collectors.list[i]);
	return rc == 0;
}

static bool check_views(struct kv_views *views, const struct kv_host *host)
{
	bool any = false;

	for (size_t i = 0; i < views->n; i++)
		any |= check_view(&views->list[i], host);
	return any;
}

/* The end of the log is about the instruction that was refused. */
#define LOG_LINES 40

static void put_log_end(const char *log)
{
	const char *from = log + strlen(log);

	for (int lines = 0; from > log; from--)
		if (from[-1] == '\n' && ++lines > LOG_LINES)
			break;
	if (from > log)
		puts("  ...");
	while (*from) {
		printf("  %.*s\n", (int)strcspn(from, "\n"), from);
		from += strcspn(from, "\n");
		from += *from == '\n';
	}
}

/* Each iterator of one object; whatever else the machine lacks is said of it there. */
static int check_object(const char *path, struct kv_err *err)
{
	struct kv_views views;
	bool ok = true;
	int rc = kv_views_open_file(path, &views, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < views.n; i++) {
		ok &= check_view(&views.list[i], NULL);
		if (views.list[i].rc)
			put_log_end(kv_said_log());
	}
	kv_views_close(&views);
	if (ok)
		return 0;
	kv_err_set(err, -EINVAL, "'%s' can't be used whole", path);
	kv_err_hint(err, "see each \"no\" above");
	return -EINVAL;
}

int kv_cmd_check(const struct kv_args *args, struct kv_err *err)
{
	struct kv_host host = KV_HOST_INIT;
	struct kv_views views;
	bool any, identifies, ok;
	int rc;

	if (args->iter)
		return check_object(args->iter, err);
	rc = kv_views_open(args->iter_dir, NULL, &views, err);
	if (rc)
		return rc;
	ok = check_kernel();
	ok &= check_bpffs();
	ok &= need("CAP_BPF", has_capability(CAP_BPF), "loading programs needs it (or root)");
	ok &= need("CAP_PERFMON", has_capability(CAP_PERFMON),
		   "loading programs needs it (or root)");
	ok &= need("CAP_SYS_ADMIN", kv_kernel_capable(CAP_SYS_ADMIN),
		   "mounting needs it (or root)");
	ok &= need("CAP_SYS_PTRACE", kv_kernel_capable(CAP_SYS_PTRACE),
		   "mounting needs it (or root) to identify readers; -o view=host does not");
	ok &= need("initial user namespace", kv_kernel_in_initial_user_ns(),
		   "capabilities of another one do not count for BPF: mount on the host");
	put_confinement();
	ok &= check_fuse();
	identifies = check_readers(views.types, &host);
	any = check_views(&views, identifies ? &host : NULL);
	ok &= check_memlock(any);
	kv_host_close(&host);
	kv_views_close(&views);
	if (ok && identifies && any)
		return 0;
	kv_err_set(err, -EPERM, "kview can't run here");
	kv_err_hint(err, "see each \"no\" above");
	return -EPERM;
}
