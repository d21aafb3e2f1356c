// SPDX-License-Identifier: GPL-2.0-only
#include "load/kind.h"

#include <stddef.h>
#include <string.h>

const struct kv_kind kv_kinds[] = {
	{"bpf_link", "5.19", KV_PARAM_NONE, false, false},
	{"bpf_map", "5.8", KV_PARAM_NONE, false, false},
	{"bpf_map_elem", "5.9", KV_PARAM_MAP, false, false},
	{"bpf_prog", "5.9", KV_PARAM_NONE, false, false},
	{"bpf_sk_storage_map", "5.9", KV_PARAM_MAP, false, false},
	{"cgroup", "6.1", KV_PARAM_CGROUP, false, false},
	{"dmabuf", "6.16", KV_PARAM_NONE, false, false},
	{"ipv6_route", "5.8", KV_PARAM_NONE, true, false},
	{"kmem_cache", "6.13", KV_PARAM_NONE, false, false},
	{"ksym", "6.0", KV_PARAM_NONE, false, true},
	{"netlink", "5.8", KV_PARAM_NONE, true, false},
	{"sockmap", "5.10", KV_PARAM_MAP, false, false},
	{"task", "5.8", KV_PARAM_TASK, false, false},
	{"task_file", "5.8", KV_PARAM_TASK, false, false},
	{"task_vma", "5.12", KV_PARAM_TASK, false, false},
	{"tcp", "5.9", KV_PARAM_NONE, true, false},
	{"udp", "5.9", KV_PARAM_NONE, true, false},
	{"unix", "5.15", KV_PARAM_NONE, true, false},
	{NULL, NULL, KV_PARAM_NONE, false, false},
};

const struct kv_kind *kv_kind_find(const char *name)
{
	for (const struct kv_kind *k = kv_kinds; k->name; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

enum kv_param kv_kind_param(const char *name)
{
	const struct kv_kind *kind = kv_kind_find(name);

	return kind ? kind->param : KV_PARAM_NONE;
}

bool kv_kind_is_of_net(const char *name)
{
	const struct kv_kind *kind = kv_kind_find(name);

	return kind && kind->is_of_net;
}

bool kv_kind_is_by_rights(const char *name)
{
	const struct kv_kind *kind = kv_kind_find(name);

	return kind && kind->is_by_rights;
}

const char *kv_param_name(enum kv_param param)
{
	static const char *const names[] = {"-", "task", "cgroup", "map"};

	return names[param];
}
