// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "load/kernel.h"

#define BIT(cap) (UINT64_C(1) << (cap))

/* Of those we have; the others go from all sets, also for what would be executed. */
static int keep_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	/* This needs CAP_SETPCAP. Without it execve(2) gains nothing either: no_new_privs. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (!(kept & BIT(cap)) && prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EPERM)
			return -errno;
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(kept >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int forbid(int resource)
{
	static const struct rlimit none = {0, 0};

	return setrlimit(resource, &none) < 0 ? -errno : 0;
}

static int gain_nothing(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : forbid(RLIMIT_CORE);
}

/* Without the right to change it, or the supervisor's to end us then, it stays as it is. */
static int change_user(void)
{
	if (!kv_kernel_capable(CAP_SETUID) || !kv_kernel_capable(CAP_SETGID) ||
	    !kv_kernel_capable(CAP_KILL))
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(KV_WORKER_ID, KV_WORKER_ID, KV_WORKER_ID) < 0 ||
	    setresuid(KV_WORKER_ID, KV_WORKER_ID, KV_WORKER_ID) < 0 ||
	    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

int kv_privilege_supervise(void)
{
	int rc = gain_nothing();

	return rc ? rc
		  : keep_capabilities(BIT(CAP_SYS_ADMIN) | BIT(CAP_DAC_READ_SEARCH) |
				      BIT(CAP_SYS_PTRACE) | BIT(CAP_SETUID) | BIT(CAP_SETGID) |
				      BIT(CAP_KILL) | BIT(CAP_SYSLOG));
}

int kv_privilege_work(bool identifies)
{
	int rc = gain_nothing();

	/*
	 * MAP_LOCKED is a flag that the filter lets pass. Other limits are left as
	 * they are: RLIMIT_AS, since a listing of pid/ grows with the machine's
	 * processes, and stacks of 8 MiB for each thread are reserved and hardly used,
	 * so memory is bounded by max_files, and a cgroup; RLIMIT_NPROC, which counts
	 * the workers of all mounts together, and the filter allows no process;
	 * RLIMIT_FSIZE, since the log may be a file.
	 */
	if (!rc)
		rc = forbid(RLIMIT_MEMLOCK);
	if (!rc)
		rc = change_user();
	if (!rc)
		rc = keep_capabilities(identifies ? BIT(CAP_SYS_PTRACE) : 0);
	if (!rc && prctl(PR_SET_DUMPABLE, 0) < 0)
		rc = -errno;
	return rc;
}

/* --- before anything is done --- */

static int lack(const char *cap, const char *what_for, const char *hint, struct kv_err *err)
{
	kv_err_set(err, -EPERM, "can't mount without %s: %s", cap, what_for);
	kv_err_hint(err, "%s", hint);
	return -EPERM;
}

int kv_privilege_check(bool identifies, struct kv_err *err)
{
	if (!kv_kernel_in_initial_user_ns()) {
		kv_err_set(err, -EPERM, "can't mount in a user namespace");
		kv_err_hint(err, "its capabilities do not count for BPF: mount on the host, "
				 "and bind the mount into the container");
		return -EPERM;
	}
	/* CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON, as in the kernel. */
	if (!kv_kernel_capable(CAP_SYS_ADMIN))
		return lack("CAP_SYS_ADMIN", "it takes that to mount and to pin",
			    "be root; in a container: --cap-add SYS_ADMIN", err);
	if (identifies && !kv_kernel_capable(CAP_SYS_PTRACE))
		return lack("CAP_SYS_PTRACE",
			    "it takes that to identify readers in namespaces of their own",
			    "be root; in a container: --cap-add SYS_PTRACE; for monitoring alone, "
			    "-o view=host does without",
			    err);
	return 0;
}
