/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Views of a network namespace, that of the reader: kv_begin_net(), and what several of them read
 * of a socket.
 */
#ifndef KVIEW_NET_H
#define KVIEW_NET_H

#include "kview.h"
#include "process.h"
#include <bpf/bpf_endian.h>

#ifndef __VMLINUX_H__

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* the real layout is the kernel's */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	struct net *net;
} possible_net_t;

typedef struct {
	atomic_t refs;
} refcount_t;

struct in6_addr {
	union {
		__u32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	struct sock *skc_listener;
	refcount_t skc_refcnt;
};

struct hlist_node {
	struct hlist_node **pprev;
};

struct timer_list {
	struct hlist_node entry;
};

struct socket {
	short type;
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct kv_sock_backlog { /* an unnamed struct */
	atomic_t rmem_alloc;
};

struct kv_sock_lock { /* an unnamed struct as well */
	int owned;
};

struct sk_buff_head {
	struct sk_buff *next;
	__u32 qlen;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	struct kv_sock_backlog sk_backlog;
	struct kv_sock_lock sk_lock;
	atomic_t sk_drops;
	refcount_t sk_wmem_alloc;
	struct timer_list sk_timer;
	kuid_t sk_uid;
	__u16 sk_type;
	__u16 sk_protocol;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	struct socket *sk_socket;
};

struct net_device {
	int ifindex;
	char name[16];
};

#pragma clang attribute pop
#pragma clang diagnostic pop

#endif

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* The inode number, since 6.18 in the socket itself. Kept for: 6.12. */
struct sock___ino {
	unsigned long sk_ino;
};

/* Two counters of drops, since 6.18, which some protocols have. Kept for: 6.12. */
struct numa_drop_counters___since_6_18 {
	atomic_t drops0, drops1;
};

struct sock___drops {
	struct numa_drop_counters___since_6_18 *sk_drop_counters;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/**
 * kv_begin_net() - first thing in a program of a view of a network namespace
 * @object: a pointer to one of the structs that kv_begin() refuses
 *
 * As kv_begin(). The kernel calls the program for the objects of one namespace, and the mount sees
 * to it that this is the reader's. Everyone may read such a view, so its rows must have nothing
 * but what /proc/net shows to everyone.
 */
#define kv_begin_net(c, meta, object)                                                            \
	({                                                                                       \
		_Static_assert(KV_IS_OF_NET(object), "only views of a network namespace do so"); \
		kv_begin_any(c, meta, object);                                                   \
	})

static __always_inline __u32 kv_sock_netns(const struct sock_common *sk)
{
	return sk->skc_net.net->ns.inum;
}

/* sock_i_ino(): 0 for a socket that no process has any more. */
static __always_inline __u64 kv_sock_ino(const struct sock *sk)
{
	const struct sock___ino *s = (void *)sk;
	const struct socket *socket;
	const struct inode *inode;

	if (bpf_core_field_exists(s->sk_ino))
		return s->sk_ino;
	socket = sk->sk_socket;
	if (!socket)
		return 0;
	inode = (void *)(kv_address(socket) - bpf_core_field_offset(struct socket_alloc, socket) +
			 bpf_core_field_offset(struct socket_alloc, vfs_inode));
	return BPF_CORE_READ(inode, i_ino);
}

/* sk_drops_read() */
static __always_inline __u32 kv_sock_drops(const struct sock *sk)
{
	const struct sock___drops *s = (void *)sk;
	const struct numa_drop_counters___since_6_18 *two = NULL;

	if (bpf_core_field_exists(s->sk_drop_counters))
		two = s->sk_drop_counters;
	if (!two)
		return sk->sk_drops.counter;
	return BPF_CORE_READ(two, drops0.counter) + BPF_CORE_READ(two, drops1.counter);
}

/* sk_wmem_alloc_get(): one is the socket's own. */
static __always_inline __u32 kv_sock_txq(const struct sock *sk)
{
	return sk->sk_wmem_alloc.refs.counter - 1;
}

#endif
