// SPDX-License-Identifier: GPL-2.0-only
#include "load/kernel.h"

#include <bpf/bpf.h>
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

/* PROC_USER_INIT_INO in include/linux/proc_ns.h: it can't change. */
#define INITIAL_USER_NS 0xEFFFFFFDu

static int read_btf(struct btf **btf, struct kv_err *err)
{
	int rc;

	*btf = btf__load_vmlinux_btf();
	if (*btf)
		return 0;
	rc = kv_err_errno(err, -errno, "can't read the kernel's BTF");
	kv_err_hint(err, "the kernel needs CONFIG_DEBUG_INFO_BTF (/sys/kernel/btf/vmlinux)");
	return rc;
}

int kv_kernel_has_iter(const char *kind, struct kv_err *err)
{
	struct btf *btf;
	char func[128];
	int id = read_btf(&btf, err);

	if (id)
		return id;
	snprintf(func, sizeof(func), "bpf_iter_%s", kind);
	id = btf__find_by_name_kind(btf, func, BTF_KIND_FUNC);
	btf__free(btf);
	return id > 0;
}

static bool has_member(const struct btf *btf, int id, const char *name)
{
	const struct btf_type *t = btf__type_by_id(btf, (uint32_t)id);

	for (uint32_t i = 0; i < btf_vlen(t); i++)
		if (strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), name) == 0)
			return true;
	return false;
}

int kv_kernel_check(struct kv_err *err)
{
	struct utsname self;
	struct btf *btf;
	bool has_loop, has_task;
	int id, rc = read_btf(&btf, err);

	if (rc)
		return rc;
	has_loop = btf__find_by_name_kind(btf, "bpf_loop", BTF_KIND_FUNC) > 0;
	id = btf__find_by_name_kind(btf, "bpf_iter_link_info", BTF_KIND_UNION);
	has_task = id > 0 && has_member(btf, id, "task");
	btf__free(btf);
	if (has_loop && has_task)
		return 0;
	uname(&self);
	kv_err_set(err, -EOPNOTSUPP, "Linux %s has no %s", self.release,
		   has_loop ? "iterators over one process" : "bpf_loop()");
	kv_err_hint(err, "kview needs Linux 6.1, or one that has this added");
	return -EOPNOTSUPP;
}

uint32_t kv_kernel_page_shift(void)
{
	return (uint32_t)__builtin_ctzl((unsigned long)sysconf(_SC_PAGESIZE));
}

/* "0-3,8": the number behind the last separator. */
uint32_t kv_kernel_nodes(void)
{
	_cleanup_free_ char *list = NULL;
	size_t n;

	if (kv_read_file("/sys/devices/system/node/possible", 4096, &list, &n, NULL) < 0)
		return 1; /* no CONFIG_NUMA */
	while (n && (list[n - 1] == '\n' || (list[n - 1] >= '0' && list[n - 1] <= '9')))
		n--;
	return (uint32_t)strtoul(list + n, NULL, 10) + 1;
}

void kv_kernel_vsyscall(char perms[4])
{
	_cleanup_free_ char *maps = NULL;
	const char *line;
	size_t n;

	memset(perms, 0, 4);
	if (kv_read_file("/proc/self/maps", 1 << 24, &maps, &n, NULL) < 0)
		return;
	line = strstr(maps, "ffffffffff600000-");
	line = line ? strchr(line, ' ') : NULL;
	if (line)
		memcpy(perms, line + 1, 4);
}

bool kv_kernel_has_descriptors(void)
{
	int fds[20]; /* libbpf holds maps, types and probes while it loads */
	size_t n = 0;

	while (n < sizeof(fds) / sizeof(fds[0])) {
		fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fds[n] < 0)
			break;
		n++;
	}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return n == sizeof(fds) / sizeof(fds[0]) || errno != EMFILE;
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
	/* No signal, and to that thread of this very thread group: its leader. */
	return syscall(SYS_tgkill, pid, pid, 0) == 0 || (errno != ESRCH && errno != EINVAL);
}

pid_t kv_kernel_process_of(pid_t tid)
{
	_cleanup_free_ char *status = NULL;
	const char *line;
	char path[64];
	size_t len;

	if (tid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	if (kv_read_file(path, 1 << 16, &status, &len, NULL) < 0)
		return 0;
	line = strstr(status, "\nTgid:");
	return line ? (pid_t)strtol(line + strlen("\nTgid:"), NULL, 10) : 0;
}

bool kv_kernel_in_initial_user_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) < 0 || st.st_ino == INITIAL_USER_NS;
}

/* In a child: nothing but CAP_PERFMON, which does not include to ptrace its parent. */
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
	size_t n;

	snprintf(path, sizeof(path), "/proc/sys/kernel/overflow%s", which);
	if (kv_read_file(path, 64, &text, &n, NULL) < 0)
		return 65534;
	return (uint32_t)strtoul(text, NULL, 10);
}
