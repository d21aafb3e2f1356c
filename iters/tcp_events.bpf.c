// SPDX-License-Identifier: GPL-2.0-only
/* The view `tcp_events`: what happens to connections, by the other end of them. */
#include "kview.h"
#include "collect.h"
#include "ip.h"
#include "names.h"
#include "net.h"

enum side {
	SIDE_NONE,
	SIDE_OUT,
	SIDE_IN,
};

enum event {
	CONNECTS,
	FAILURES,
	ACCEPTS,
	RETRANSMITS,
	RESETS_SENT,
	RESETS_RECEIVED,
	EVENTS,
};

struct tcp_events {
	struct kv_head _head;
	struct kv_ip raddr KV_ROLE(key)
		KV_MEANS("remote address; - for all that had no room any more");
	__u16 port KV_ROLE(key) KV_MEANS("port of the service: the remote port, or where side "
					 "is in the local one") KV_NONE(0) KV_WIDTH(5);
	__u16 _pad;
	enum side side KV_ROLE(key)
		KV_MEANS("out: connected from here; in: accepted here; - for connections that "
			 "were made before the collector was attached") KV_NONE(0) KV_WIDTH(4);
	__u32 netns KV_ROLE(key) KV_MEANS("network namespace, its inode number") KV_NONE(0)
		KV_WIDTH(10);
	__u32 _pad2;
	__u64 connects KV_ROLE(counter) KV_MEANS("connections that were made") KV_WIDTH(8);
	__u64 failures KV_ROLE(counter) KV_MEANS("attempts to connect that failed") KV_WIDTH(8);
	__u64 accepts KV_ROLE(counter) KV_MEANS("connections that came in") KV_WIDTH(7);
	__u64 retransmits KV_ROLE(counter) KV_MEANS("retransmissions, each of a packet or more")
		KV_WIDTH(11);
	__u64 resets_sent KV_ROLE(counter) KV_MEANS("resets that were sent") KV_WIDTH(11);
	__u64 resets_received KV_ROLE(counter) KV_MEANS("resets that came") KV_WIDTH(15);
};

KV_VIEW_OF_MAP(kv_places, tcp_events,
	       "a row per remote address and port: connections, retransmits, resets", "6.1");

/* --- remote ends --- */

struct end_key {
	__u8 address[16]; /* in network order; of an IPv4 address the first four */
	__u32 netns;
	__u16 port;  /* of the service */
	__u8 family; /* as in struct kv_ip */
	__u8 side;
};

struct events {
	__u64 n[EVENTS];
};

#define KV_PLACE_KEY struct end_key
#define KV_PLACE_DATA struct events
#define KV_PLACES 8192
#include "places.h"

static __always_inline void kv_give_way(struct kv_place *p)
{
	struct kv_place *first = kv_place_at(0);

	if (!first)
		return;
	first->state = KV_PLACE_SHOWN;
	for (int i = 0; i < EVENTS; i++)
		__sync_fetch_and_add(&first->data.n[i], __sync_lock_test_and_set(&p->data.n[i], 0));
}

static __always_inline __u32 add_end(const struct end_key *key, bool lasts)
{
	__u32 place = kv_place_take(lasts);
	struct kv_place *p = kv_place_at(place);

	return place && p ? kv_place_show(place, p, key) : 0;
}

/* An IPv4 address that a socket of IPv6 has, ::ffff:1.2.3.4, is the same end. */
static __always_inline void unmap(struct end_key *key)
{
	__u32 words[4];

	__builtin_memcpy(words, key->address, sizeof(words));
	if (key->family != 6 || words[0] || words[1] || words[2] != bpf_htonl(0xffff))
		return;
	key->family = 4;
	__builtin_memset(key->address, 0, sizeof(key->address));
	__builtin_memcpy(key->address, &words[3], sizeof(words[3]));
}

/*
 * Anybody far away can make us refuse connections, and anybody here can fail to connect: events
 * without a connection have the places that are left, or the first one.
 */
static __always_inline void count(struct end_key *key, enum event event, bool lasts)
{
	struct kv_place *p;
	__u32 place;

	unmap(key);
	place = kv_place_find(key);
	if (!place)
		place = add_end(key, lasts);
	p = kv_place_at(place);
	if (!p)
		return;
	kv_place_use(p, place, lasts);
	__sync_fetch_and_add(&p->data.n[event], 1);
}

/* --- connections --- */

/*
 * On which side it was begun, which the socket itself does not tell. It is not forgotten at the
 * end, when a reset may still be sent; the next socket of that address begins as this one did.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64); /* address of the socket */
	__type(value, __u32);
} sides SEC(".maps");

static __always_inline enum side side_of(__u64 sk)
{
	__u32 *side = bpf_map_lookup_elem(&sides, &sk);

	return side ? *side : SIDE_NONE;
}

static __always_inline void set_side(__u64 sk, __u32 side)
{
	bpf_map_update_elem(&sides, &sk, &side, BPF_ANY);
}

/* false: it is no address of IP. */
static __always_inline bool set_address(struct end_key *key, const struct sock_common *sk)
{
	__u32 ip4;

	if (sk->skc_family == AF_INET) {
		key->family = 4;
		ip4 = sk->skc_daddr;
		__builtin_memcpy(key->address, &ip4, sizeof(ip4));
		return true;
	}
	key->family = 6;
	return sk->skc_family == AF_INET6 &&
	       !bpf_probe_read_kernel(key->address, sizeof(key->address), &sk->skc_v6_daddr);
}

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inet_sock___events {
	__u16 inet_sport;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/* When a connection is closed its port is free, before a reset is sent: inet_put_port(). */
static __always_inline __u16 local_port(const struct sock_common *sk)
{
	const struct inet_sock___events *closed = (void *)sk;

	if (sk->skc_num || sk->skc_state != BPF_TCP_CLOSE)
		return sk->skc_num;
	return bpf_ntohs(BPF_CORE_READ(closed, inet_sport));
}

/* A handshake is not done in these states. */
static __always_inline bool was_made(__u32 state)
{
	return state != BPF_TCP_SYN_SENT && state != BPF_TCP_SYN_RECV &&
	       state != BPF_TCP_NEW_SYN_RECV;
}

static __always_inline void count_of(const struct sock_common *sk, enum side side, enum event event)
{
	struct end_key key = {};

	if (!set_address(&key, sk))
		return;
	key.netns = kv_sock_netns(sk);
	key.port = side == SIDE_IN ? local_port(sk) : bpf_ntohs(sk->skc_dport);
	key.side = side;
	count(&key, event, event == CONNECTS || event == ACCEPTS || was_made(sk->skc_state));
}

/* It may have been begun before we were: then nothing is known of its side yet. */
static __always_inline void is_made(const struct sock_common *sk, __u64 address, bool is_out)
{
	set_side(address, is_out ? SIDE_OUT : SIDE_IN);
	if (is_out)
		count_of(sk, SIDE_OUT, CONNECTS);
	else
		count_of(sk, SIDE_IN, ACCEPTS);
}

#define IPPROTO_TCP 6 /* include/uapi/linux/in.h */

SEC("tp_btf/inet_sock_set_state")
int state_changes(__u64 *ctx)
{
	const struct sock *sk = (void *)ctx[0];
	const struct sock_common *common = &sk->__sk_common;
	__u32 old = ctx[1], new = ctx[2];
	__u64 address = kv_address(sk);

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (new == BPF_TCP_SYN_SENT)
		set_side(address, SIDE_OUT);
	else if (new == BPF_TCP_SYN_RECV && old != BPF_TCP_SYN_SENT)
		set_side(address, SIDE_IN);
	else if (new == BPF_TCP_ESTABLISHED)
		is_made(common, address, old == BPF_TCP_SYN_SENT || side_of(address) == SIDE_OUT);
	else if (new == BPF_TCP_CLOSE && old == BPF_TCP_SYN_SENT)
		count_of(common, SIDE_OUT, FAILURES);
	return 0;
}

static __always_inline void retransmitted(const struct sock *sk)
{
	count_of(&sk->__sk_common, side_of(kv_address(sk)), RETRANSMITS);
}

/* Its third argument is an errno since 6.17: until then it was not told of failures. */
SEC("tp_btf/tcp_retransmit_skb")
int retransmits(__u64 *ctx)
{
	if (!(int)ctx[2])
		retransmitted((void *)ctx[0]);
	return 0;
}

SEC("?tp_btf/tcp_retransmit_skb")
int retransmits_all(__u64 *ctx)
{
	retransmitted((void *)ctx[0]);
	return 0;
}

/* To who connects to us: there is no socket of the connection yet. */
SEC("tp_btf/tcp_retransmit_synack")
int retransmits_synack(__u64 *ctx)
{
	const struct sock_common *req = (void *)ctx[1];
	struct end_key key = {.side = SIDE_IN};

	key.port = BPF_CORE_READ(req, skc_num);
	key.netns = BPF_CORE_READ(req, skc_net.net, ns.inum);
	if (BPF_CORE_READ(req, skc_family) == AF_INET) {
		key.family = 4;
		bpf_probe_read_kernel(key.address, 4, &req->skc_daddr);
	} else {
		key.family = 6;
		bpf_probe_read_kernel(key.address, sizeof(key.address), &req->skc_v6_daddr);
	}
	count(&key, RETRANSMITS, false);
	return 0;
}

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net_device___events {
	possible_net_t nd_net;
};

struct sk_buff___events {
	struct net_device___events *dev;
	__u16 transport_header, network_header;
	unsigned char *head;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/* Headers as they are on the wire, up to what is read. */
struct ip_header {
	__u8 version;
	__u8 _more[7];
	__u8 saddr6[4]; /* of IPv6 from here on 16 bytes */
	__u8 saddr4[4];
};

struct tcp_header {
	__u16 source, dest;
};

/* The sender of a packet that is answered with a reset. */
static __always_inline void count_sender(__u64 packet, __u32 netns)
{
	const struct sk_buff___events *skb = (void *)packet;
	const unsigned char *head = BPF_CORE_READ(skb, head);
	const struct ip_header *ip = (void *)(head + BPF_CORE_READ(skb, network_header));
	const struct tcp_header *tcp = (void *)(head + BPF_CORE_READ(skb, transport_header));
	struct end_key key = {.side = SIDE_IN};
	__u8 version = 0;
	__u16 port = 0;

	bpf_probe_read_kernel(&version, sizeof(version), &ip->version);
	bpf_probe_read_kernel(&port, sizeof(port), &tcp->dest);
	key.port = bpf_ntohs(port);
	key.family = version >> 4;
	key.netns = netns ? netns : BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);
	if (key.family == 4)
		bpf_probe_read_kernel(key.address, 4, ip->saddr4);
	else if (key.family == 6)
		bpf_probe_read_kernel(key.address, sizeof(key.address), ip->saddr6);
	else
		return;
	count(&key, RESETS_SENT, false);
}

/*
 * Until 6.9 it is told only of packets with a socket. The pointers may be NULL, what the verifier
 * of some kernels does not know: it would drop a check of them.
 */
SEC("tp_btf/tcp_send_reset")
int sends_reset(__u64 *ctx)
{
	const struct sock *sk = (void *)ctx[0];
	__u64 address = kv_address(sk), packet = kv_address((void *)ctx[1]);
	__u32 state = 0, netns = 0;

	kv_opaque(address);
	if (address && sk) {
		state = sk->__sk_common.skc_state;
		netns = kv_sock_netns(&sk->__sk_common);
	}
	if (state && state != BPF_TCP_LISTEN && sk)
		count_of(&sk->__sk_common, side_of(address), RESETS_SENT);
	else if (packet)
		count_sender(packet, netns);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int receives_reset(__u64 *ctx)
{
	const struct sock *sk = (void *)ctx[0];

	count_of(&sk->__sk_common, side_of(kv_address(sk)), RESETS_RECEIVED);
	return 0;
}

/* --- the view --- */

static __always_inline void put_key(struct tcp_events *r, const struct end_key *key)
{
	r->raddr.family = key->family;
	__builtin_memcpy(r->raddr.bytes, key->address, sizeof(r->raddr.bytes));
	r->port = key->port;
	r->side = key->side;
	r->netns = key->netns;
}

SEC("iter/bpf_map_elem")
int tcp_events(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct kv_place *p = ctx->value;
	const __u32 *place = ctx->key;
	struct tcp_events *r;
	struct kv_call c;
	__u64 turn;

	if (kv_begin_elem(&c, ctx->meta, p))
		return 1;
	if (!p || !place || !kv_place_begin(p, &turn))
		return 0;
	r = kv_record(&c, struct tcp_events);
	if (*place)
		put_key(r, &p->key);
	r->connects = p->data.n[CONNECTS];
	r->failures = p->data.n[FAILURES];
	r->accepts = p->data.n[ACCEPTS];
	r->retransmits = p->data.n[RETRANSMITS];
	r->resets_sent = p->data.n[RESETS_SENT];
	r->resets_received = p->data.n[RESETS_RECEIVED];
	return kv_place_stays(p, turn) ? kv_emit(&c) : KV_RETRY;
}
