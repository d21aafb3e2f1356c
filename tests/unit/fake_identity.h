/* SPDX-License-Identifier: GPL-2.0-only */
/* Readers whose identity is made here instead of by the kernel, and kview itself. */
#ifndef KVIEW_UNIT_FAKE_IDENTITY_H
#define KVIEW_UNIT_FAKE_IDENTITY_H

#include <linux/capability.h>
#include <sys/syscall.h>

#include "fake_iter.h"
#include "access/reader.h"

#define CAP(n) (UINT64_C(1) << CAP_##n)
#define NO_TID ((4 << 20) + 1) /* above the highest number that Linux gives */

/* --- /proc/TID/status, whose groups a test can't choose --- */

static const char *status; /* NULL: the kernel's */
static unsigned int status_reads;

int open(const char *path, int flags, ...)
{
	const char *name = strrchr(path, '/');
	int fd, mode;
	va_list ap;

	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;
	va_end(ap);
	status_reads += name && strcmp(name, "/status") == 0;
	if (!status || !name || strcmp(name, "/status") != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	fd = memfd_create("status", MFD_CLOEXEC);
	assert_int_equal(write(fd, status, strlen(status)), strlen(status));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* --- kview, and a reader like it but for ids and rights --- */

static struct kv_host host;
static struct kv_identity who;

static inline uint32_t inum_of(const char *name)
{
	char path[64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	close(fd);
	return (uint32_t)st.st_ino;
}

static inline int identity_setup(void **state)
{
	fake_setup(state);
	status = NULL;
	status_reads = 0;
	host = KV_HOST_INIT;
	host.overflow_uid = 65534;
	host.overflow_gid = 65533;
	host.self = (struct kv_identity){
		.id = UINT64_C(77) << 32 | 78,
		.pid_ns = 0x10,
		.user_ns = 0x20,
		.cgroup_ns = 0x30,
		.cgroup = 0x31,
		.root_mnt = 0x40,
		.root_dentry = 0x41,
		.root_is_top = 1,
		.pid_ns_inum = inum_of("pid"),
		.user_ns_inum = inum_of("user"),
		.cgroup_ns_inum = inum_of("cgroup"),
	};
	who = host.self;
	who.id = UINT64_C(501) << 32 | 502;
	who.start = 123;
	who.exec = 4;
	who.pid = 501;
	who.fsuid = who.euid = 1000;
	who.fsgid = 2000;
	return 0;
}

static inline int identify_as(pid_t tid, uid_t uid, gid_t gid, struct kv_reader *reader,
			      struct kv_err *err)
{
	*err = (struct kv_err){0};
	fake_one(&who, sizeof(who));
	return kv_reader_identify(&host, tid, uid, gid, reader, err);
}

/* @who asks, with its own ids; must be identified, and is to be closed. */
static inline struct kv_reader identified(void)
{
	struct kv_reader reader;
	struct kv_err err;

	if (identify_as(gettid(), who.fsuid, who.fsgid, &reader, &err))
		fail_msg("%s", err.msg);
	return reader;
}

#define WITH_IDENTITY(f) cmocka_unit_test_setup_teardown(f, identity_setup, fake_setup)

#endif
