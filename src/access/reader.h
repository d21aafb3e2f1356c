/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Readers: who opened a file, and what of the kernel that thread may see. The
 * answer is fixed when it opens; iterator programs ask it for each object.
 */
#ifndef KVIEW_ACCESS_READER_H
#define KVIEW_ACCESS_READER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "access/query.h"
#include "load/load.h"
#include "load/pin.h"
#include "kview/abi.h"

/* What the operator decided for all readers. */
struct kv_policy {
	bool host_view; /* everyone sees what kview itself does */
	enum kv_hidepid hidepid;
	gid_t hidepid_gid; /* whose members it does not concern */
};

/* kview itself, and what it learns of others with. */
struct kv_host {
	struct kv_policy policy;
	struct kv_loaded reader_tool;
	struct kv_loaded processes_tool; /* open only with_processes, ... */
	struct kv_loaded threads_tool;	 /* ... as is this, for stream/threads.h */
	struct kv_query query;		 /* for one task the same as both, at less cost */
	struct kv_identity self;	 /* namespaces and root; not a process that lasts */
	bool finds_threads;		 /* see kv_identity_finds_threads() */
	uint32_t overflow_uid, overflow_gid;
	bool perfmon_reads_maps;
};

#define KV_HOST_INIT                                        \
	((struct kv_host){.reader_tool = KV_LOADED_INIT,    \
			  .processes_tool = KV_LOADED_INIT, \
			  .threads_tool = KV_LOADED_INIT,   \
			  .query = KV_QUERY_INIT})

/**
 * kv_host_open() - learn who we are and get ready to identify others
 * @host: KV_HOST_INIT; in any case to be closed with kv_host_close()
 * @with_processes: for a mount: access/process.h will be used
 * @pins: to take programs from, or NULL
 * @types: to load others with, or NULL
 *
 * Forks a child and starts a thread, for a moment each: no other thread may be running.
 *
 * Return: 0 or -errno with @err set.
 */
int kv_host_open(struct kv_host *host, const struct kv_policy *policy, bool with_processes,
		 const struct kv_pins *pins, struct kv_types *types, struct kv_err *err);

void kv_host_close(struct kv_host *host);

enum { KV_HOLD_PID_NS, KV_HOLD_USER_NS, KV_HOLD_CGROUP_NS, KV_HOLD_ROOT, KV_HOLDS };

struct kv_reader {
	struct kv_scope scope;
	uid_t user;	     /* who answers for what it costs: kv_identity.master */
	pid_t pid;	     /* its process's number in the pid namespace it sees; 0: none */
	int holds[KV_HOLDS]; /* descriptors that keep alive what @scope has addresses of, or -1 */
};

#define KV_READER_INIT ((struct kv_reader){.holds = {-1, -1, -1, -1}})

/**
 * kv_reader_identify() - who is asking
 * @tid: thread in our pid namespace; 0: one that is not in it
 * @uid: with which it acts on files, and @gid: as the kernel tells with the request
 * @reader: on success to be closed with kv_reader_close()
 *
 * The thread must be waiting for the answer to its request, so that it can't
 * exit, change or be replaced by another one of the same number.
 *
 * Return: 0, or with @err set -EACCES: it can't be identified; -EMFILE, -ENFILE
 * or -ENOMEM: we are short of something.
 */
int kv_reader_identify(const struct kv_host *host, pid_t tid, uid_t uid, gid_t gid,
		       struct kv_reader *reader, struct kv_err *err);

/**
 * kv_reader_is_being_killed() - has the thread that waits for us been sent a deadly signal?
 *
 * Return: false as well where nobody knows.
 */
bool kv_reader_is_being_killed(const struct kv_host *host, pid_t tid);

/* kv_reader_self() - the calling thread as a reader; otherwise like kv_reader_identify() */
int kv_reader_self(const struct kv_host *host, struct kv_reader *reader, struct kv_err *err);

void kv_reader_close(struct kv_reader *reader);

#endif
