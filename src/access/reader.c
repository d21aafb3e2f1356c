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

#include "access/self.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "load/kernel.h"
#include "access/identity.h"

#define PASSES_ALL (1 << KV_PUBLIC | 1 << KV_PTRACE | 1 << KV_FILES | 1 << KV_MAPS)

static bool has_cap(const struct kv_identity *id, unsigned int cap)
{
	return id->caps >> cap & 1;
}

/* --- kview itself --- */

static int ask_self(struct kv_host *host, struct kv_err *err)
{
	int rc = kv_identity_ask(&host->reader_tool, gettid(), &host->self);

	if (!rc)
		return 0;
	kv_err_errno(err, rc, "can't identify readers");
	/* Without link_info.task (f0d74c4da1f0) it is unknown, or all threads come. */
	if (rc == -EINVAL || rc == -E2BIG || rc == -ESRCH)
		kv_err_hint(err, "iterators for one thread need Linux 6.1");
	else if (rc == -EMFILE)
		kv_err_hint(err, "raise the limit: ulimit -n 1024");
	else
		kv_err_hint(err, "the kernel may be short of memory: try again");
	return rc;
}

/* Without it, on a kernel that lacks what it reads, walks are the kernel's own. */
static int open_threads_tool(struct kv_host *host, struct kv_types *types, struct kv_err *err)
{
	int rc = kv_embedded_load("identity/threads", types, &host->threads_tool, err);

	return rc && *kv_load_lacks() ? 0 : rc;
}

int kv_host_open(struct kv_host *host, const struct kv_policy *policy, bool with_processes,
		 const struct kv_pins *pins, struct kv_types *types, struct kv_err *err)
{
	int rc = kv_identity_open(pins, types, &host->reader_tool, err);

	host->policy = *policy;
	if (!rc)
		rc = ask_self(host, err);
	if (!rc && with_processes)
		rc = kv_embedded_load("identity/processes", types, &host->processes_tool, err);
	if (!rc && with_processes)
		rc = open_threads_tool(host, types, err);
	/* libbpf reads all the kernel's types for it: too long for who asks once. */
	if (!rc && with_processes)
		kv_query_open(&host->query, &host->self, types);
	host->overflow_uid = kv_kernel_overflow_id("uid");
	host->overflow_gid = kv_kernel_overflow_id("gid");
	if (!rc) {
		struct kv_self self;

		kv_self_by(&host->reader_tool);
		rc = kv_self_get(&self,
				 err); /* now: a read that begins may have no descriptor left */
	}
	host->finds_threads = !rc && kv_identity_finds_threads(&host->reader_tool);
	/* It takes a child to know, and matters to who has no other right to look into tasks. */
	if (!rc && (with_processes || !has_cap(&host->self, CAP_SYS_PTRACE)))
		host->perfmon_reads_maps = kv_kernel_perfmon_reads_maps();
	return rc;
}

void kv_host_close(struct kv_host *host)
{
	kv_self_by(NULL);
	kv_loaded_close(&host->reader_tool);
	kv_loaded_close(&host->processes_tool);
	kv_loaded_close(&host->threads_tool);
	kv_query_close(&host->query);
}

/* --- rights --- */

/*
 * What needs no question for each task: in the initial user namespace a
 * capability reaches over everything.
 */
static uint8_t passes(const struct kv_host *host, const struct kv_identity *id)
{
	uint8_t bits = 1 << KV_PUBLIC;

	if (id->user_ns_level)
		return bits;
	if (has_cap(id, CAP_SYS_PTRACE)) {
		bits |= 1 << KV_PTRACE | 1 << KV_MAPS;
		if (has_cap(id, CAP_DAC_READ_SEARCH) || has_cap(id, CAP_DAC_OVERRIDE))
			bits |= 1 << KV_FILES;
	}
	/* perfmon_capable() in include/linux/capability.h */
	if (host->perfmon_reads_maps && (has_cap(id, CAP_PERFMON) || has_cap(id, CAP_SYS_ADMIN)))
		bits |= 1 << KV_MAPS;
	return bits;
}

/* in_group_p() of the thread: a word in the line "Groups:" of its status. */
static bool is_in_group(pid_t tid, const struct kv_identity *id, gid_t gid)
{
	_cleanup_free_ char *status = NULL;
	char path[64], *at;
	size_t n;

	if (id->fsgid == gid)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	if (kv_read_file(path, 1 << 20, &status, &n, NULL) < 0)
		return false;
	at = strstr(status, "\nGroups:");
	if (!at)
		return false;
	at += strlen("\nGroups:");
	while (*at && *at != '\n') {
		char *end;
		unsigned long group = strtoul(at, &end, 10);

		if (end == at)
			at++;
		else if (group == gid)
			return true;
		else
			at = end;
	}
	return false;
}

/*
 * A path is the same from any root above which there is no directory with a
 * name, and d_path() can say it; from another root the program walks itself.
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
		.host_level = host->self.pid_ns_level,
		.fsuid = id->fsuid,
		.fsgid = id->fsgid,
		.euid = id->euid,
		.overflow_uid = host->overflow_uid,
		.overflow_gid = host->overflow_gid,
		.passes = passes(host, id),
	};
	if (is_root_elsewhere(host, id)) {
		scope->root_mnt = id->root_mnt;
		scope->root_dentry = id->root_dentry;
	}
	if (host->policy.hidepid && !is_in_group(tid, id, host->policy.hidepid_gid))
		scope->hidepid = (uint8_t)host->policy.hidepid;
}

/* --- what keeps the addresses valid --- */

/* By an open file of /proc, which must be that of our own pid namespace. */
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

/* Our own namespaces stay as long as we do; others are held by the reader. */
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

static int ask(const struct kv_host *host, pid_t tid, struct kv_identity *id)
{
	if (kv_query_is_open(&host->query))
		return kv_query_identity(&host->query, tid, id);
	return kv_identity_ask(&host->reader_tool, tid, id);
}

/* The operator vouches for all: they see what we do. */
static void see_as_host(const struct kv_host *host, pid_t tid, uid_t uid, struct kv_reader *reader)
{
	struct kv_identity id;

	*reader = KV_READER_INIT;
	reader->user = tid > 0 && ask(host, tid, &id) == 0 ? id.master : uid;
	fill_scope(host, tid, &host->self, &reader->scope);
	reader->scope.passes = PASSES_ALL;
	reader->scope.hidepid = KV_HIDEPID_OFF;
	reader->pid = kv_kernel_process_of(tid);
}

static int identify(const struct kv_host *host, pid_t tid, struct kv_identity *id,
		    struct kv_reader *reader)
{
	int rc;

	*reader = KV_READER_INIT;
	rc = ask(host, tid, id);
	if (rc)
		return rc;
	fill_scope(host, tid, id, &reader->scope);
	reader->pid = id->pid;
	reader->user = id->master;
	rc = hold_all(host, tid, id, reader);
	if (rc)
		kv_reader_close(reader);
	return rc;
}

/* What we are short of says nothing of the reader, who may try again. */
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

bool kv_reader_is_being_killed(const struct kv_host *host, pid_t tid)
{
	struct kv_identity id;

	return tid > 0 && ask(host, tid, &id) == 0 && id.is_being_killed;
}

int kv_reader_self(const struct kv_host *host, struct kv_reader *reader, struct kv_err *err)
{
	struct kv_identity id;
	int rc = identify(host, gettid(), &id, reader);

	return rc ? fail(err, gettid(), rc, strerror(-rc)) : 0;
}
