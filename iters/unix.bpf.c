// SPDX-License-Identifier: GPL-2.0-only
/*
 * The view `unix`: a row per UNIX domain socket, as ss -x and /proc/net/unix. The kernel's walk
 * loses sockets where a read stops, so the records are spooled.
 */
#include "net.h"
#include "spool.h"
#include "unix.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
struct bpf_iter__unix {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct unix_sock, unix_sk);
};

#pragma clang diagnostic pop

struct unix_row {
	struct kv_head _head;
	char type[KV_NAME] KV_MEANS("STREAM, DGRAM or SEQPACKET") KV_WIDTH(9);
	char state[KV_NAME] KV_MEANS("LISTEN, ESTAB or UNCONN, as ss") KV_WIDTH(6);
	__u32 _pad;
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
	__u32 _pad2;
};

KV_VIEW(unix_row, "a row per UNIX domain socket: type, peer, queues, path", "5.15");

#define HAS(column) kv_has(unix_row, column)

#define SO_ACCEPTCON 0x10000

/* As sk_diag_show_rqlen() in net/unix/diag.c. */
static __always_inline void put_queues(struct unix_row *r, const struct unix_sock *u, __u8 state)
{
	if (state == TCP_LISTEN) {
		kv_set(r, rxq, BPF_CORE_READ(u, sk.sk_receive_queue.qlen));
		kv_set(r, txq, BPF_CORE_READ(u, sk.sk_max_ack_backlog));
		return;
	}
	kv_set(r, rxq, kv_unix_rxq(u));
	kv_set(r, txq, BPF_CORE_READ(u, sk.sk_wmem_alloc.refs.counter) - 1);
}

static __always_inline void fill(struct kv_call *c, struct unix_row *r, const struct unix_sock *u)
{
	__u8 state = BPF_CORE_READ(u, sk.__sk_common.skc_state);

	if (HAS(type))
		kv_socket_type(r->type, BPF_CORE_READ(u, sk.sk_type));
	kv_state_name(r->state, state);
	r->flags = state == TCP_LISTEN ? SO_ACCEPTCON : 0;
	if (HAS(ino))
		r->ino = kv_ino_of(&u->sk);
	if (HAS(peer_ino))
		r->peer_ino = kv_unix_peer_ino(u);
	if (HAS(uid))
		r->uid = kv_uid(c, BPF_CORE_READ(u, sk.sk_uid.val));
	/* One is the iterator's own. */
	kv_set(r, refs, BPF_CORE_READ(u, sk.__sk_common.skc_refcnt.refs.counter) - 1);
	put_queues(r, u, state);
	kv_set(r, netns, BPF_CORE_READ(u, sk.__sk_common.skc_net.net, ns.inum));
	if (HAS(path))
		kv_put_unix_path(c, &r->path, u);
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
