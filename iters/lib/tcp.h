/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What ss -i shows of a connection: the columns rxq, txq, sent, received, retrans and rtt.
 *
 * Included behind the record of a view that has these columns, with KV_TCP_VIEW defined as the
 * name of its struct.
 */
#ifndef KVIEW_TCP_H
#define KVIEW_TCP_H

#include "net.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inet_sock {
	struct sock sk;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	__u8 icsk_retransmits;
	__u8 icsk_pending;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u64 bytes_sent;
	__u64 bytes_received;
	__u32 total_retrans;
	__u32 srtt_us;
	__u32 snd_cwnd;
	__u32 mss_cache;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 write_seq;
	__u32 snd_una;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/*
 * The socket need not be locked: of a queue that end is read first which cannot get past the other
 * one meanwhile.
 */
static __always_inline __u32 kv_tcp_rxq(const struct tcp_sock *tp)
{
	__u32 copied = tp->copied_seq;
	__s32 rxq;

	kv_barrier();
	rxq = tp->rcv_nxt - copied;
	return rxq > 0 ? rxq : 0; /* below 0 behind a FIN */
}

static __always_inline __u32 kv_tcp_txq(const struct tcp_sock *tp)
{
	__u32 una = tp->snd_una;

	kv_barrier();
	return tp->write_seq - una;
}

static __always_inline void put_connection(struct KV_TCP_VIEW *r, const struct tcp_sock *tp)
{
	kv_set(r, rxq, kv_tcp_rxq(tp));
	kv_set(r, txq, kv_tcp_txq(tp));
	kv_set(r, sent, tp->bytes_sent);
	kv_set(r, received, tp->bytes_received);
	kv_set(r, retrans, tp->total_retrans);
	kv_set(r, rtt, (__u64)(tp->srtt_us >> 3) * 1000);
}

#endif
