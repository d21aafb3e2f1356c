// SPDX-License-Identifier: GPL-2.0-only
/* Limits of descriptors, set in a kernel that is made here. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuse/daemon/descriptors.h"
#include "fuse/fs/ops.h"
#include "unit.h"

/* --- the kernel --- */

static struct rlimit now;
static uint64_t nr_open; /* 0: /proc/sys has none */
static bool is_capable;

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
	if (resource != RLIMIT_NOFILE) /* a sanitizer asks */
		return (int)syscall(SYS_prlimit64, 0, resource, NULL, limit);
	*limit = now;
	return 0;
}

/* do_prlimit() */
int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	if (resource != RLIMIT_NOFILE)
		return (int)syscall(SYS_prlimit64, 0, resource, limit, NULL);
	assert_true(limit->rlim_cur <= limit->rlim_max);
	if ((limit->rlim_max > now.rlim_max && !is_capable) ||
	    (nr_open && limit->rlim_max > nr_open)) {
		errno = EPERM;
		return -1;
	}
	now = *limit;
	return 0;
}

int open(const char *path, int flags, ...)
{
	char text[32];
	int fd;

	if (strcmp(path, "/proc/sys/fs/nr_open") != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);
	if (!nr_open) {
		errno = ENOENT;
		return -1;
	}
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)nr_open);
	fd = memfd_create("nr_open", MFD_CLOEXEC);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int setup(void **state)
{
	(void)state;
	now = (struct rlimit){1024, 20000};
	nr_open = 1048576;
	is_capable = false;
	return 0;
}

/* What a file and a listing hold of a reader that shares nothing with us. */
#define PER_FILE (6 + 4)

/* What there can be of @wanted; the limit is what that takes. */
static unsigned int provided(unsigned int least, unsigned int wanted)
{
	unsigned int files = wanted;
	struct kv_err err = {0};

	if (kv_descriptors_provide(least, &files, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(now.rlim_cur, now.rlim_max);
	/* Threads at their requests, and our own, come on top: not none, nor as much as files. */
	assert_in_range(now.rlim_max, files * PER_FILE + KV_MAX_THREADS,
			files * PER_FILE + KV_MAX_THREADS + 340);
	return files;
}

static void refused(unsigned int least, unsigned int wanted, const char *message, const char *hint)
{
	unsigned int files = wanted;
	struct kv_err err = {0};

	assert_int_equal(kv_descriptors_provide(least, &files, &err), -EMFILE);
	assert_int_equal(files, wanted);
	assert_says(&err, message);
	assert_hints(&err, hint);
}

static void what_fits_is_provided_and_no_more(void **state)
{
	(void)state;
	assert_int_equal(provided(1000, 1000), 1000);
	assert_in_range(now.rlim_max, PER_FILE * 1000, PER_FILE * 1000 + 1400);
}

static void without_the_right_the_hard_limit_counts(void **state)
{
	unsigned int most;
	char words[64];

	(void)state;
	most = provided(32, 4096);
	assert_in_range(most, 1800, 2000);
	assert_in_range(now.rlim_max, 20000 - PER_FILE, 20000);
	setup(NULL);
	refused(4096, 4096, "max_files=4096 takes 42", "ulimit -Hn 42");
	snprintf(words, sizeof(words), "there can be 20000: enough for max_files=%u", most);
	refused(4096, 4096, words, "CAP_SYS_RESOURCE");
	refused(most + 1, 4096, words, "LimitNOFILE=200");
	assert_int_equal(now.rlim_max, 20000);
	assert_int_equal(provided(most, 4096), most);
	setup(NULL);
	assert_int_equal(provided(most, most), most);
}

static void with_the_right_it_is_raised(void **state)
{
	(void)state;
	is_capable = true;
	assert_int_equal(provided(65536, 65536), 65536);
	assert_in_range(now.rlim_max, PER_FILE * 65536, PER_FILE * 65536 + 1400);
}

static void nothing_is_above_that_of_the_system(void **state)
{
	(void)state;
	is_capable = true;
	nr_open = 100000;
	refused(65536, 65536, "there can be 100000: enough for max_files=98",
		"sysctl fs.nr_open=65");
	assert_in_range(provided(32, 65536), 9800, 10000);
	assert_in_range(now.rlim_max, 100000 - PER_FILE, 100000);
	/* It may have been lowered behind a process that has more. */
	setup(NULL);
	now.rlim_max = 500000;
	nr_open = 100000;
	assert_in_range(provided(32, 65536), 9800, 10000);
}

static void a_system_that_does_not_tell_its_limit_has_that_of_the_process(void **state)
{
	(void)state;
	nr_open = 0;
	assert_in_range(provided(32, 4096), 1800, 2000);
	setup(NULL);
	nr_open = 0;
	is_capable = true;
	assert_int_equal(provided(32, 4096), 4096);
}

static void too_low_a_limit_is_refused(void **state)
{
	(void)state;
	now.rlim_max = 256;
	refused(32, 4096, "there can be 256: enough for max_files=0", "ulimit -Hn");
	refused(1, 1, "max_files=1 takes", "ulimit -Hn");
}

/* They are there: a limit that leaves them out would be too low. */
static void what_is_open_is_counted(void **state)
{
	unsigned int before;
	rlim_t limit;
	int fds[200];

	(void)state;
	before = provided(32, 4096);
	limit = now.rlim_max;
	setup(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = dup(STDOUT_FILENO);
	assert_in_range(provided(32, 4096), before - 20, before - 19);
	assert_in_range(now.rlim_max, limit - PER_FILE, limit + PER_FILE);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

#define LIMITED(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIMITED(what_fits_is_provided_and_no_more),
		LIMITED(without_the_right_the_hard_limit_counts),
		LIMITED(with_the_right_it_is_raised),
		LIMITED(nothing_is_above_that_of_the_system),
		LIMITED(a_system_that_does_not_tell_its_limit_has_that_of_the_process),
		LIMITED(too_low_a_limit_is_refused),
		LIMITED(what_is_open_is_counted),
	};

	return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
