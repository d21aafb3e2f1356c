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
#include "iter/kernel.h"
#include "iter/reader.h"

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

static void check_kernel(struct checklist *list)
{
	struct kv_err why = {0};
	char note[2048];
	int rc = kv_kernel_check(&why);
	bool has_btf = !rc || rc == -EOPNOTSUPP;

	snprintf(note, sizeof(note), "%s; %s", why.msg, why.hint);
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
static void check_readers(struct checklist *list, struct kv_types *types)
{
	const struct kv_policy policy = {0};
	struct kv_host host = KV_HOST_INIT;
	struct kv_err why = {0};
	char note[2048];
	int rc = kv_host_open(&host, &policy, true, types, &why);

	snprintf(note, sizeof(note), "%s%s%s", why.msg, why.hint[0] ? "; " : "", why.hint);
	need(list, "identifying readers", rc == 0, "", note);
	kv_host_close(&host);
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

static bool check_views(struct kv_views *views)
{
	bool any = false;

	for (size_t i = 0; i < views->n; i++) {
		struct kv_view *view = &views->list[i];
		char item[80], note[2048];
		bool ok = kv_view_support(view) == KV_SUPPORT_YES;

		snprintf(item, sizeof(item), "view %s", view->name);
		snprintf(note, sizeof(note), "%s%s%s", view->err.msg, view->err.hint[0] ? "; " : "",
			 view->err.hint);
		put_item(item, ok, ok ? "" : note);
		any = any || ok;
	}
	return any;
}

int kv_cmd_check(const struct kv_args *args, struct kv_err *err)
{
	struct checklist list = {0};
	struct kv_views views;
	bool any;
	int rc = kv_views_open(args->iter_dir, &views, err);

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
	check_readers(&list, views.types);
	any = check_views(&views);
	put_memlock(&list, any);
	kv_views_close(&views);
	if (any && !list.failed)
		return 0;
	kv_err_set(err, -EPERM, "kview can't run here");
	kv_err_hint(err, "see each \"no\" above");
	return -EPERM;
}
