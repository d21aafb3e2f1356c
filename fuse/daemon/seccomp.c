// SPDX-License-Identifier: GPL-2.0-only
/*
 * Three answers to a system call:
 *
 * - what serving takes is allowed, by its arguments where they tell;
 * - what only an intruder would try ends the process, and the audit log has it;
 * - all others fail with ENOSYS. A later libc tries new calls and goes on with
 *   older ones if the kernel does not have them; EPERM would be an error to it,
 *   and death a mount that crashes until it is given up.
 */
#include "fuse/daemon/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access/process.h"

static const char *const allowed[] = {
	/* requests and replies, iterators, /proc */
	"read write readv writev lseek poll ppoll close fstat newfstatat statx",
	/* answers of the broker */
	"recvmsg",
	/* memory */
	"brk mremap munmap madvise",
	/* threads */
	"set_robust_list rseq futex sched_yield sched_getaffinity exit exit_group",
	/* signals */
	"rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall",
	/* facts */
	"getpid getppid gettid getuid geteuid getgid getegid getrusage sysinfo getrandom",
	/* clocks, on machines without a vDSO for them */
	"clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time",
};

static const char *const deadly[] = {
	/* to be another program, or somebody else */
	"execve execveat fork vfork",
	"setuid setgid setreuid setregid setresuid setresgid setgroups capset",
	/* what CAP_SYS_PTRACE would allow */
	"ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp",
	"perf_event_open userfaultfd",
	/* other mounts and namespaces */
	"mount umount2 pivot_root chroot open_tree move_mount fsopen fsmount fspick mount_setattr",
	"setns unshare open_by_handle_at",
	/* the kernel; calls of io_uring pass by this filter */
	"init_module finit_module delete_module kexec_load kexec_file_load reboot",
	"io_uring_setup add_key request_key keyctl",
};

/* Allowed where an argument has this value in the bits of a mask. */
struct condition {
	int call;
	unsigned int arg;
	uint64_t mask, value;
};

/* Arguments of 32 bits: the kernel does not look at the upper half of the register. */
#define IS(value) UINT32_MAX, (uint32_t)(value)

#define NAMESPACES                                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET)

static const struct condition conditions[] = {
	/* Nothing is opened for writing or created. */
	{SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY},
	{SCMP_SYS(fcntl), 1, IS(F_GETFD)},
	{SCMP_SYS(fcntl), 1, IS(F_SETFD)},
	{SCMP_SYS(fcntl), 1, IS(F_GETFL)},
	/* Messages to the log and to the broker, by the sockets that are there; none waits. */
	{SCMP_SYS(sendto), 3, IS(MSG_DONTWAIT | MSG_NOSIGNAL)},
	{SCMP_SYS(ioctl), 1, IS(NS_GET_TGID_FROM_PIDNS)},
	/* Calls and iterators of what is loaded, and the map of readers. */
	{SCMP_SYS(bpf), 0, IS(BPF_PROG_TEST_RUN)},
	{SCMP_SYS(bpf), 0, IS(BPF_LINK_CREATE)},
	{SCMP_SYS(bpf), 0, IS(BPF_ITER_CREATE)},
	{SCMP_SYS(bpf), 0, IS(BPF_MAP_LOOKUP_AND_DELETE_ELEM)},
	{SCMP_SYS(bpf), 0, IS(BPF_MAP_UPDATE_ELEM)},
	{SCMP_SYS(bpf), 0, IS(BPF_MAP_DELETE_ELEM)},
	{SCMP_SYS(bpf), 0, IS(BPF_MAP_GET_NEXT_KEY)},
	/* Maps that the broker has opened. */
	{SCMP_SYS(bpf), 0, IS(BPF_OBJ_GET_INFO_BY_FD)},
	{SCMP_SYS(bpf), 0, IS(BPF_MAP_LOOKUP_ELEM)},
	{SCMP_SYS(bpf), 0, IS(BPF_MAP_LOOKUP_BATCH)},
	/* No memory is code. */
	{SCMP_SYS(mmap), 2, PROT_EXEC, 0},
	{SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
	/* Threads, no processes; the flags of clone3() lie in memory and can't be tested. */
	{SCMP_SYS(clone), 0, CLONE_THREAD | NAMESPACES, CLONE_THREAD},
	{SCMP_SYS(prctl), 0, IS(PR_SET_NAME)},
	{SCMP_SYS(prlimit64), 2, UINT64_MAX, 0}, /* asked, not set */
	{SCMP_SYS(tkill), 1, IS(0)},		 /* is that thread there? */
	{SCMP_SYS(tgkill), 2, IS(0)},		 /* is that process? */
};

/* Couriers and their keeper: files of /proc, and each other. */
static const char *const courier_allowed[] = {
	"read write close poll ppoll recvfrom pipe2 wait4",
	"brk mremap munmap madvise set_robust_list rseq futex exit exit_group",
	"rt_sigaction rt_sigprocmask rt_sigreturn restart_syscall",
	"getpid getppid gettid getrusage clock_gettime clock_nanosleep nanosleep gettimeofday time",
};

static const struct condition courier_conditions[] = {
	{SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY},
	{SCMP_SYS(sendto), 3, IS(MSG_DONTWAIT | MSG_NOSIGNAL)},
	{SCMP_SYS(mmap), 2, PROT_EXEC, 0},
	{SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
	{SCMP_SYS(clone), 0, CLONE_THREAD | CLONE_VM | CLONE_PARENT | NAMESPACES, 0}, /* fork() */
	{SCMP_SYS(prctl), 0, IS(PR_SET_PDEATHSIG)},
	{SCMP_SYS(kill), 1, IS(SIGKILL)},
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A filter: the calls of two lists, and what is deadly. */
struct rules {
	const char *const *allowed;
	size_t n_allowed;
	const struct condition *conditions;
	size_t n_conditions;
};

static const struct rules worker_rules = {
	allowed,
	ARRAY_SIZE(allowed),
	conditions,
	ARRAY_SIZE(conditions),
};

static const struct rules courier_rules = {
	courier_allowed,
	ARRAY_SIZE(courier_allowed),
	courier_conditions,
	ARRAY_SIZE(courier_conditions),
};

static int allow_if(scmp_filter_ctx filter, const struct condition *c)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, c->call, 1,
				SCMP_CMP(c->arg, SCMP_CMP_MASKED_EQ, c->mask, c->value));
}

/* A rule for each call of a list of names. */
static int add_list(scmp_filter_ctx filter, uint32_t action, const char *const *list, size_t n)
{
	char names[256], *save = NULL;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		snprintf(names, sizeof(names), "%s", list[i]);
		for (const char *name = strtok_r(names, " ", &save); name && !rc;
		     name = strtok_r(NULL, " ", &save))
			rc = seccomp_rule_add(filter, action, seccomp_syscall_resolve_name(name),
					      0);
	}
	return rc;
}

static int add_rules(scmp_filter_ctx filter, const struct rules *rules)
{
	/* abort(), and pthread_cancel() by which libfuse ends its threads. */
	const struct condition own = {SCMP_SYS(tgkill), 0, IS(getpid())};
	int rc = allow_if(filter, &own);

	for (size_t i = 0; !rc && i < rules->n_conditions; i++)
		rc = allow_if(filter, &rules->conditions[i]);
	if (!rc)
		rc = add_list(filter, SCMP_ACT_ALLOW, rules->allowed, rules->n_allowed);
	if (!rc)
		rc = add_list(filter, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_SIZE(deadly));
	return rc;
}

static int install(const struct rules *rules)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int rc = filter ? 0 : -ENOMEM;

	/* Of another architecture, x32 included: the numbers would mean other calls. */
	if (!rc)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!rc)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1); /* for all threads */
	if (!rc)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* errors as they are */
	if (!rc)
		rc = add_rules(filter, rules);
	if (!rc)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}

/* The test of seccomp(2): EFAULT for the address where there are filters. */
static bool has_filters(void)
{
	return KV_SECCOMP_IS_BUILT &&
	       (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) == 0 || errno != EINVAL);
}

int kv_seccomp_worker(bool *is_filtered)
{
	bool can = has_filters();
	int rc = can ? install(&worker_rules) : 0;

	*is_filtered = can && !rc;
	return rc;
}

int kv_seccomp_courier(void)
{
	return has_filters() ? install(&courier_rules) : 0;
}
