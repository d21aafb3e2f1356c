/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The socket that a file is: what it speaks, its state, its two ends, and what it is bound to.
 * Knows no view.
 *
 * Who holds the file holds the socket, and that its network namespace. So the struct sock is the
 * same one throughout, and only what connect(2) or bind(2) changes in it may change.
 */
#ifndef KVIEW_SOCKET_H
#define KVIEW_SOCKET_H

#include "net.h"
#include "ip.h"
#include "names.h"
#include "unix.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct netlink_sock___ends {
	__u32 portid;
	__u32 dst_portid;
};

struct packet_type {
	struct net_device *dev;
};

struct packet_sock {
	__u16 num;
	struct packet_type prot_hook;
};

struct sockaddr_vm {
	__u32 svm_port;
	__u32 svm_cid;
};

/* Of a module, which may not be loaded when kview is. */
struct vsock_sock {
	struct sockaddr_vm local_addr;
	struct sockaddr_vm remote_addr;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/* linux/in.h */
enum {
	KV_IPPROTO_ICMP = 1,
	KV_IPPROTO_TCP = 6,
	KV_IPPROTO_UDP = 17,
	KV_IPPROTO_ICMPV6 = 58,
	KV_IPPROTO_SCTP = 132,
	KV_IPPROTO_UDPLITE = 136,
	KV_IPPROTO_SMC = 256,
	KV_IPPROTO_MPTCP = 262,
};

/* kv_socket_of() - the socket that a file is; NULL: it is none */
static __always_inline struct sock *kv_socket_of(struct file *file)
{
	struct socket *socket = bpf_sock_from_file(file);

	return socket ? socket->sk : NULL;
}

static __always_inline bool kv_is_inet(const struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	return family == AF_INET || family == AF_INET6;
}

static __always_inline bool kv_is_udp(const struct sock *sk)
{
	return kv_is_inet(sk) && sk->sk_type == SOCK_DGRAM &&
	       (sk->sk_protocol == KV_IPPROTO_UDP || sk->sk_protocol == KV_IPPROTO_UDPLITE);
}

/* What has no name here is shown as its number. */
static __always_inline void kv_name_number(char *to, __u32 n)
{
	if (to[0])
		return;
	to[0] = '0' + n / 10;
	to[1] = '0' + n % 10;
}

/* The name of an address family, char[KV_NAME] */
static __always_inline void kv_family_name(char *to, __u32 family)
{
	static const char names[64][KV_NAME] = {
		[1] = "unix",  [2] = "inet",	 [3] = "ax25",	   [4] = "ipx",
		[5] = "atalk", [6] = "netrom",	 [9] = "x25",	   [10] = "inet6",
		[11] = "rose", [15] = "key",	 [16] = "netlink", [17] = "packet",
		[21] = "rds",  [24] = "pppox",	 [26] = "llc",	   [27] = "ib",
		[28] = "mpls", [29] = "can",	 [30] = "tipc",	   [31] = "bluetooth",
		[32] = "iucv", [33] = "rxrpc",	 [35] = "phonet",  [36] = "ieee802154",
		[37] = "caif", [38] = "alg",	 [39] = "nfc",	   [40] = "vsock",
		[41] = "kcm",  [42] = "qipcrtr", [43] = "smc",	   [44] = "xdp",
		[45] = "mctp",
	};

	family &= 63;
	__builtin_memcpy(to, names[family], KV_NAME);
	kv_name_number(to, family);
}

static __always_inline void kv_inet_type(char *to, __u32 type, __u32 protocol)
{
	if (type == SOCK_RAW)
		__builtin_memcpy(to, "raw", 4);
	else if (protocol == KV_IPPROTO_TCP)
		__builtin_memcpy(to, "tcp", 4);
	else if (protocol == KV_IPPROTO_UDP)
		__builtin_memcpy(to, "udp", 4);
	else if (protocol == KV_IPPROTO_MPTCP)
		__builtin_memcpy(to, "mptcp", 6);
	else if (protocol == KV_IPPROTO_ICMP)
		__builtin_memcpy(to, "icmp", 5);
	else if (protocol == KV_IPPROTO_ICMPV6)
		__builtin_memcpy(to, "icmp6", 6);
	else if (protocol == KV_IPPROTO_UDPLITE)
		__builtin_memcpy(to, "udplite", 8);
	else if (protocol == KV_IPPROTO_SCTP)
		__builtin_memcpy(to, "sctp", 5);
	else if (protocol == KV_IPPROTO_SMC)
		__builtin_memcpy(to, "smc", 4);
	else
		kv_socket_type(to, type);
}

/*
 * kv_type_name() - what it speaks, char[KV_NAME]: of Internet and netlink sockets the protocol, of
 * others the kind
 */
static __always_inline void kv_type_name(char *to, __u32 family, __u32 type, __u32 protocol)
{
	if (family == AF_INET || family == AF_INET6) {
		kv_inet_type(to, type, protocol);
	} else if (family == AF_NETLINK) {
		kv_netlink_name(to, protocol);
		kv_name_number(to, protocol & 31);
	} else {
		kv_socket_type(to, type);
	}
}

/* The state as ss has it. A netlink socket has others: NETLINK_CONNECTED is 1. */
static __always_inline __u32 kv_socket_state(__u32 family, __u32 state)
{
	return !state && family == AF_NETLINK ? TCP_CLOSE : state;
}

#define KV_NO_PORT (-1)

/*
 * Both ends. A port of netlink is a port id, a local one of packet the Ethernet protocol; an address
 * of vsock is a CID.
 */
struct kv_ends {
	union {
		struct {
			__s64 lport, rport;
			struct kv_ip laddr, raddr;
		};
		__u64 words[7]; /* all of it, to be compared */
	};
};

/* Where the verifier knows the type of @p, a load costs a tenth of a call. */
#define KV_LOAD(p, member) (is_known ? (p)->member : BPF_CORE_READ(p, member))

static __always_inline __s64 kv_port(__u32 port)
{
	return port ? (__s64)port : KV_NO_PORT;
}

static __always_inline void kv_inet_ends(struct kv_ends *e, const struct sock_common *sk,
					 bool is_known)
{
	if (KV_LOAD(sk, skc_family) == AF_INET6) {
		kv_ip6(&e->laddr, &sk->skc_v6_rcv_saddr);
		kv_ip6(&e->raddr, &sk->skc_v6_daddr);
	} else {
		kv_ip4(&e->laddr, KV_LOAD(sk, skc_rcv_saddr));
		kv_ip4(&e->raddr, KV_LOAD(sk, skc_daddr));
	}
	e->lport = kv_port(KV_LOAD(sk, skc_num));
	e->rport = kv_port(bpf_ntohs(KV_LOAD(sk, skc_dport)));
}

#define KV_VMADDR_ANY 0xffffffffU

static __always_inline void kv_vsock_end(struct kv_ip *addr, __s64 *port, __u32 cid, __u32 number)
{
	if (cid != KV_VMADDR_ANY)
		kv_ip_number(addr, cid);
	if (number != KV_VMADDR_ANY)
		*port = number;
}

static __always_inline void kv_vsock_ends(struct kv_ends *e, const struct sock *sk)
{
	const struct vsock_sock *vsk = (void *)sk;

	if (!kv_knows(vsock_sock, local_addr) || !kv_knows(vsock_sock, remote_addr))
		return;
	kv_vsock_end(&e->laddr, &e->lport, BPF_CORE_READ(vsk, local_addr.svm_cid),
		     BPF_CORE_READ(vsk, local_addr.svm_port));
	kv_vsock_end(&e->raddr, &e->rport, BPF_CORE_READ(vsk, remote_addr.svm_cid),
		     BPF_CORE_READ(vsk, remote_addr.svm_port));
}

static __always_inline void kv_look_at(struct kv_ends *e, const struct sock *sk, bool is_known)
{
	const struct netlink_sock___ends *nlk = (void *)sk;
	const struct packet_sock *po = (void *)sk;
	__u16 family = KV_LOAD(sk, __sk_common.skc_family);

	*e = (struct kv_ends){.lport = KV_NO_PORT, .rport = KV_NO_PORT};
	if (family == AF_INET || family == AF_INET6) {
		kv_inet_ends(e, &sk->__sk_common, is_known);
	} else if (family == AF_NETLINK) {
		e->lport = kv_port(BPF_CORE_READ(nlk, portid));
		e->rport = kv_port(BPF_CORE_READ(nlk, dst_portid));
	} else if (family == AF_PACKET && kv_knows(packet_sock, num)) {
		e->lport = kv_port(bpf_ntohs(BPF_CORE_READ(po, num)));
	} else if (family == AF_VSOCK) {
		kv_vsock_ends(e, sk);
	}
}

/* Not static, so that it is verified once, not along each pair of paths that two looks have. */
__noinline int kv_look_far(struct kv_ends *e, __u64 sk)
{
	if (e)
		kv_look_at(e, (void *)sk, false);
	return 0;
}

static __always_inline void kv_look(struct kv_ends *e, const struct sock *sk, bool is_known)
{
	if (is_known)
		kv_look_at(e, sk, true);
	else
		kv_look_far(e, (__u64)sk);
}

/*
 * bind(2) and connect(2) own the socket while they change its ends, an address in several steps.
 * A connection of TCP or vsock has its ends as long as its state is not CLOSE: they are set before
 * it has another one, and reset behind it.
 *
 * Return: were they looked at while nobody changed them?
 */
static __always_inline bool kv_saw_ends(struct kv_ends *e, struct kv_ends *again,
					const struct sock *sk, bool is_known)
{
	bool is_connection =
		(KV_LOAD(sk, sk_protocol) == KV_IPPROTO_TCP ||
		 KV_LOAD(sk, __sk_common.skc_family) == AF_VSOCK) &&
		(KV_LOAD(sk, sk_type) == SOCK_STREAM || KV_LOAD(sk, sk_type) == SOCK_SEQPACKET);
	__u8 state = KV_LOAD(sk, __sk_common.skc_state);
	__u32 owned = KV_LOAD(sk, sk_lock.owned);
	__u64 differs = 0;

	kv_barrier();
	kv_look(e, sk, is_known);
	kv_barrier();
	if (is_connection && state != TCP_CLOSE && KV_LOAD(sk, __sk_common.skc_state) != TCP_CLOSE)
		return true;
	kv_look(again, sk, is_known);
	kv_barrier();
	for (int i = 0; i < 7; i++)
		differs |= e->words[i] ^ again->words[i];
	return !(differs | owned | KV_LOAD(sk, sk_lock.owned));
}

/* Not on the stack, of which the programs that look have little left. */
struct kv_looking {
	__u64 sk; /* address */
	struct kv_ends ends, again;
	__u64 seen;
};

KV_THREAD_MAP(kv_lookings, kv_looking);

static long kv_look_again(__u64 i, struct kv_looking **looking)
{
	struct kv_looking *l = *looking;

	l->seen = kv_saw_ends(&l->ends, &l->again, (void *)l->sk, false);
	return l->seen;
}

/* A connect(2) takes some microseconds of it, and many looks. */
#define KV_LOOKS 512

/* Not static, so that it is verified once: few sockets are just being bound or connected. */
__noinline int kv_await_ends(__u64 address, struct kv_ends *ends)
{
	struct kv_looking *l = kv_of_thread(kv_lookings, bpf_get_current_task_btf());

	if (!ends || !l)
		return 0;
	l->sk = address;
	bpf_loop(KV_LOOKS, kv_look_again, &l, 0);
	*ends = l->ends;
	return l->seen;
}

/**
 * kv_find_ends() - both ends of a socket
 * @sk: from kv_socket_of()
 *
 * If somebody owns it for long who may be changing them, its addresses are (unreadable), and it has
 * no ports.
 */
static __always_inline void kv_find_ends(struct kv_ends *ends, const struct sock *sk)
{
	struct kv_ends again;

	if (kv_saw_ends(ends, &again, sk, true) || kv_await_ends(kv_address(sk), ends))
		return;
	*ends = (struct kv_ends){
		.lport = KV_NO_PORT,
		.rport = KV_NO_PORT,
		.laddr.family = KV_IP_UNREADABLE,
		.raddr.family = KV_IP_UNREADABLE,
	};
}

/* kv_put_bound() - append the name that it is bound to: of unix its path, of packet the interface */
static __always_inline void kv_put_bound(struct kv_call *c, struct kv_str *s, const struct sock *sk)
{
	const struct packet_sock *po = (void *)sk;
	const struct net_device *dev;
	__u16 family = sk->__sk_common.skc_family;

	if (family == AF_UNIX)
		kv_put_unix_path(c, s, (void *)sk);
	if (family != AF_PACKET || !kv_knows(packet_sock, prot_hook))
		return;
	dev = BPF_CORE_READ(po, prot_hook.dev);
	if (dev)
		kv_put_chars(c, s, dev->name);
}

#endif
