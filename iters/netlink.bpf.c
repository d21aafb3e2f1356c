// SPDX-License-Identifier: GPL-2.0-only
/* The view `netlink`: what /proc/net/netlink shows, a row per netlink socket of a namespace. */
#include "net.h"
#include "names.h"

struct netlink_row {
	struct kv_head _head;
	__u32 protocol KV_ROLE(key) KV_MEANS("NETLINK_ number of the protocol") KV_WIDTH(8);
	char name[KV_NAME] KV_MEANS("the protocol, as ss names it") KV_WIDTH(10);
	__u32 portid KV_ROLE(key) KV_MEANS("port id; 0 for the kernel") KV_WIDTH(10);
	__u32 groups KV_MEANS("the first 32 multicast groups that it listens to, in hex")
		KV_SHOW(hex) KV_WIDTH(8);
	__u32 rxq KV_ROLE(gauge) KV_MEANS("memory of messages received and not read")
		KV_UNIT("bytes") KV_WIDTH(6);
	__u32 txq KV_ROLE(gauge) KV_MEANS("memory of messages on their way out") KV_UNIT("bytes")
		KV_WIDTH(6);
	__u32 dump KV_MEANS("1: a dump to it is under way") KV_WIDTH(4);
	__u32 refs KV_ROLE(gauge) KV_MEANS("references to it") KV_WIDTH(4);
	__u32 drops KV_ROLE(counter) KV_MEANS("messages dropped") KV_WIDTH(6);
	__u32 uid KV_MEANS("user whose socket it is") KV_WIDTH(6);
	__u32 netns KV_MEANS("network namespace, its inode number") KV_WIDTH(10);
	__u64 ino KV_ROLE(key) KV_MEANS("inode number; - for the kernel's own") KV_NONE(0)
		KV_WIDTH(8);
};

KV_VIEW(netlink_row, "a row per netlink socket of the network namespace: protocol, groups, queues",
	"5.8");

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct netlink_sock {
	struct sock sk;
	__u32 portid;
	unsigned long *groups;
	bool cb_running;
};

#pragma clang attribute pop

struct bpf_iter__netlink {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct netlink_sock, sk);
};

#pragma clang diagnostic pop

/* Freed and replaced when there are more groups; RCU keeps the old ones for the call. */
static __always_inline __u32 first_groups(struct netlink_sock *nlk)
{
	unsigned long word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), nlk->groups);
	return word;
}

SEC("iter/netlink")
int netlink(struct bpf_iter__netlink *ctx)
{
	struct netlink_sock *nlk = ctx->sk;
	struct netlink_row *r;
	struct kv_call c;
	struct sock *sk;

	if (kv_begin_net(&c, ctx->meta, nlk))
		return 1;
	if (!nlk)
		return 0;
	sk = &nlk->sk;
	r = kv_record(&c, struct netlink_row);
	r->protocol = sk->sk_protocol;
	kv_netlink_name(r->name, r->protocol);
	r->portid = nlk->portid;
	kv_set(r, groups, first_groups(nlk));
	kv_set(r, rxq, sk->sk_backlog.rmem_alloc.counter);
	kv_set(r, txq, kv_sock_txq(sk));
	kv_set(r, dump, nlk->cb_running);
	kv_set(r, refs, sk->__sk_common.skc_refcnt.refs.counter);
	kv_set(r, drops, kv_sock_drops(sk));
	r->uid = kv_uid(&c, sk->sk_uid.val);
	r->netns = kv_sock_netns(&sk->__sk_common);
	kv_set(r, ino, kv_sock_ino(sk));
	return kv_emit(&c);
}
