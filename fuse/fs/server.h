/* SPDX-License-Identifier: GPL-2.0-only */
/* The state of a worker, and the user data of its FUSE session. */
#ifndef KVIEW_FS_SERVER_H
#define KVIEW_FS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "access/reader.h"
#include "base/log.h"
#include "fuse/fs/handles.h"
#include "fuse/fs/sched.h"
#include "fuse/fs/seal.h"
#include "fuse/fs/tree.h"
#include "stream/file.h"

/* Facts about the mount that outlive a worker, in memory shared by supervisor and workers. */
struct kv_facts {
	bool is_ready; /* FUSE_INIT was answered */
	bool resends;  /* the kernel sends requests again that a worker left unanswered */
	uint32_t restarts;
	uint32_t dying; /* killed workers that still hang in the kernel */
};

/* Threads of a worker that serve requests. */
#define KV_MAX_THREADS 1024

struct kv_server {
	struct kv_flight *flight; /* first: see fuse/daemon/flight.h */
	struct kv_facts *facts;
	struct kv_counters *counters; /* by view, as in @views; shared likewise */
	const struct kv_views *views;
	pid_t supervisor;
	bool is_successor;   /* another daemon served the mount before */
	bool is_filtered;    /* the worker, by seccomp */
	struct kv_host host; /* identifies who opens */
	struct kv_tree tree;
	struct kv_seal seal; /* between the tree's numbers and the kernel's */
	struct kv_handle_limits limits;
	struct kv_handles files;  /* struct kv_file */
	struct kv_sched sched;	  /* requests that may take long */
	unsigned int cpu_percent; /* of a user; 0: as much as there is */
	unsigned int ncpus;	  /* that the threads may use, as the worker began */
	struct kv_handles dirs;	  /* listings of groups, see fuse/fs/dir.h */
	uid_t uid;		  /* owner of the files */
	gid_t gid;
	struct timespec started; /* shown as every node's times */
	struct timespec began;	 /* the same by CLOCK_BOOTTIME */
	int ready_fd;		 /* told when the mount answers, -1 for nobody */
	struct kv_log log;
};

#endif
