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
#include "access/reader.h"
#include "stream/run.h"
#include "render/render.h"

struct checklist {
	bool failed; /* something that the main job can't do without */
};

static bool put_item(const char *item, bool ok, const char *note)
{
	printf("%-28s %s%s%s\n", item, ok ? "yes" : "no", *note ? (ok ? "  " : "   ") : "", note);
	return ok;
}

static void need(struct checklist *list, const char *item, bool ok, const char *note,
		 const char *hint)
{
	if (!put_item(item, ok, ok ? note : hint))
		list->failed = true;
}

static void put_note(char *note, size_t size, const struct kv_err *why)
{
	snprintf(note, size, "%s%s%s", why->msg, why->hint[0] ? "; " : "", why->hint);
}

static void check_kernel(struct checklist *list)
{
	struct kv_err why = {0};
	char note[2048];
	int rc = kv_kernel_check(NULL, "", &why);
	bool has_btf = !rc || rc == -EOPNOTSUPP;

	put_note(note, sizeof(note), &why);
	need(list, "kernel BTF", has_btf, "", note);
	if (has_btf)
		need(list, "Linux 6.1 or newer", !rc, "", note);
}

static void check_bpffs(struct checklist *list)
{
	struct statfs fs;
	bool there = statfs("/sys/fs/bpf", &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
	bool can = kv_kernel_capable(CAP_SYS_ADMIN) && access("/sys/fs/bpf", F_OK) == 0;

	need(list, "BPF file system", there || can,
	     there ? "/sys/fs/bpf" : "not mounted yet: `kview mount` does it",
	     "mount one: mount -t bpf bpf /sys/fs/bpf");
}

static void check_fuse(struct checklist *list)
{
	_cleanup_close_ int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	need(list, "/dev/fuse", fd >= 0, "",
	     errno == ENOENT ? "modprobe fuse (CONFIG_FUSE_FS); in a container: --device /dev/fuse"
			     : "can't be opened: root is needed");
}

static void check_capability(struct checklist *list, const char *item, int cap, const char *hint)
{
	/* CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON, as in the kernel. */
	need(list, item, kv_kernel_capable(cap) || kv_kernel_capable(CAP_SYS_ADMIN), "", hint);
}

/* What makes a mount safer where it is there; and none is refused for the lack of it. */
static void put_confinement(void)
{
	bool can = kv_kernel_capable(CAP_SETUID) && kv_kernel_capable(CAP_SETGID) &&
		   kv_kernel_capable(CAP_KILL);
	/* EFAULT for the address where there are filters. */
	bool filters = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) < 0 && errno == EFAULT;

	put_item("worker's own user id", can,
		 can ? "" : "not needed: without CAP_SETUID, CAP_SETGID and CAP_KILL it is root's");
	put_item("seccomp filters", filters,
		 filters ? "" : "not needed: the kernel has no CONFIG_SECCOMP_FILTER");
}

/* Without it nobody can be shown what is theirs, and nothing is served. */
static bool check_readers(struct checklist *list, struct kv_types *types, struct kv_host *host)
{
	const struct kv_policy policy = {0};
	struct kv_err why = {0};
	char note[2048];
	int rc = kv_host_open(host, &policy, true, NULL, types, &why);

	put_note(note, sizeof(note), &why);
	need(list, "identifying readers", rc == 0, "", note);
	return rc == 0;
}

static void put_memlock(struct checklist *list, bool any_loaded)
{
	struct rlimit limit = {0};
	bool unlimited;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	unlimited = limit.rlim_cur == RLIM_INFINITY || kv_kernel_capable(CAP_SYS_RESOURCE);
	need(list, "locked memory", any_loaded || unlimited,
	     unlimited ? "" : "not limiting: BPF memory is charged to the cgroup",
	     "raise it: ulimit -l unlimited");
}

/*
 * A program that loads may find no memory, or nothing that it knows, where it runs. Of this
 * process, where there are views of one: others may keep a reader waiting.
 */
static int read_row(const struct kv_view *view, const struct kv_host *host, struct kv_err *err)
{
	struct kv_reader reader = KV_READER_INIT;
	const struct kv_run_opts opts = {
		.reader = &reader,
		.host = host,
		.subset = kv_subset_process(view->per_task ? getpid() : 0, 0),
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

/* @host: NULL: no reader can be identified, and so nothing read */
static bool check_views(struct kv_views *views, const struct kv_host *host)
{
	bool any = false;

	for (size_t i = 0; i < views->n; i++) {
		struct kv_view *view = &views->list[i];
		char item[80], note[2048] = "", columns[1024];
		int rc = kv_view_load(view);

		if (!rc && host)
			rc = read_row(view, host, &view->err);
		snprintf(item, sizeof(item), "view %s", view->name);
		if (rc)
			put_note(note, sizeof(note), &view->err);
		else if (kv_schema_put_lacking(view->schema, columns, sizeof(columns)))
			snprintf(note, sizeof(note), "without %s", columns);
		put_item(item, rc == 0, note);
		any = any || !rc;
	}
	return any;
}

int kv_cmd_check(const struct kv_args *args, struct kv_err *err)
{
	struct checklist list = {0};
	struct kv_host host = KV_HOST_INIT;
	struct kv_views views;
	bool any, identifies;
	int rc = kv_views_open(args->iter_dir, NULL, &views, err);

	if (rc)
		return rc;
	check_kernel(&list);
	check_bpffs(&list);
	check_capability(&list, "CAP_BPF", CAP_BPF, "loading programs needs it (or root)");
	check_capability(&list, "CAP_PERFMON", CAP_PERFMON, "loading programs needs it (or root)");
	check_capability(&list, "CAP_SYS_ADMIN", CAP_SYS_ADMIN, "mounting needs it (or root)");
	need(&list, "CAP_SYS_PTRACE", kv_kernel_capable(CAP_SYS_PTRACE), "",
	     "mounting needs it to identify readers (or root), but with -o view=host");
	need(&list, "initial user namespace", kv_kernel_in_initial_user_ns(), "",
	     "capabilities of another one do not count for BPF: mount on the host");
	put_confinement();
	check_fuse(&list);
	identifies = check_readers(&list, views.types, &host);
	any = check_views(&views, identifies ? &host : NULL);
	put_memlock(&list, any);
	kv_host_close(&host);
	kv_views_close(&views);
	if (any && !list.failed)
		return 0;
	kv_err_set(err, -EPERM, "kview can't run here");
	kv_err_hint(err, "see each \"no\" above");
	return -EPERM;
}
