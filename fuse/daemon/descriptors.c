// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "access/reader.h"
#include "fuse/fs/ops.h"

/*
 * Of a file: its iterator, and what holds its reader's namespaces and root directory. Where
 * arguments are fetched there are two iterators, but then no network namespace is held. Of a
 * listing: the latter but for the network namespace; it has an iterator for the time of a request.
 */
#define PER_FILE (1 + KV_HOLDS + KV_HOLDS - 1)

/*
 * What a thread opens for the time of a request, a link, a file of /proc, or a reader's
 * that is refused by a limit once it is known who it is, is closed before there is
 * anything that it could get stuck in. So few of them have more than none.
 */
#define PER_THREAD 1

/* Our own that are still to come: pins, tools, the connection, signals, timer, sockets. */
#define OURS 40

static unsigned int count_open(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (dir && readdir(dir))
		n++; /* three too many: ".", ".." and that of the directory */
	return n;
}

static bool set_limit(uint64_t n)
{
	struct rlimit limit = {n, n};

	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/* The highest there can be, and whether that is of all the system. */
static uint64_t find_limit(bool *is_systems)
{
	_cleanup_free_ char *text = NULL;
	struct rlimit limit = {0};
	uint64_t n = 0;
	size_t len;

	if (kv_read_file("/proc/sys/fs/nr_open", 64, &text, &len, NULL) == 0)
		n = strtoull(text, NULL, 10);
	*is_systems = n && set_limit(n);
	if (*is_systems)
		return n;
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_max;
}

int kv_descriptors_provide(unsigned int least, unsigned int *files, struct kv_err *err)
{
	unsigned long long others = count_open() + OURS + KV_MAX_THREADS * PER_THREAD;
	unsigned long long takes = others + (uint64_t)least * PER_FILE, limit, most;
	bool is_systems;

	if (set_limit(others + (uint64_t)*files * PER_FILE))
		return 0;
	limit = find_limit(&is_systems);
	most = limit < others ? 0 : (limit - others) / PER_FILE;
	if (most < least) {
		kv_err_set(err, -EMFILE,
			   "max_files=%u takes %llu descriptors, and there can be %llu: "
			   "enough for max_files=%llu",
			   least, takes, limit, most);
		if (is_systems)
			kv_err_hint(err, "sysctl fs.nr_open=%llu lets a process have them", takes);
		else
			kv_err_hint(err,
				    "`ulimit -Hn %llu`, or LimitNOFILE=%llu of a service, allows "
				    "them; so does CAP_SYS_RESOURCE",
				    takes, takes);
		return -EMFILE;
	}
	if (most < *files)
		*files = (unsigned int)most;
	if (set_limit(others + (uint64_t)*files * PER_FILE))
		return 0;
	return kv_err_errno(err, -errno, "can't limit the worker's descriptors");
}
