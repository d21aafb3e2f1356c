/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Readers: who opened a file, and what of the kernel that thread may see. The scope is fixed
 * when the file is opened; iterator programs check it for each object.
 */
#ifndef KVIEW_ACCESS_READER_H
#define KVIEW_ACCESS_READER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "access/ask.h"
#include "load/load.h"
#include "load/map.h"
#include "load/pin.h"
#include "kview/abi.h"

struct kv_courier;

/* The operator's decisions, by mount options. */
struct kv_policy {
	bool host_view; /* everyone sees what kview itself does */
	enum kv_hidepid hidepid;
	gid_t hidepid_gid; /* whose members it does not concern */
	/* Of the files of kernel-wide views: owner, group and mode. */
	uid_t wide_uid;
	gid_t wide_gid;
	mode_t wide_mode;
};

#define KV_POLICY_INIT ((struct kv_policy){.wide_mode = 0400})

/* kv_policy_gives_wide() - has the operator given kernel-wide views to others than root? */
static inline bool kv_policy_gives_wide(const struct kv_policy *policy)
{
	return policy->wide_uid || policy->wide_gid || policy->wide_mode != 0400;
}

/* kview itself, and its queries. */
struct kv_host {
	struct kv_policy policy;
	struct kv_loaded reader_query;
	struct kv_loaded processes_query; /* open only with_processes, as are the next two */
	struct kv_loaded threads_query;	  /* for stream/threads.h */
	struct kv_ask ask;		  /* used for a single task, instead of the first two */
	struct kv_identity self; /* use only namespaces and root: the process may have ended */
	bool finds_threads;	 /* see kv_identity_finds_threads() */
	uint32_t overflow_uid, overflow_gid;
	bool perfmon_reads_maps;
	/*
	 * Makes an iterator of @view: if it is_of_net, in the network namespace that the
	 * descriptor @net_ns holds; if it is_by_rights, with rights that we have not. Returns the
	 * iterator's descriptor or -errno. NULL: none can be made but our own.
	 */
	int (*iter_in)(void *arg, const struct kv_view *view, int net_ns);
	/* As kv_map_open(). NULL: we have the right ourselves. */
	int (*map_open)(void *arg, uint32_t id, bool or_next, struct kv_map_fds *fds);
	void *broker;		    /* first argument of these two */
	struct kv_courier *courier; /* for views with arguments; NULL: they are (unreadable) */
};

/* kv_host_map() - kv_map_open(), by who may */
static inline int kv_host_map(const struct kv_host *host, uint32_t id, bool or_next,
			      struct kv_map_fds *fds)
{
	return host->map_open ? host->map_open(host->broker, id, or_next, fds)
			      : kv_map_open(id, or_next, fds);
}

#define KV_HOST_INIT                                         \
	((struct kv_host){.policy = KV_POLICY_INIT,          \
			  .reader_query = KV_LOADED_INIT,    \
			  .processes_query = KV_LOADED_INIT, \
			  .threads_query = KV_LOADED_INIT,   \
			  .ask = KV_ASK_INIT})

/**
 * kv_host_open() - load the queries, and identify ourselves
 * @host: KV_HOST_INIT; in any case to be closed with kv_host_close()
 * @with_processes: for a mount: access/process.h will be used
 * @pins: to take the identity query from, or NULL
 * @types: to load queries with, or NULL
 *
 * Forks a child and starts a thread, for a moment each. No other thread may be running.
 *
 * Return: 0 or -errno with @err set.
 */
int kv_host_open(struct kv_host *host, const struct kv_policy *policy, bool with_processes,
		 const struct kv_pins *pins, struct kv_types *types, struct kv_err *err);

void kv_host_close(struct kv_host *host);

enum {
	KV_HOLD_PID_NS,
	KV_HOLD_USER_NS,
	KV_HOLD_CGROUP_NS,
	KV_HOLD_ROOT,
	KV_HOLD_NET_NS, /* by kv_reader_hold_net() */
	KV_HOLDS
};

struct kv_reader {
	struct kv_scope scope;
	uid_t user;	 /* whose share of CPU time and files it uses: kv_identity.master */
	pid_t pid;	 /* its process's number in the pid namespace it sees; 0: none */
	uint64_t net_ns; /* address of its network namespace */
	uint32_t net_ns_inum;
	int holds[KV_HOLDS]; /* descriptors, or -1: they keep alive what @scope points to */
};

#define KV_READER_INIT ((struct kv_reader){.holds = {-1, -1, -1, -1, -1}})

/**
 * kv_reader_identify() - who sent a request
 * @tid: thread in our pid namespace; 0: one that is not in it
 * @uid: of the request, as is @gid: the ids with which the thread acts on files
 * @reader: on success to be closed with kv_reader_close()
 *
 * The thread must be waiting for the answer to its request. So it can't exit, change, or be
 * replaced by another thread of the same number.
 *
 * Return: 0, or with @err set -EACCES: it can't be identified; -EMFILE, -ENFILE
 * or -ENOMEM: kview is short of these.
 */
int kv_reader_identify(const struct kv_host *host, pid_t tid, uid_t uid, gid_t gid,
		       struct kv_reader *reader, struct kv_err *err);

/**
 * kv_reader_hold_net() - keep the reader's network namespace, for a view that shows it
 * @tid: the thread that kv_reader_identify() identified, and that still waits
 *
 * It is not kept otherwise: a namespace whose processes have ended lives on with all its
 * interfaces as long as it is held. Our own is not held at all.
 *
 * Return: 0, or as kv_reader_identify().
 */
int kv_reader_hold_net(const struct kv_host *host, pid_t tid, struct kv_reader *reader,
		       struct kv_err *err);

/**
 * kv_reader_is_being_killed() - has a thread that waits for our answer got a deadly signal?
 *
 * Return: false also if the kernel does not tell.
 */
bool kv_reader_is_being_killed(const struct kv_host *host, pid_t tid);

/* kv_reader_self() - the calling thread as a reader; otherwise like kv_reader_identify() */
int kv_reader_self(const struct kv_host *host, struct kv_reader *reader, struct kv_err *err);

void kv_reader_close(struct kv_reader *reader);

#endif
