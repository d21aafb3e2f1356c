/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who reads, and what that reader may see: the rules of /proc, applied inside the kernel to
 * each object, so that data which is withheld never leaves the kernel.
 *
 * The reader is not the thread that runs the program but the one that opened the file. Its
 * scope (abi.h) says what it was then. The scope has addresses of the reader's namespaces,
 * which userspace keeps alive. Data of the task is read by BPF_CORE_READ() alone, since each
 * kind of iterator gets pointers that the verifier trusts differently.
 */
#ifndef KVIEW_READER_H
#define KVIEW_READER_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "abi.h"
#include "compat.h"
#include "steady.h"

#define PF_KTHREAD 0x00200000

#define CAP_DAC_OVERRIDE 1
#define CAP_DAC_READ_SEARCH 2
#define CAP_SYS_PTRACE 19
#define CAP_SYS_ADMIN 21
#define CAP_SYSLOG 34

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KV_MAX_READERS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct kv_reading);
} kv_readers SEC(".maps");

/*
 * kv_reading_find() - the entry of this thread; NULL: it is not registered
 * @current: bpf_get_current_task_btf()
 *
 * A thread that is killed during a read leaves its entry behind, and another thread may get its
 * number.
 */
static __always_inline struct kv_reading *kv_reading_find(const struct task_struct *current)
{
	__u64 self = bpf_get_current_pid_tgid();
	struct kv_reading *reading = bpf_map_lookup_elem(&kv_readers, &self);

	if (reading && reading->scope.thread_start != current->start_boottime)
		return NULL;
	return reading;
}

/* --- pid namespaces --- */

/* The number of @pid at a level of nesting, and the address of the namespace there. */
static __always_inline int kv_pid_at(const struct pid *pid, __u32 level, struct upid *upid)
{
	return bpf_core_read(upid, sizeof(*upid),
			     (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				     level * bpf_core_type_size(struct upid));
}

/* An address as a number, which the verifier lets the program pass around freely. */
static __always_inline __u64 kv_address(const void *object)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &object);
	return address;
}

/*
 * A function that is not static is verified once, apart from its callers. Code that few readers
 * need is in such functions, so that the verifier does not walk it along every path of a
 * program.
 */
__noinline int kv_find_pid(__u64 address, __u64 level, __u64 ns)
{
	const struct pid *pid = (void *)address;
	struct upid upid = {};

	if (!pid || BPF_CORE_READ(pid, level) < level)
		return 0;
	kv_pid_at(pid, level, &upid);
	return (__u64)upid.ns == ns ? upid.nr : 0;
}

/* kv_pid_in() - number of @pid in the namespace @ns of that level, 0 outside: pid_nr_ns() */
static __always_inline int kv_pid_in(const struct pid *pid, __u64 level, __u64 ns)
{
	return kv_find_pid(kv_address(pid), level, ns);
}

/* --- user namespaces --- */

struct kv_mapping {
	__u64 extents; /* address of the first */
	__u32 id;
	__u32 found;
	__u64 down; /* from the namespace to the kernel */
};

static long kv_mapping_step(__u64 i, struct kv_mapping *m)
{
	struct uid_gid_extent e = {};
	__u32 from;

	bpf_probe_read_kernel(&e, sizeof(e),
			      (void *)(m->extents + i * bpf_core_type_size(struct uid_gid_extent)));
	from = m->down ? e.first : e.lower_first;
	if (m->id < from || m->id - from >= e.count)
		return 0;
	m->found = m->id - from + (m->down ? e.lower_first : e.first);
	return 1;
}

/*
 * map_id_up() and map_id_down() in kernel/user_namespace.c: up to five extents
 * lie in the map itself, more of them in arrays sorted either way.
 */
static __always_inline __u32 kv_map_by(const struct uid_gid_map *map, __u32 id, bool down)
{
	__u32 n = BPF_CORE_READ(map, nr_extents); /* written last, and once: map_write() */
	__u32 most = 340; /* UID_GID_MAP_MAX_EXTENTS; more is what took the map's place */
	struct kv_mapping m = {.id = id, .found = KV_NOBODY, .down = down};

	kv_barrier();
	if (n > 5)
		m.extents =
			(__u64)(down ? BPF_CORE_READ(map, forward) : BPF_CORE_READ(map, reverse));
	else
		m.extents = (__u64)map + bpf_core_field_offset(struct uid_gid_map, extent);
	bpf_loop(n < most ? n : most, kv_mapping_step, &m, 0);
	return m.found;
}

static __always_inline __u32 kv_map_id(const struct user_namespace *ns, bool is_group, __u32 id,
				       bool down)
{
	const void *map = (void *)ns;

	map += is_group ? bpf_core_field_offset(struct user_namespace, gid_map)
			: bpf_core_field_offset(struct user_namespace, uid_map);
	return kv_map_by(map, id, down);
}

/* An id as the reader sees it: from_kuid_munged(), from_kgid_munged(). */
__noinline int kv_show_id(const struct kv_scope *scope, __u32 id, __u32 is_group)
{
	__u32 shown;

	if (!scope)
		return 0;
	shown = kv_map_id((void *)scope->user_ns, is_group, id, false);
	if (shown == KV_NOBODY)
		return is_group ? scope->overflow_gid : scope->overflow_uid;
	return shown;
}

/* --- capabilities --- */

/* The reader's scope as numbers: the verifier of 6.1 forgets that a stack slot is a pointer. */
struct kv_climb {
	const struct user_namespace *ns;
	__u64 own_ns, own_level, own_caps, own_euid;
	__u64 caps;
};

static long kv_climb_step(__u64 i, struct kv_climb *climb)
{
	const struct user_namespace *ns = climb->ns, *parent;

	if ((__u64)ns == climb->own_ns) {
		climb->caps = climb->own_caps;
		return 1;
	}
	if ((__u64)BPF_CORE_READ(ns, level) <= climb->own_level)
		return 1;
	parent = BPF_CORE_READ(ns, parent);
	if ((__u64)parent == climb->own_ns && BPF_CORE_READ(ns, owner.val) == climb->own_euid) {
		climb->caps = ~0ULL; /* its maker may do everything in it */
		return 1;
	}
	climb->ns = parent;
	return 0;
}

/* The reader's capabilities over @ns: cap_capable() in security/commoncap.c. */
static __always_inline __u64 kv_caps_over(const struct kv_scope *scope,
					  const struct user_namespace *ns)
{
	struct kv_climb climb = {
		.ns = ns,
		.own_ns = scope->user_ns,
		.own_level = scope->user_ns_level,
		.own_caps = scope->caps,
		.own_euid = scope->euid,
	};

	if ((__u64)ns == scope->user_ns)
		return scope->caps; /* the usual case, without a loop */
	bpf_loop(KV_USER_NS_DEPTH, kv_climb_step, &climb, 0);
	return climb.caps;
}

static __always_inline bool kv_has_cap(__u64 caps, __u32 cap)
{
	return caps >> cap & 1;
}

/* --- what /proc checks --- */

/*
 * Is it the process that opened the file, and has it executed no other program since? That may
 * be a setuid program, into which the reader may not look.
 */
static __always_inline bool kv_is_own(const struct kv_scope *scope, const struct task_struct *task)
{
	return BPF_CORE_READ(task, tgid) == scope->own_tgid &&
	       BPF_CORE_READ(task, group_leader, start_boottime) == scope->own_start &&
	       BPF_CORE_READ(task, self_exec_id) == scope->own_exec;
}

static __always_inline bool kv_has_ids(const struct kv_scope *scope, const struct cred *cred)
{
	return BPF_CORE_READ(cred, euid.val) == scope->fsuid &&
	       BPF_CORE_READ(cred, suid.val) == scope->fsuid &&
	       BPF_CORE_READ(cred, uid.val) == scope->fsuid &&
	       BPF_CORE_READ(cred, egid.val) == scope->fsgid &&
	       BPF_CORE_READ(cred, sgid.val) == scope->fsgid &&
	       BPF_CORE_READ(cred, gid.val) == scope->fsgid;
}

static __always_inline bool kv_may_dump(const struct kv_scope *scope,
					const struct task_struct *task)
{
	struct kv_dumpability d;

	kv_dumpability(task, &d);
	if (d.by_user)
		return true;
	if (d.ns)
		return kv_has_cap(kv_caps_over(scope, d.ns), CAP_SYS_PTRACE);
	return !scope->user_ns_level && kv_has_cap(scope->caps, CAP_SYS_PTRACE);
}

/*
 * __ptrace_may_access() with PTRACE_MODE_READ_FSCREDS, and cap_ptrace_access_check().
 * Most readers are refused by their ids, before the memory of the task is read.
 */
static __always_inline bool kv_may_ptrace(const struct kv_scope *scope,
					  const struct task_struct *task, struct kv_seen *seen)
{
	const struct cred *cred = BPF_CORE_READ(task, real_cred);
	const struct user_namespace *ns = BPF_CORE_READ(cred, user_ns);
	bool able = kv_has_cap(kv_caps_over(scope, ns), CAP_SYS_PTRACE);

	if (!able && !kv_has_ids(scope, cred))
		return false;
	kv_barrier(); /* as there: a task clears dumpable before it changes its ids */
	kv_see(seen, task);
	seen->cred = (__u64)cred;
	if (!kv_may_dump(scope, task))
		return false;
	return able ||
	       ((__u64)ns == scope->user_ns && !(kv_caps(cred, cap_permitted) & ~scope->caps));
}

/* Owner of /proc/PID/fd and other private directories: task_dump_owner() in fs/proc/base.c. */
static __always_inline void kv_dump_owner(const struct task_struct *task, __u32 *uid, __u32 *gid)
{
	const struct cred *cred = BPF_CORE_READ(task, real_cred);
	struct kv_dumpability d;

	*uid = *gid = 0;
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return;
	if (!kv_knows(task_struct___exec_state, exec_state) && !BPF_CORE_READ(task, mm))
		return; /* an ended task has lost its dumpability with its memory */
	kv_dumpability(task, &d);
	if (d.by_user) {
		*uid = BPF_CORE_READ(cred, euid.val);
		*gid = BPF_CORE_READ(cred, egid.val);
	} else if (d.ns) {
		*uid = kv_map_id(d.ns, false, 0, true);
		*gid = kv_map_id(d.ns, true, 0, true);
		*uid = *uid == KV_NOBODY ? 0 : *uid;
		*gid = *gid == KV_NOBODY ? 0 : *gid;
	}
}

/* May /proc/PID/fd be listed? Its mode is 0500: generic_permission(). */
static __always_inline bool kv_may_list_files(const struct kv_scope *scope,
					      const struct task_struct *task)
{
	const struct user_namespace *ns = (void *)scope->user_ns;
	__u32 uid, gid;

	kv_dump_owner(task, &uid, &gid);
	if (uid == scope->fsuid)
		return true;
	if (!kv_has_cap(scope->caps, CAP_DAC_READ_SEARCH) &&
	    !kv_has_cap(scope->caps, CAP_DAC_OVERRIDE))
		return false;
	/* privileged_wrt_inode_uidgid() */
	return kv_map_id(ns, false, uid, false) != KV_NOBODY &&
	       kv_map_id(ns, true, gid, false) != KV_NOBODY;
}

/*
 * KV_IO is do_io_accounting() in fs/proc/base.c, KV_STACK proc_pid_stack(). The mode of these files
 * is 0400, for the process itself as well. The latter asks for the right
 * to attach. Yama, where it restricts that, lets pass who has the capability.
 */
static __always_inline bool kv_decide(const struct kv_scope *scope, const struct task_struct *task,
				      __u32 guard, struct kv_seen *seen)
{
	if (guard == KV_STACK && (scope->user_ns_level || !kv_has_cap(scope->caps, CAP_SYS_ADMIN)))
		return false;
	if (BPF_CORE_READ(task, tgid) == scope->own_tgid) {
		kv_see(seen, task);
		seen->cred = (__u64)BPF_CORE_READ(task, real_cred);
		if (kv_is_own(scope, task))
			return guard < KV_IO || kv_may_list_files(scope, task);
	}
	if (guard == KV_STACK && !kv_has_cap(scope->caps, CAP_SYS_PTRACE))
		return false;
	if (!kv_may_ptrace(scope, task, seen))
		return false;
	return (guard != KV_FILES && guard < KV_IO) || kv_may_list_files(scope, task);
}

#define KV_ASK_AGAIN 2

/*
 * The decision for readers that do not pass for every task: 0, 1 or KV_ASK_AGAIN.
 * @seen: zeroed; receives what the decision was made by, if that was more than ids
 */
__noinline int kv_ask(const struct kv_scope *scope, __u64 address, __u32 guard,
		      struct kv_seen *seen)
{
	const struct task_struct *task = (void *)address;
	int may;

	if (!scope || !seen)
		return 0;
	may = kv_decide(scope, task, guard, seen);
	return !seen->cred || kv_is_as_seen(seen, task) ? may : KV_ASK_AGAIN;
}

/*
 * An execve() takes hundreds of times as long as this check, so at most one try meets it. If
 * all tries fail, the reader is refused.
 */
#define KV_ASKS 4

/*
 * kv_may_see() - does the reader pass @guard for @task?
 * @seen: on true receives what decided it; all 0: the reader passes for every task
 */
static __always_inline bool kv_may_see(const struct kv_scope *scope, const void *task,
				       enum kv_guard guard, struct kv_seen *seen)
{
	int may = KV_ASK_AGAIN;

	*seen = (struct kv_seen){};
	if (scope->passes >> guard & 1)
		return true;
	for (int i = 0; i < KV_ASKS && may == KV_ASK_AGAIN; i++)
		may = kv_ask(scope, kv_address(task), guard, seen);
	return may == 1;
}

/* Is it hidden as by /proc's hidepid=? The leader decides, not the thread. */
static __always_inline bool kv_is_hidden(const struct kv_scope *scope,
					 const struct task_struct *task)
{
	struct kv_seen seen;

	return scope->hidepid &&
	       !kv_may_see(scope, BPF_CORE_READ(task, group_leader), KV_PTRACE, &seen);
}

/* Is @task in the reader's pid namespace or below? */
static __always_inline bool kv_is_in_pid_ns(const struct kv_scope *scope,
					    const struct task_struct *task)
{
	return !scope->pid_ns_level ||
	       kv_pid_in(BPF_CORE_READ(task, thread_pid), scope->pid_ns_level, scope->pid_ns);
}

/* If one process is to be shown: is the task of that process, and not of a later one? */
static __always_inline bool kv_is_target(const struct kv_scope *scope,
					 const struct task_struct *task)
{
	return !scope->target_start ||
	       scope->target_start == BPF_CORE_READ(task, group_leader, start_boottime);
}

/* What a program of a view of tasks does with a task. */
enum kv_verdict {
	KV_LEAVE = 0, /* the program returns it: no row of this object */
	KV_RETRY = 1, /* the program returns it: the kernel calls again */
	KV_SHOW = 2,
};

/* kv_shows() - may the reader have a row of @task, under @guard? @seen: as kv_may_see() */
static __always_inline bool kv_shows(struct kv_scope *scope, const struct task_struct *task,
				     enum kv_guard guard, struct kv_seen *seen)
{
	if (!kv_is_in_pid_ns(scope, task))
		return false;
	if (!kv_is_target(scope, task)) {
		scope->saw |= KV_SAW_OTHER;
		return false;
	}
	if (!kv_is_hidden(scope, task) && kv_may_see(scope, task, guard, seen))
		return true;
	scope->saw |= KV_SAW_DENIED;
	return false;
}

#endif
