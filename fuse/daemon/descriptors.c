// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "access/reader.h"
#include "fuse/fs/ops.h"

/* A file's iterator, and what holds its reader's namespaces and root directory. */
#define OF_FILE (1 + KV_HOLDS)

/* A listing opens its iterator for the time of a request. */
#define OF_LISTING KV_HOLDS

/*
 * What a thread opens for the time of a request, a link, a file of /proc, or a reader's
 * that is refused by a limit once it is known who it is, is closed before there is
 * anything that it could get stuck in. So few of them have more than none.
 */
#define OF_THREAD 1

/* Our own that are still to come: pins, tools, the connection, signals, timer, pipes. */
#define OURS 40

uint64_t kv_descriptors_for(unsigned int open, unsigned int files)
{
	return (uint64_t)open + OURS + KV_MAX_THREADS * OF_THREAD +
	       (uint64_t)files * (OF_FILE + OF_LISTING);
}

unsigned int kv_descriptors_enough_for(unsigned int open, uint64_t limit)
{
	uint64_t others = kv_descriptors_for(open, 0);
	uint64_t files = limit < others ? 0 : (limit - others) / (OF_FILE + OF_LISTING);

	return files < UINT_MAX ? (unsigned int)files : UINT_MAX;
}

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

static int refuse(unsigned int open, unsigned int files, uint64_t limit, bool is_systems,
		  struct kv_err *err)
{
	unsigned long long takes = kv_descriptors_for(open, files);

	kv_err_set(err, -EMFILE,
		   "max_files=%u takes %llu descriptors, and there can be %llu: "
		   "enough for max_files=%u",
		   files, takes, (unsigned long long)limit, kv_descriptors_enough_for(open, limit));
	if (is_systems)
		kv_err_hint(err, "sysctl fs.nr_open=%llu lets a process have them", takes);
	else
		kv_err_hint(err,
			    "`ulimit -Hn %llu`, or LimitNOFILE=%llu of a service, allows them; "
			    "so does CAP_SYS_RESOURCE",
			    takes, takes);
	return -EMFILE;
}

int kv_descriptors_provide(unsigned int least, unsigned int *files, struct kv_err *err)
{
	unsigned int open = count_open(), most;
	bool is_systems;
	uint64_t limit;

	if (set_limit(kv_descriptors_for(open, *files)))
		return 0;
	limit = find_limit(&is_systems);
	most = kv_descriptors_enough_for(open, limit);
	if (most < least)
		return refuse(open, least, limit, is_systems, err);
	if (most < *files)
		*files = most;
	if (set_limit(kv_descriptors_for(open, *files)))
		return 0;
	return kv_err_errno(err, -errno, "can't limit the worker's descriptors");
}
