// SPDX-License-Identifier: GPL-2.0-only
/* The view `udp`: what `ss -uan` shows, a row per UDP socket of a network namespace. */
#include "kview.h"

struct udp_row {
	struct kv_head _head;
	char family[8] KV_MEANS("inet or inet6") KV_WIDTH(6);
	char state[12] KV_MEANS("UNCONN, or ESTAB if it is connected") KV_WIDTH(6);
	struct kv_ip laddr KV_ROLE(key) KV_MEANS("local address") KV_WIDTH(15);
	__u32 lport KV_ROLE(key) KV_MEANS("local port") KV_WIDTH(5);
	struct kv_ip raddr KV_ROLE(key) KV_MEANS("remote address") KV_WIDTH(15);
	__u32 rport KV_ROLE(key) KV_MEANS("remote port") KV_NONE(0) KV_WIDTH(5);
	__s32 ifindex KV_ROLE(key) KV_MEANS("interface that it is bound to") KV_NONE(0) KV_WIDTH(7);
	__u32 uid KV_MEANS("user whose socket it is") KV_WIDTH(6);
	__u64 ino KV_ROLE(key) KV_MEANS("inode number; - if it is the kernel's own") KV_NONE(0)
		KV_WIDTH(8);
	__u32 rxq KV_ROLE(gauge) KV_MEANS("memory of datagrams received and not read")
		KV_UNIT("bytes") KV_WIDTH(6);
	__u32 txq KV_ROLE(gauge) KV_MEANS("memory of datagrams on their way out") KV_UNIT("bytes")
		KV_WIDTH(6);
	__u32 drops KV_ROLE(counter) KV_MEANS("datagrams dropped") KV_WIDTH(6);
	__u32 netns KV_MEANS("network namespace, its inode number") KV_WIDTH(10);
};

KV_VIEW(udp_row, "a row per UDP socket of the network namespace: addresses, queues, drops", "5.9");

#define KV_INET_VIEW udp_row
#include "inet.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inet_sock {
	struct sock sk;
};

struct udp_sock {
	struct inet_sock inet;
	int forward_deficit;
};

#pragma clang attribute pop

struct bpf_iter__udp {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct udp_sock, udp_sk);
};

#pragma clang diagnostic pop

/* udp_rqueue_get(): what was read and is not yet accounted for does not count. */
static __always_inline __u32 rxq_of(const struct udp_sock *up)
{
	return up->inet.sk.sk_backlog.rmem_alloc.counter - up->forward_deficit;
}

SEC("iter/udp")
int udp(struct bpf_iter__udp *ctx)
{
	struct udp_sock *up = ctx->udp_sk;
	struct udp_row *r;
	struct kv_call c;
	struct sock *sk;

	if (kv_begin_net(&c, ctx->meta, up))
		return 1;
	if (!up)
		return 0;
	sk = &up->inet.sk;
	r = kv_record(&c, struct udp_row);
	put_addresses(r, &sk->__sk_common);
	put_state(r, sk->__sk_common.skc_state);
	r->uid = kv_uid(&c, sk->sk_uid.val);
	kv_set(r, ino, kv_sock_ino(sk));
	kv_set(r, rxq, rxq_of(up));
	kv_set(r, txq, kv_sock_txq(sk));
	kv_set(r, drops, kv_sock_drops(sk));
	return kv_emit(&c);
}
