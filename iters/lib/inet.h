/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ss shows of every Internet socket: the columns family, state, laddr, lport, raddr, rport,
 * ifindex and netns.
 *
 * Included behind the record of a view that has these columns, with KV_INET_VIEW defined as the
 * name of its struct.
 */
#ifndef KVIEW_INET_H
#define KVIEW_INET_H

#include "net.h"
#include "ip.h"
#include "names.h"

static __always_inline void put_state(struct KV_INET_VIEW *r, __u32 state)
{
	kv_state_name(r->state, state);
}

static __always_inline void put_addresses(struct KV_INET_VIEW *r, const struct sock_common *sk)
{
	if (sk->skc_family == AF_INET6) {
		__builtin_memcpy(r->family, "inet6", 6);
		kv_ip6(&r->laddr, &sk->skc_v6_rcv_saddr);
		kv_ip6(&r->raddr, &sk->skc_v6_daddr);
	} else {
		__builtin_memcpy(r->family, "inet", 5);
		kv_ip4(&r->laddr, sk->skc_rcv_saddr);
		kv_ip4(&r->raddr, sk->skc_daddr);
	}
	r->lport = sk->skc_num;
	r->rport = bpf_ntohs(sk->skc_dport);
	r->ifindex = sk->skc_bound_dev_if;
	r->netns = kv_sock_netns(sk);
}

#endif
