/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FUSE requests to the tree and the open files: errors become replies here,
 * nothing is rendered or looked up in these callbacks themselves.
 */
#ifndef KVIEW_FUSE_OPS_H
#define KVIEW_FUSE_OPS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <stdatomic.h>
#include <time.h>

#include "file.h"
#include "flight.h"
#include "handles.h"
#include "iter/reader.h"
#include "log.h"
#include "sched.h"
#include "seal.h"
#include "tree.h"

/* What outlives a worker, in memory that it shares with the holder. */
struct kv_shared {
	struct kv_flight flight;
	bool is_ready;	     /* the kernel said INIT, and got its reply */
	bool resends;	     /* what a worker has not answered is for the next */
	bool is_over;	     /* a worker has ended as it should */
	uint32_t generation; /* of workers; no two of one mount have the same */
	uint32_t restarts;
	uint32_t dying; /* workers that hang in the kernel since they were killed */
	struct kv_log_state log;
	char why[128];		       /* a worker has ended by itself, "" for no reason */
	struct kv_counters counters[]; /* by view, as in kv_server.views */
};

/* That serve at a time. */
#define KV_MAX_THREADS 1024

struct kv_server {
	struct kv_flight *flight; /* in @shared; first, see flight.h */
	struct kv_shared *shared;
	const struct kv_views *views;
	pid_t holder;
	bool is_successor;   /* another daemon served the mount before */
	bool is_filtered;    /* the worker, by seccomp */
	struct kv_host host; /* identifies who opens */
	struct kv_tree tree;
	struct kv_seal seal; /* between the tree's numbers and the kernel's */
	struct kv_handle_limits limits;
	struct kv_handles files; /* struct kv_file */
	struct kv_sched sched;	 /* requests that may take long */
	struct kv_sched_ops sched_ops;
	struct fuse_session *session;
	unsigned int cpu_percent; /* of a user; 0: as much as there is */
	unsigned int ncpus;	  /* that the threads may use, as the worker began */
	struct kv_handles dirs;	  /* struct kv_processes, of pid/ alone */
	uid_t uid;		  /* owner of the files */
	gid_t gid;
	uid_t wide_uid; /* owner of those of kernel-wide views */
	gid_t wide_gid;
	struct timespec started; /* shown as every node's times */
	struct timespec began;	 /* the same by CLOCK_BOOTTIME */
	int ready_fd;		 /* told when the mount answers, -1 for nobody */
	struct kv_log log;
};

/* The user data of the session is a struct kv_server. */
extern const struct fuse_lowlevel_ops kv_ops;

/* kv_drop_file() - give a reference to an open file back */
void kv_drop_file(struct kv_server *s, uint64_t handle);

/* The ioctl on the root directory by which `kview umount` learns whom to wait for. */
#define KV_IOC_PID _IOR('k', 1, int)

#endif
