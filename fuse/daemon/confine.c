// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/confine.h"

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fuse/daemon/privilege.h"
#include "fuse/daemon/seccomp.h"

#define MOUNTS_MAX (16u << 20)

/* Does /proc hide processes of others? Then it takes the right to ptrace them to read of them. */
static bool is_hiding(void)
{
	_cleanup_free_ char *mounts = NULL;
	char *rest = NULL;
	bool hides = false;
	size_t size;

	if (kv_read_file("/proc/self/mounts", MOUNTS_MAX, &mounts, &size, NULL))
		return false;
	/* The last one is on top. */
	for (char *line = strtok_r(mounts, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (strstr(line, " /proc proc "))
			hides = strstr(line, "hidepid=") && !strstr(line, "hidepid=0") &&
				!strstr(line, "hidepid=off");
	return hides;
}

int kv_confine_courier(void)
{
	int rc = kv_privilege_work(is_hiding());

	return rc ? rc : kv_seccomp_courier();
}
