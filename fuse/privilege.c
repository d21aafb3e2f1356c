// SPDX-License-Identifier: GPL-2.0-only
#include "privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(cap) (UINT64_C(1) << (cap))

/* Of those we have; the others go from all sets, also for what would be executed. */
static int keep_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	/* Needs CAP_SETPCAP; without it there is nothing to gain by executing either. */
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

static int gain_nothing(void)
{
	static const struct rlimit none = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	return 0;
}

int kv_privilege_hold(void)
{
	int rc = gain_nothing();

	return rc ? rc
		  : keep_capabilities(BIT(CAP_SYS_ADMIN) | BIT(CAP_DAC_READ_SEARCH) |
				      BIT(CAP_SYS_PTRACE));
}

int kv_privilege_work(bool identifies)
{
	int rc = gain_nothing();

	if (!rc)
		rc = keep_capabilities(identifies ? BIT(CAP_SYS_PTRACE) : 0);
	if (!rc && prctl(PR_SET_DUMPABLE, 0) < 0)
		rc = -errno;
	return rc;
}
