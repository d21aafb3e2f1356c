// SPDX-License-Identifier: GPL-2.0-only
#include "load/kernel.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "kview/abi.h"
#include "load/load.h"

/* PROC_USER_INIT_INO in include/linux/proc_ns.h, a part of the kernel's ABI */
#define INITIAL_USER_NS 0xEFFFFFFDu

static int load_btf(struct btf **btf, struct kv_err *err)
{
	int rc;

	*btf = btf__load_vmlinux_btf();
	if (*btf)
		return 0;
	rc = kv_err_errno(err, -errno, "can't read the kernel's BTF");
	kv_err_hint(err, "the kernel needs CONFIG_DEBUG_INFO_BTF (/sys/kernel/btf/vmlinux)");
	return rc;
}

/* What a program of each kind is called with; functions of such names are other things as well. */
#define CONTEXT "bpf_iter__"

int kv_kernel_check(const char *kind, const char *since, struct kv_err *err)
{
	bool has_loop, has_task, has_kind = true;
	struct utsname self;
	struct btf *btf;
	char context[128];
	int rc = load_btf(&btf, err);

	if (rc)
		return rc;
	has_loop = btf__find_by_name_kind(btf, "bpf_loop", BTF_KIND_FUNC) > 0;
	has_task = btf__find_by_name_kind(btf, "bpf_iter_task_type", BTF_KIND_ENUM) > 0;
	if (kind && strcmp(kind, KV_KIND_CALL) != 0) {
		snprintf(context, sizeof(context), CONTEXT "%s", kind);
		has_kind = btf__find_by_name_kind(btf, context, BTF_KIND_STRUCT) > 0;
	}
	btf__free(btf);
	if (has_loop && has_task && has_kind)
		return 0;
	if (has_loop && has_task) {
		kv_err_set(err, -EOPNOTSUPP, "this kernel has no '%s' iterator", kind);
		if (*since)
			kv_err_hint(err, "it needs Linux %s", since);
		else
			kv_err_hint(err, "`kview list --kinds` lists those that it has");
		return -EOPNOTSUPP;
	}
	uname(&self);
	kv_err_set(err, -EOPNOTSUPP, "Linux %s has no %s", self.release,
		   has_loop ? "iterators over one process" : "bpf_loop()");
	kv_err_hint(err, "kview needs Linux 6.1, or one that has this added");
	return -EOPNOTSUPP;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int kv_kernel_kinds(char ***kinds, struct kv_err *err)
{
	char **list = NULL, **more;
	struct btf *btf;
	size_t n = 0;
	int rc = load_btf(&btf, err);

	if (rc)
		return rc;
	for (uint32_t id = 1; id <= btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const char *name = t ? btf__name_by_offset(btf, t->name_off) : NULL;
		bool is_kind = t && btf_is_struct(t) && name &&
			       strncmp(name, CONTEXT, strlen(CONTEXT)) == 0 &&
			       /* bpf_iter__task__safe_trusted is the verifier's own */
			       !strstr(name + strlen(CONTEXT), "__");

		/* Room for one more, and NULL behind it. */
		more = is_kind || !list ? reallocarray(list, n + 2, sizeof(*list)) : list;
		if (!more)
			break;
		list = more;
		if (is_kind)
			list[n++] = strdup(name + strlen(CONTEXT));
		list[n] = NULL;
	}
	btf__free(btf);
	if (n)
		qsort(list, n, sizeof(*list), compare);
	*kinds = list;
	return list ? 0 : kv_err_errno(err, -ENOMEM, "can't list the kinds of iterators");
}

void kv_kernel_kinds_free(char **kinds)
{
	for (char **kind = kinds; *kind; kind++)
		free(*kind);
	free(kinds);
}

/* "0-3,8": the number behind the last separator is the highest. */
static uint32_t count_nodes(void)
{
	_cleanup_free_ char *list = NULL;
	size_t n;

	if (kv_read_file("/sys/devices/system/node/possible", 4096, &list, &n, NULL) < 0)
		return 1; /* no CONFIG_NUMA */
	while (n && (list[n - 1] == '\n' || (list[n - 1] >= '0' && list[n - 1] <= '9')))
		n--;
	return (uint32_t)strtoul(list + n, NULL, 10) + 1;
}

static bool tells_number_of_fds(void)
{
	_cleanup_close_ int fd = open("/proc/self/fd", O_PATH | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0;
}

void kv_kernel_table(struct kv_table *table)
{
	_cleanup_free_ char *maps = NULL;
	const char *line = NULL;

	table->page_shift = (uint32_t)__builtin_ctzl((unsigned long)sysconf(_SC_PAGESIZE));
	table->nr_nodes = count_nodes();
	if (kv_read_file("/proc/self/maps", 1 << 24, &maps, NULL, NULL) == 0)
		line = strstr(maps, "ffffffffff600000-");
	line = line ? strchr(line, ' ') : NULL;
	if (line)
		memcpy(table->vsyscall, line + 1, sizeof(table->vsyscall));
	table->fds_are_public = tells_number_of_fds();
}

bool kv_kernel_has_descriptors(void)
{
	int fds[20]; /* libbpf holds maps, types and probes while it loads */
	size_t n = 0, all = sizeof(fds) / sizeof(fds[0]);
	bool has;

	while (n < all && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	has = n == all || errno != EMFILE;
	while (n)
		close(fds[--n]);
	return has;
}

bool kv_kernel_capable(int cap)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[cap / 32].effective >> (cap % 32) & 1;
}

bool kv_kernel_has_process(pid_t pid)
{
	/* Signal 0, which is none, to the leader of the thread group: the thread of its number. */
	return syscall(SYS_tgkill, pid, pid, 0) == 0 || (errno != ESRCH && errno != EINVAL);
}

char *kv_kernel_status(pid_t tid, const char *field)
{
	_cleanup_free_ char *status = NULL;
	char path[64], key[32];
	const char *line;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	n = (size_t)snprintf(key, sizeof(key), "\n%s:", field);
	if (tid <= 0 || kv_read_file(path, 1 << 20, &status, NULL, NULL) < 0)
		return NULL;
	line = strstr(status, key);
	return line ? strndup(line + n, strcspn(line + n, "\n")) : NULL;
}

pid_t kv_kernel_process_of(pid_t tid)
{
	_cleanup_free_ char *pid = kv_kernel_status(tid, "Tgid");

	return pid ? (pid_t)strtol(pid, NULL, 10) : 0;
}

bool kv_kernel_in_initial_user_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) < 0 || st.st_ino == INITIAL_USER_NS;
}

/* In a child that gives up all rights but CAP_PERFMON: so it may not ptrace its parent. */
static _Noreturn void try_maps_of(pid_t parent)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	char path[64];

	data[CAP_PERFMON / 32].effective = data[CAP_PERFMON / 32].permitted = 1u
									      << CAP_PERFMON % 32;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)parent);
	_exit(syscall(SYS_capset, &header, data) == 0 && open(path, O_RDONLY) >= 0);
}

bool kv_kernel_perfmon_reads_maps(void)
{
	pid_t self = getpid(), pid;
	int status = 0;

	fflush(NULL);
	pid = fork();
	if (!pid)
		try_maps_of(self);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

uint32_t kv_kernel_overflow_id(const char *which)
{
	_cleanup_free_ char *text = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/kernel/overflow%s", which);
	if (kv_read_file(path, 64, &text, NULL, NULL) < 0)
		return 65534;
	return (uint32_t)strtoul(text, NULL, 10);
}
