// SPDX-License-Identifier: GPL-2.0-only
/* A view with a collector: what the manual's section about them says. */
#include "kview.h"
#include "collect.h"

struct forks {
	struct kv_head _head;
	__u32 uid KV_ROLE(key) KV_MEANS("user");
	__u64 forks KV_ROLE(counter) KV_MEANS("processes and threads that it made");
};

KV_VIEW_OF_MAP(by_user, forks, "a row per user: forks", "6.1");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} by_user SEC(".maps");

SEC("tp_btf/sched_process_fork")
int count(__u64 *ctx)
{
	__u32 uid = bpf_get_current_uid_gid();
	__u64 zero = 0, *n;

	bpf_map_update_elem(&by_user, &uid, &zero, BPF_NOEXIST);
	n = bpf_map_lookup_elem(&by_user, &uid);
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		kv_dropped();
	return 0;
}

SEC("iter/bpf_map_elem")
int forks(struct bpf_iter__bpf_map_elem *ctx)
{
	__u32 *uid = ctx->key;
	__u64 *n = ctx->value;
	struct forks *r;
	struct kv_call c;

	if (kv_begin_elem(&c, ctx->meta, uid))
		return 1;
	if (!uid || !n)
		return 0;
	r = kv_record(&c, struct forks);
	r->uid = *uid;
	r->forks = *n;
	return kv_emit(&c);
}
