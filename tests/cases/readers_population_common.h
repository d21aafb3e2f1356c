/* SPDX-License-Identifier: GPL-2.0-only */
/* What the population and the reader of readers_population.c share. */
#ifndef READERS_POPULATION_COMMON_H
#define READERS_POPULATION_COMMON_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int must(int rc, const char *what)
{
	if (rc < 0)
		err(1, "%s", what);
	return rc;
}

/* Of the calling thread alone: libc's functions change those of all threads. */
static void raw_ids(uid_t uid, uid_t euid, uid_t suid, gid_t gid)
{
	/* In a user namespace made by no root it is not allowed, nor needed. */
	if (syscall(SYS_setgroups, 0, NULL) && errno != EPERM)
		err(1, "setgroups");
	must((int)syscall(SYS_setresgid, gid, gid, gid), "setresgid");
	must((int)syscall(SYS_setresuid, uid, euid, suid), "setresuid");
}

#endif
