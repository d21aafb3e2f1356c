// SPDX-License-Identifier: GPL-2.0-only
/* The view `tcp`: what `ss -tan` shows, a row per TCP socket of a network namespace. */
#include "kview.h"

struct tcp_row {
	struct kv_head _head;
	char family[8] KV_MEANS("inet or inet6") KV_WIDTH(6);
	char state[12] KV_MEANS("state, as ss names it") KV_WIDTH(10);
	struct kv_ip laddr KV_ROLE(key) KV_MEANS("local address") KV_WIDTH(15);
	__u32 lport KV_ROLE(key) KV_MEANS("local port") KV_WIDTH(5);
	struct kv_ip raddr KV_ROLE(key) KV_MEANS("remote address") KV_WIDTH(15);
	__u32 rport KV_ROLE(key) KV_MEANS("remote port") KV_NONE(0) KV_WIDTH(5);
	__s32 ifindex KV_ROLE(key) KV_MEANS("interface that it is bound to") KV_NONE(0) KV_WIDTH(7);
	__u32 uid KV_MEANS("user whose socket it is; none in TIME-WAIT") KV_NONE(4294967295)
		KV_WIDTH(6);
	__u64 ino KV_ROLE(key) KV_MEANS("inode number; - if no process has it") KV_NONE(0)
		KV_WIDTH(8);
	__u32 rxq KV_ROLE(gauge)
		KV_MEANS("bytes received and not read; of LISTEN connections to accept")
			KV_WIDTH(6);
	__u32 txq KV_ROLE(gauge) KV_MEANS("bytes written and not acknowledged; of LISTEN how many "
					  "connections may wait") KV_WIDTH(6);
	__u64 sent KV_ROLE(counter) KV_MEANS("payload sent, each retransmission included")
		KV_UNIT("bytes") KV_NONE(-1) KV_WIDTH(10);
	__u64 received KV_ROLE(counter) KV_MEANS("payload received") KV_UNIT("bytes") KV_NONE(-1)
		KV_WIDTH(10);
	__u32 retrans KV_ROLE(counter) KV_MEANS("segments sent again") KV_NONE(4294967295)
		KV_WIDTH(7);
	__u32 timeouts KV_ROLE(gauge) KV_MEANS("times that the timer ran out in a row; retrnsmt of "
					       "/proc/net/tcp") KV_WIDTH(8);
	__u64 rtt KV_ROLE(gauge) KV_MEANS("smoothed round-trip time") KV_UNIT("s") KV_SHOW(seconds)
		KV_NONE(0) KV_WIDTH(11);
	__u32 cwnd KV_ROLE(gauge) KV_MEANS("congestion window") KV_UNIT("segments")
		KV_NONE(4294967295) KV_WIDTH(5);
	__u32 mss KV_ROLE(gauge) KV_MEANS("largest segment that it sends") KV_UNIT("bytes")
		KV_NONE(4294967295) KV_WIDTH(5);
	char timer[12] KV_MEANS("what runs: on (retransmission), persist, keepalive, timewait")
		KV_WIDTH(9);
	__u32 netns KV_MEANS("network namespace, its inode number") KV_WIDTH(10);
};

KV_VIEW(tcp_row, "a row per TCP socket of the network namespace: addresses, state, queues", "5.9");

#define KV_INET_VIEW tcp_row
#include "inet.h"
#define KV_TCP_VIEW tcp_row
#include "tcp.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* The timer of keepalive was sk_timer until 7.0. Kept for: 6.18. */
struct inet_connection_sock___keepalive {
	struct timer_list icsk_keepalive_timer;
};

struct inet_timewait_sock {
	volatile unsigned char tw_substate;
};

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
};

struct request_sock {
	__u8 num_timeout : 7;
};

struct inet_request_sock {
	struct request_sock req;
};

struct tcp_request_sock {
	struct inet_request_sock req;
};

#pragma clang attribute pop

struct bpf_iter__tcp {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct sock_common, sk_common);
};

#pragma clang diagnostic pop

#define ICSK_TIME_RETRANS 1
#define ICSK_TIME_PROBE0 3
#define ICSK_TIME_LOSS_PROBE 5
#define ICSK_TIME_REO_TIMEOUT 6

static __always_inline bool runs_keepalive(const struct inet_connection_sock *icsk)
{
	const struct inet_connection_sock___keepalive *k = (void *)icsk;

	if (bpf_core_field_exists(k->icsk_keepalive_timer))
		return BPF_CORE_READ(k, icsk_keepalive_timer.entry.pprev) != NULL;
	return BPF_CORE_READ(icsk, icsk_inet.sk.sk_timer.entry.pprev) != NULL;
}

/* get_tcp4_sock() in net/ipv4/tcp_ipv4.c */
static __always_inline void put_timer(struct tcp_row *r, const struct inet_connection_sock *icsk)
{
	__u8 pending = icsk->icsk_pending;

	if (pending == ICSK_TIME_RETRANS || pending == ICSK_TIME_LOSS_PROBE ||
	    pending == ICSK_TIME_REO_TIMEOUT)
		__builtin_memcpy(r->timer, "on", 3);
	else if (pending == ICSK_TIME_PROBE0)
		__builtin_memcpy(r->timer, "persist", 8);
	else if (runs_keepalive(icsk))
		__builtin_memcpy(r->timer, "keepalive", 10);
}

/* It is locked, so nothing of it changes but what is added to its queues. */
static __always_inline void put_full(const struct kv_call *c, struct tcp_row *r,
				     struct tcp_sock *tp, __u32 state)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct sock *sk = &icsk->icsk_inet.sk;

	r->uid = kv_uid(c, sk->sk_uid.val);
	kv_set(r, ino, kv_sock_ino(sk));
	kv_set(r, timeouts, icsk->icsk_retransmits);
	if (kv_has(tcp_row, timer))
		put_timer(r, icsk);
	if (state != TCP_LISTEN) {
		put_connection(r, tp);
		kv_set(r, cwnd, tp->snd_cwnd);
		kv_set(r, mss, tp->mss_cache);
	} else {
		r->rxq = sk->sk_ack_backlog;
		r->txq = sk->sk_max_ack_backlog;
	}
}

static __always_inline void put_timewait(struct tcp_row *r, struct tcp_timewait_sock *tw)
{
	put_state(r, tw->tw_sk.tw_substate);
	__builtin_memcpy(r->timer, "timewait", 9);
}

/* A connection that was asked for, and whose handshake is not done: it is its listener's. */
static __always_inline void put_request(const struct kv_call *c, struct tcp_row *r,
					struct tcp_request_sock *tr, const struct sock_common *sk)
{
	struct request_sock *req = &tr->req.req;

	r->uid = kv_uid(c, BPF_CORE_READ(sk, skc_listener, sk_uid.val));
	kv_set(r, timeouts, BPF_CORE_READ_BITFIELD_PROBED(req, num_timeout));
	__builtin_memcpy(r->timer, "on", 3);
}

static __always_inline void put_no_value(struct tcp_row *r)
{
	r->uid = KV_NOBODY;
	r->sent = r->received = ~0ULL;
	r->retrans = r->cwnd = r->mss = ~0U;
}

SEC("iter/tcp")
int tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	struct tcp_timewait_sock *tw;
	struct tcp_request_sock *req;
	struct tcp_sock *tp;
	struct tcp_row *r;
	struct kv_call c;
	__u32 state;

	if (kv_begin_net(&c, ctx->meta, sk))
		return 1;
	if (!sk)
		return 0;
	state = sk->skc_state;
	r = kv_record(&c, struct tcp_row);
	put_no_value(r);
	put_addresses(r, sk);
	put_state(r, state);
	if (state == TCP_TIME_WAIT) {
		tw = bpf_skc_to_tcp_timewait_sock(sk);
		if (tw)
			put_timewait(r, tw);
	} else if (state == TCP_NEW_SYN_RECV) {
		req = bpf_skc_to_tcp_request_sock(sk);
		if (req)
			put_request(&c, r, req, sk);
	} else {
		tp = bpf_skc_to_tcp_sock(sk);
		if (tp)
			put_full(&c, r, tp, state);
	}
	return kv_emit(&c);
}
