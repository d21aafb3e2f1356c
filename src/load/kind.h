/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's kinds of iterators: what a program in the section iter/KIND is called for. */
#ifndef KVIEW_LOAD_KIND_H
#define KVIEW_LOAD_KIND_H

#include <stdbool.h>

/* What narrows an iteration: a parameter of the link, see union bpf_iter_link_info. */
enum kv_param {
	KV_PARAM_NONE,
	KV_PARAM_TASK,	 /* a process or a thread; without it all tasks (6.1, f0d74c4da1f0) */
	KV_PARAM_CGROUP, /* where the walk begins; without it the root of the hierarchy */
	KV_PARAM_MAP,	 /* the map: there is no iteration without it */
};

struct kv_kind {
	const char *name;
	const char *since; /* first Linux release that has it */
	enum kv_param param;
	bool is_of_net; /* it shows the network namespace of the thread that makes the iterator */
	bool is_by_rights; /* it shows what that thread may see */
};

/* kv_kinds - those that are known here, by name; the last has no name */
extern const struct kv_kind kv_kinds[];

/* kv_kind_find() - NULL for one that is not known: a later kernel's */
const struct kv_kind *kv_kind_find(const char *name);

/* kv_kind_param() - KV_PARAM_NONE for a kind that is not known */
enum kv_param kv_kind_param(const char *name);

/* kv_kind_is_of_net() - false for a kind that is not known */
bool kv_kind_is_of_net(const char *name);

/* kv_kind_is_by_rights() - false for a kind that is not known */
bool kv_kind_is_by_rights(const char *name);

/* kv_param_name() - "task"; "-" for none */
const char *kv_param_name(enum kv_param param);

#endif
