/* SPDX-License-Identifier: GPL-2.0-only */
/* UNIX domain sockets: name, peer and queue. Knows no view. */
#ifndef KVIEW_UNIX_H
#define KVIEW_UNIX_H

#include "net.h"
#include "names.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sk_buff {
	struct sk_buff *next;
	unsigned int len;
	char cb[48];
};

struct unix_skb_parms {
	__u32 consumed;
};

struct sockaddr_un {
	unsigned short sun_family;
};

struct unix_address {
	int len;
	struct sockaddr_un name[1];
};

struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct sock *peer;
};

/* Since 6.18 (f4e1fb04c123). Before, the queue is walked. Kept for: 6.12. */
struct unix_sock___inq {
	int inq_len;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/* As kv_sock_ino(), of a socket that the verifier does not know. */
static __always_inline __u64 kv_ino_of(const struct sock *sk)
{
	const struct sock___ino *now = (void *)sk;
	struct socket *socket;

	if (bpf_core_field_exists(now->sk_ino))
		return BPF_CORE_READ(now, sk_ino);
	socket = BPF_CORE_READ(sk, sk_socket);
	if (!socket)
		return 0;
	return BPF_CORE_READ((struct socket_alloc *)socket, vfs_inode.i_ino);
}

/* A peer may go, and be freed: it was the peer if it still is. */
static __always_inline __u64 kv_unix_peer_ino(const struct unix_sock *u)
{
	const struct sock *peer = BPF_CORE_READ(u, peer);
	__u64 ino = peer ? kv_ino_of(peer) : 0;

	kv_barrier();
	return BPF_CORE_READ(u, peer) == peer ? ino : 0;
}

struct kv_queue {
	const struct sk_buff *at, *head;
	__u64 bytes, n;
};

/* unix_skb_len() in net/unix/af_unix.c */
static long kv_add_skb(__u64 i, struct kv_queue *q)
{
	const struct sk_buff *skb = q->at;
	const struct unix_skb_parms *parms =
		(void *)skb + bpf_core_field_offset(struct sk_buff, cb);

	if (skb == q->head || !skb)
		return 1;
	q->bytes += BPF_CORE_READ(skb, len) - BPF_CORE_READ(parms, consumed);
	q->n++;
	q->at = BPF_CORE_READ(skb, next);
	return 0;
}

/* It may be taken, and be freed: it was the first one if it still is. */
static __always_inline __s64 kv_first_len(const struct sk_buff_head *head,
					  const struct sk_buff *first)
{
	__u32 len = BPF_CORE_READ(first, len);

	kv_barrier();
	return BPF_CORE_READ(head, next) == first ? len : -1;
}

#define KV_MAX_QUEUE \
	8192 /* of a socket whose buffer is 4 MiB; beyond, and if it changes: no value */

/* unix_inq_len(); -1: no value */
static __always_inline __s64 kv_unix_rxq(const struct unix_sock *u)
{
	const struct unix_sock___inq *now = (void *)u;
	const struct sk_buff_head *head = (void *)kv_address(&u->sk.sk_receive_queue);
	const struct sk_buff *first = BPF_CORE_READ(head, next);
	struct kv_queue q = {.head = (void *)head, .at = first};
	__u32 qlen = BPF_CORE_READ(head, qlen);
	__u16 type = BPF_CORE_READ(u, sk.sk_type);

	if (!qlen)
		return 0;
	if (type == SOCK_DGRAM)
		return first == q.head ? 0 : kv_first_len(head, first);
	if (type == SOCK_STREAM && bpf_core_field_exists(now->inq_len))
		return BPF_CORE_READ(now, inq_len);
	bpf_loop(KV_MAX_QUEUE, kv_add_skb, &q, 0);
	kv_barrier();
	return q.at == q.head && q.n == qlen && BPF_CORE_READ(head, qlen) == qlen ? (__s64)q.bytes
										  : -1;
}

#define KV_UNIX_NAME_MAX 108 /* sockaddr_un.sun_path */

/*
 * A name is set once, and freed with the socket. An abstract one begins with a NUL, shown as '@',
 * and may have any bytes; another one ends with the NUL that its length counts.
 *
 * Return: its length, 0: it has none.
 */
static __always_inline __s64 kv_unix_name(const struct unix_sock *u, const char **name)
{
	const struct unix_address *addr = BPF_CORE_READ(u, addr);

	*name = (void *)addr + bpf_core_field_offset(struct unix_address, name) + 2;
	return addr ? (__s64)BPF_CORE_READ(addr, len) - 2 : 0;
}

static __always_inline void kv_put_unix_path(struct kv_call *c, struct kv_str *s,
					     const struct unix_sock *u)
{
	const char *name;
	__s64 len = kv_unix_name(u, &name);
	struct kv_str rest;
	char first = 0;

	if (len <= 0)
		return;
	if (len > KV_UNIX_NAME_MAX + 1) { /* never */
		s->off = KV_STR_UNREADABLE;
		return;
	}
	bpf_probe_read_kernel(&first, 1, name);
	if (first) {
		kv_put_bytes(c, s, name, len - 1);
		return;
	}
	kv_put_literal(c, s, "@");
	kv_put_bytes(c, &rest, name + 1, len - 1);
	kv_join(s, &rest);
}

#endif
