// SPDX-License-Identifier: GPL-2.0-only
/*
 * The view `unix`: a row per UNIX domain socket, as ss -x and /proc/net/unix. The kernel's walk
 * loses sockets where a read stops, so the records are spooled.
 */
#include "net.h"
#include "spool.h"

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

struct bpf_iter__unix {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct unix_sock, unix_sk);
};

#pragma clang diagnostic pop

struct unix_row {
	struct kv_head _head;
	char type[12] KV_MEANS("STREAM, DGRAM or SEQPACKET") KV_WIDTH(9);
	char state[8] KV_MEANS("LISTEN, ESTAB or UNCONN, as ss") KV_WIDTH(6);
	__u64 ino KV_ROLE(key) KV_MEANS("inode number of the socket; none before it is accepted")
		KV_NONE(0) KV_WIDTH(10);
	__u64 peer_ino KV_MEANS("inode number of its peer") KV_NONE(0) KV_WIDTH(10);
	__u32 uid KV_MEANS("user id of its owner") KV_WIDTH(6);
	__u32 refs KV_ROLE(gauge) KV_MEANS("references to the socket") KV_WIDTH(4);
	__s64 rxq KV_ROLE(gauge) KV_MEANS(
		"bytes to be read; of a datagram socket in the first datagram; of a listening "
		"one, connections to be accepted") KV_NONE(-1) KV_WIDTH(8);
	__s64 txq KV_ROLE(gauge) KV_MEANS(
		"memory of what was sent and not read yet; of a listening socket, its backlog")
		KV_WIDTH(8);
	__u32 flags KV_MEANS("as in /proc/net/unix: 00010000 is a listening socket") KV_SHOW(hex);
	__u32 netns KV_ROLE(key) KV_MEANS("network namespace, by its inode number") KV_WIDTH(10);
	struct kv_str path KV_MEANS("name that it is bound to; an abstract one begins with @");
	__u32 _pad;
};

KV_VIEW(unix_row, "a row per UNIX domain socket: type, peer, queues, path", "5.15");

#define HAS(column) kv_has(unix_row, column)

enum { ESTABLISHED = 1, CLOSE = 7, LISTEN = 10 };
enum { STREAM = 1, DGRAM = 2, SEQPACKET = 5 };

#define SO_ACCEPTCON 0x10000

#define SET_NAME(to, name) __builtin_memcpy(to, name, sizeof(name))

static __always_inline void put_type(struct unix_row *r, const struct sock *sk)
{
	__u16 type = BPF_CORE_READ(sk, sk_type);

	if (type == STREAM)
		SET_NAME(r->type, "STREAM");
	else if (type == DGRAM)
		SET_NAME(r->type, "DGRAM");
	else if (type == SEQPACKET)
		SET_NAME(r->type, "SEQPACKET");
}

static __always_inline void put_state(struct unix_row *r, __u8 state)
{
	if (state == LISTEN)
		SET_NAME(r->state, "LISTEN");
	else if (state == ESTABLISHED)
		SET_NAME(r->state, "ESTAB");
	else if (state == CLOSE)
		SET_NAME(r->state, "UNCONN");
	r->flags = state == LISTEN ? SO_ACCEPTCON : 0;
}

/* As kv_sock_ino(), of a socket that the verifier does not know. */
static __always_inline __u64 ino_of(const struct sock *sk)
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
static __always_inline __u64 peer_ino_of(const struct unix_sock *u)
{
	const struct sock *peer = BPF_CORE_READ(u, peer);
	__u64 ino = peer ? ino_of(peer) : 0;

	kv_barrier();
	return BPF_CORE_READ(u, peer) == peer ? ino : 0;
}

struct queue {
	const struct sk_buff *at, *head;
	__u64 bytes, n;
};

/* unix_skb_len() in net/unix/af_unix.c */
static long add_skb(__u64 i, struct queue *q)
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

#define MAX_QUEUE 8192 /* of a socket whose buffer is 4 MiB; beyond, and if it changes: no value */

/* unix_inq_len() */
static __always_inline __s64 queued(const struct unix_sock *u)
{
	const struct unix_sock___inq *now = (void *)u;
	const struct sk_buff_head *head = (void *)kv_address(&u->sk.sk_receive_queue);
	const struct sk_buff *first = BPF_CORE_READ(head, next);
	struct queue q = {.head = (void *)head, .at = first};
	__u32 qlen = BPF_CORE_READ(head, qlen);
	__u16 type = BPF_CORE_READ(u, sk.sk_type);

	if (!qlen)
		return 0;
	if (type == DGRAM)
		return first == q.head ? 0 : BPF_CORE_READ(first, len);
	if (type == STREAM && bpf_core_field_exists(now->inq_len))
		return BPF_CORE_READ(now, inq_len);
	bpf_loop(MAX_QUEUE, add_skb, &q, 0);
	kv_barrier();
	return q.at == q.head && q.n == qlen && BPF_CORE_READ(head, qlen) == qlen ? (__s64)q.bytes
										  : -1;
}

/* As sk_diag_show_rqlen() in net/unix/diag.c. */
static __always_inline void put_queues(struct unix_row *r, const struct unix_sock *u, __u8 state)
{
	if (state == LISTEN) {
		kv_set(r, rxq, BPF_CORE_READ(u, sk.sk_receive_queue.qlen));
		kv_set(r, txq, BPF_CORE_READ(u, sk.sk_max_ack_backlog));
		return;
	}
	kv_set(r, rxq, queued(u));
	kv_set(r, txq, BPF_CORE_READ(u, sk.sk_wmem_alloc.refs.counter) - 1);
}

#define MAX_NAME 108 /* sockaddr_un.sun_path */

/*
 * A name is set once, and freed with the socket. An abstract one begins with a NUL, shown as '@',
 * and may have any bytes; another one ends with the NUL that its length counts.
 */
static __always_inline void put_path(struct kv_call *c, struct unix_row *r,
				     const struct unix_sock *u)
{
	const struct unix_address *addr = BPF_CORE_READ(u, addr);
	const char *name = (void *)addr + bpf_core_field_offset(struct unix_address, name) + 2;
	__s64 len = addr ? (__s64)BPF_CORE_READ(addr, len) - 2 : 0;
	struct kv_str rest;
	char first = 0;

	if (len <= 0)
		return;
	if (len > MAX_NAME + 1) { /* never */
		r->path.off = KV_STR_UNREADABLE;
		return;
	}
	bpf_probe_read_kernel(&first, 1, name);
	if (first) {
		kv_put_bytes(c, &r->path, name, len - 1);
		return;
	}
	kv_put_literal(c, &r->path, "@");
	kv_put_bytes(c, &rest, name + 1, len - 1);
	kv_join(&r->path, &rest);
}

static __always_inline void fill(struct kv_call *c, struct unix_row *r, const struct unix_sock *u)
{
	__u8 state = BPF_CORE_READ(u, sk.__sk_common.skc_state);

	if (HAS(type))
		put_type(r, &u->sk);
	put_state(r, state);
	if (HAS(ino))
		r->ino = ino_of(&u->sk);
	if (HAS(peer_ino))
		r->peer_ino = peer_ino_of(u);
	if (HAS(uid))
		r->uid = kv_uid(c, BPF_CORE_READ(u, sk.sk_uid.val));
	/* One is the iterator's own. */
	kv_set(r, refs, BPF_CORE_READ(u, sk.__sk_common.skc_refcnt.refs.counter) - 1);
	put_queues(r, u, state);
	kv_set(r, netns, BPF_CORE_READ(u, sk.__sk_common.skc_net.net, ns.inum));
	if (HAS(path))
		put_path(c, r, u);
}

SEC("iter/unix")
int unix(struct bpf_iter__unix *ctx)
{
	struct unix_sock *u = ctx->unix_sk;
	struct unix_row *r;
	struct kv_call c;

	if (kv_begin_spooled(&c, ctx->meta, u))
		return 1;
	if (!u)
		return kv_spool_end(&c);
	r = kv_record(&c, struct unix_row);
	fill(&c, r, u);
	return c.scope ? kv_spool_emit(&c) : kv_emit(&c);
}
