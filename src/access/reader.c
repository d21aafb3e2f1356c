// SPDX-License-Identifier: GPL-2.0-only
#include "access/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/identity.h"
#include "base/cleanup.h"
#include "load/kernel.h"
#include "load/said.h"

/* Inode number of the initial cgroup namespace: include/uapi/linux/nsfs.h. */
#define PROC_CGROUP_INIT_INO 0xEFFFFFFB

static bool has_cap(const struct kv_identity *id, unsigned int cap)
{
	return id->caps >> cap & 1;
}

/* --- kview itself --- */

static int identify_self(struct kv_host *host, struct kv_err *err)
{
	int rc = kv_identity_get(&host->reader_query, gettid(), &host->self);

	if (!rc)
		return 0;
	kv_err_errno(err, rc, "can't identify readers");
	/* A kernel without link_info.task (f0d74c4da1f0) refuses it, or walks all threads. */
	if (rc == -EINVAL || rc == -E2BIG || rc == -ESRCH)
		kv_err_hint(err, "iterators for one thread need Linux 6.1");
	else if (rc == -EMFILE)
		kv_err_hint(err, "raise the limit: ulimit -n 1024");
	else
		kv_err_hint(err, "the kernel may be short of memory: try again");
	return rc;
}

/* For a mount: the other queries. They take too long to load for `kview cat`. */
static int open_queries(struct kv_host *host, struct kv_types *types, struct kv_err *err)
{
	int rc = kv_query_load("identity/processes", types, &host->processes_query, err);

	if (rc)
		return rc;
	/* Where the kernel lacks what `threads` reads, the kernel's own walks have to do. */
	rc = kv_query_load("identity/threads", types, &host->threads_query, err);
	if (rc && !*kv_said_lacks())
		return rc;
	kv_ask_open(&host->ask, &host->self, types);
	return 0;
}

int kv_host_open(struct kv_host *host, const struct kv_policy *policy, bool with_processes,
		 const struct kv_pins *pins, struct kv_types *types, struct kv_err *err)
{
	struct kv_self self;
	int rc = kv_identity_open(pins, types, &host->reader_query, err);

	host->policy = *policy;
	host->overflow_uid = kv_kernel_overflow_id("uid");
	host->overflow_gid = kv_kernel_overflow_id("gid");
	if (!rc)
		rc = identify_self(host, err);
	if (!rc && with_processes)
		rc = open_queries(host, types, err);
	kv_self_by(&host->reader_query);
	if (!rc)
		rc = kv_self_get(&self, err); /* now: a later read may find no descriptor left */
	if (rc)
		return rc;
	host->finds_threads = kv_identity_finds_threads(&host->reader_query);
	/* A child has to try. The answer matters to a reader without CAP_SYS_PTRACE. */
	if (with_processes || !has_cap(&host->self, CAP_SYS_PTRACE))
		host->perfmon_reads_maps = kv_kernel_perfmon_reads_maps();
	return 0;
}

void kv_host_close(struct kv_host *host)
{
	kv_self_by(NULL);
	kv_loaded_close(&host->reader_query);
	kv_loaded_close(&host->processes_query);
	kv_loaded_close(&host->threads_query);
	kv_ask_close(&host->ask);
}

/* --- rights --- */

/*
 * The guards that a reader passes whatever the task: in the initial user namespace a
 * capability holds for every task.
 */
static uint8_t passes(const struct kv_host *host, const struct kv_identity *id)
{
	uint8_t bits = 1 << KV_PUBLIC;

	if (id->user_ns_level)
		return bits;
	if (has_cap(id, CAP_SYS_PTRACE)) {
		bits |= 1 << KV_PTRACE | 1 << KV_MAPS;
		if (has_cap(id, CAP_DAC_READ_SEARCH) || has_cap(id, CAP_DAC_OVERRIDE))
			bits |= 1 << KV_FILES | 1 << KV_IO;
	}
	if ((bits >> KV_FILES & 1) && has_cap(id, CAP_SYS_ADMIN))
		bits |= 1 << KV_STACK;
	/* perfmon_capable() in include/linux/capability.h */
	if (host->perfmon_reads_maps && (has_cap(id, CAP_PERFMON) || has_cap(id, CAP_SYS_ADMIN)))
		bits |= 1 << KV_MAPS;
	return bits;
}

/* in_group_p() of the thread. */
static bool is_in_group(pid_t tid, const struct kv_identity *id, gid_t gid)
{
	_cleanup_free_ char *groups = NULL;
	char *rest = NULL;

	if (id->fsgid == gid)
		return true;
	groups = kv_kernel_status(tid, "Groups");
	for (const char *word = groups ? strtok_r(groups, " \t", &rest) : NULL; word;
	     word = strtok_r(NULL, " \t", &rest))
		if (strtoul(word, NULL, 10) == gid)
			return true;
	return false;
}

/* As inode_permission(): the first class that the reader is in decides, or a capability. */
static bool passes_mode(const struct kv_policy *policy, pid_t tid, const struct kv_identity *id)
{
	mode_t bit = S_IROTH;

	if (id->fsuid == policy->wide_uid)
		bit = S_IRUSR;
	else if (is_in_group(tid, id, policy->wide_gid))
		bit = S_IRGRP;
	return (policy->wide_mode & bit) ||
	       (!id->user_ns_level &&
		(has_cap(id, CAP_DAC_READ_SEARCH) || has_cap(id, CAP_DAC_OVERRIDE)));
}

/*
 * May the reader open the file of a kernel-wide view? Root of a container is not who the kernel
 * tells of all of it, unless the operator does.
 */
static bool passes_whole(const struct kv_policy *policy, pid_t tid, const struct kv_identity *id)
{
	bool is_admin = !id->user_ns_level && has_cap(id, CAP_SYS_ADMIN);

	return (is_admin || kv_policy_gives_wide(policy)) && passes_mode(policy, tid, id);
}

/*
 * d_path() gives the path from the top of all mounts, so it serves every reader above whose
 * root no directory has a name. For any other root the program walks up by itself.
 */
static bool is_root_elsewhere(const struct kv_host *host, const struct kv_identity *id)
{
	const struct kv_identity *self = &host->self;

	if (id->root_mnt == self->root_mnt && id->root_dentry == self->root_dentry)
		return false;
	return !id->root_is_top || !self->root_is_top;
}

static void fill_scope(const struct kv_host *host, pid_t tid, const struct kv_identity *id,
		       struct kv_scope *scope)
{
	*scope = (struct kv_scope){
		.pid_ns = id->pid_ns,
		.user_ns = id->user_ns,
		.cgroup = id->cgroup,
		.caps = id->caps,
		.own_start = id->start,
		.own_exec = id->exec,
		.own_tgid = (int32_t)(id->id >> 32),
		.host_ns = host->self.pid_ns,
		.pid_ns_level = id->pid_ns_level,
		.user_ns_level = id->user_ns_level,
		.cgroup_level = id->cgroup_level,
		.in_cgroup_ns = id->cgroup_ns_inum != PROC_CGROUP_INIT_INO,
		.host_level = host->self.pid_ns_level,
		.fsuid = id->fsuid,
		.fsgid = id->fsgid,
		.euid = id->euid,
		.overflow_uid = host->overflow_uid,
		.overflow_gid = host->overflow_gid,
		.passes = passes(host, id),
	};
	if (passes_whole(&host->policy, tid, id))
		scope->passes |= 1 << KV_WHOLE;
	if (is_root_elsewhere(host, id)) {
		scope->root_mnt = id->root_mnt;
		scope->root_dentry = id->root_dentry;
	}
	if (host->policy.hidepid && !is_in_group(tid, id, host->policy.hidepid_gid))
		scope->hidepid = (uint8_t)host->policy.hidepid;
}

/* --- descriptors that keep the addresses valid --- */

/* Opens a file of the thread in /proc, which must be that of our own pid namespace. */
static int hold(pid_t tid, const char *name, int flags, uint32_t inum)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
	fd = open(path, flags | O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (inum && (fstat(fd, &st) < 0 || st.st_ino != inum))
		return -ESTALE;
	return TAKE_FD(fd);
}

/* Our own namespaces live as long as we do; the reader's are held by its descriptors. */
static int hold_all(const struct kv_host *host, pid_t tid, const struct kv_identity *id,
		    struct kv_reader *reader)
{
	const struct kv_identity *self = &host->self;
	int *holds = reader->holds, rc = 0;

	if (id->pid_ns != self->pid_ns)
		rc = holds[KV_HOLD_PID_NS] = hold(tid, "ns/pid", 0, id->pid_ns_inum);
	if (rc >= 0 && id->user_ns != self->user_ns)
		rc = holds[KV_HOLD_USER_NS] = hold(tid, "ns/user", 0, id->user_ns_inum);
	if (rc >= 0 && id->cgroup_ns != self->cgroup_ns)
		rc = holds[KV_HOLD_CGROUP_NS] = hold(tid, "ns/cgroup", 0, id->cgroup_ns_inum);
	if (rc >= 0 && reader->scope.root_mnt)
		rc = holds[KV_HOLD_ROOT] = hold(tid, "root", O_PATH | O_DIRECTORY, 0);
	return rc < 0 ? rc : 0;
}

void kv_reader_close(struct kv_reader *reader)
{
	for (int i = 0; i < KV_HOLDS; i++)
		kv_closep(&reader->holds[i]);
	*reader = KV_READER_INIT;
}

/* --- readers --- */

static int get_identity(const struct kv_host *host, pid_t tid, struct kv_identity *id)
{
	if (kv_ask_is_open(&host->ask))
		return kv_ask_identity(&host->ask, tid, id);
	return kv_identity_get(&host->reader_query, tid, id);
}

/* The operator vouches for all readers: they see what kview sees. */
static void see_as_host(const struct kv_host *host, pid_t tid, uid_t uid, struct kv_reader *reader)
{
	struct kv_identity id;

	*reader = KV_READER_INIT;
	/* It may be outside of our pid namespace. */
	if (tid <= 0 || get_identity(host, tid, &id) != 0)
		id = (struct kv_identity){.master = uid, .fsuid = uid, .fsgid = KV_NOBODY};
	reader->user = id.master;
	fill_scope(host, tid, &host->self, &reader->scope);
	reader->scope.passes = KV_ALL_GUARDS;
	/* But the modes of files hold for everyone. */
	if (!passes_mode(&host->policy, tid, &id))
		reader->scope.passes &= (uint8_t) ~(1 << KV_WHOLE);
	reader->scope.hidepid = KV_HIDEPID_OFF;
	reader->pid = kv_kernel_process_of(tid);
	reader->net_ns = host->self.net_ns;
}

static int identify(const struct kv_host *host, pid_t tid, struct kv_identity *id,
		    struct kv_reader *reader)
{
	int rc;

	*reader = KV_READER_INIT;
	rc = get_identity(host, tid, id);
	if (rc)
		return rc;
	fill_scope(host, tid, id, &reader->scope);
	reader->pid = id->pid;
	reader->user = id->master;
	reader->net_ns = id->net_ns;
	reader->net_ns_inum = id->net_ns_inum;
	rc = hold_all(host, tid, id, reader);
	if (rc)
		kv_reader_close(reader);
	return rc;
}

/* If kview is short of something the reader may try again, and gets that error. */
static int fail(struct kv_err *err, pid_t tid, int rc, const char *why)
{
	bool is_ours = rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM;

	return kv_err_set(err, is_ours ? rc : -EACCES, "can't identify the reader, thread %d: %s",
			  (int)tid, why);
}

int kv_reader_identify(const struct kv_host *host, pid_t tid, uid_t uid, gid_t gid,
		       struct kv_reader *reader, struct kv_err *err)
{
	struct kv_identity id;
	int rc;

	if (host->policy.host_view) {
		see_as_host(host, tid, uid, reader);
		return 0;
	}
	if (tid <= 0)
		return fail(err, tid, -ESRCH, "it is outside of kview's pid namespace");
	rc = identify(host, tid, &id, reader);
	if (rc)
		return fail(err, tid, rc, strerror(-rc));
	if (id.fsuid == uid && id.fsgid == gid)
		return 0;
	kv_reader_close(reader);
	return fail(err, tid, -EPERM, "the request has other ids than it");
}

int kv_reader_hold_net(const struct kv_host *host, pid_t tid, struct kv_reader *reader,
		       struct kv_err *err)
{
	int rc = 0;

	if (!reader->net_ns || reader->net_ns != host->self.net_ns)
		rc = reader->holds[KV_HOLD_NET_NS] = hold(tid, "ns/net", 0, reader->net_ns_inum);
	return rc < 0 ? fail(err, tid, rc, strerror(-rc)) : 0;
}

bool kv_reader_is_being_killed(const struct kv_host *host, pid_t tid)
{
	struct kv_identity id;

	return tid > 0 && get_identity(host, tid, &id) == 0 && id.is_being_killed;
}

int kv_reader_self(const struct kv_host *host, struct kv_reader *reader, struct kv_err *err)
{
	struct kv_identity id;
	int rc = identify(host, gettid(), &id, reader);

	return rc ? fail(err, gettid(), rc, strerror(-rc)) : 0;
}
