// SPDX-License-Identifier: GPL-2.0-only
/*
 * The UDP sockets of the network namespace of who opens: a view whose objects the
 * test makes, none, one or some.
 */
#include "net.h"

struct inet_sock {
	struct sock sk;
} __attribute__((preserve_access_index));

struct udp_sock {
	struct inet_sock inet;
} __attribute__((preserve_access_index));

struct bpf_iter__udp {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct udp_sock, udp_sk);
	__u32 uid __attribute__((aligned(8)));
	__u32 _pad;
};

struct udp_ports {
	struct kv_head _head;
	__u32 port KV_MEANS("local port");
};

KV_VIEW(udp_ports, "UDP sockets", "5.9");

SEC("iter/udp")
int dump(struct bpf_iter__udp *ctx)
{
	struct udp_sock *sk = ctx->udp_sk;
	struct udp_ports *r;
	struct kv_call c;

	if (kv_begin_net(&c, ctx->meta, sk))
		return 1;
	if (!sk)
		return 0;
	r = kv_record(&c, struct udp_ports);
	r->port = sk->inet.sk.__sk_common.skc_num;
	return kv_emit(&c);
}
