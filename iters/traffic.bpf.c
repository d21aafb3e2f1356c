// SPDX-License-Identifier: GPL-2.0-only
/* The view `traffic`: what processes have sent to and received from sockets. */
#include "kview.h"
#include "numbers.h"
#include "net.h"

struct bytes {
	__u64 sent, sends;
	__u64 received, receives;
};

#define KV_COUNTS struct bytes
#define KV_ROWS 16384
#include "process_rows.h"

struct traffic {
	struct kv_head _head;
	KV_OWNER_COLUMNS;
	enum kv_family family KV_ROLE(key) KV_MEANS("address family of the sockets, by name")
		KV_NONE(0) KV_WIDTH(8);
	__u64 sent KV_ROLE(counter) KV_MEANS("bytes that were sent") KV_UNIT("bytes") KV_WIDTH(11);
	__u64 sends KV_ROLE(counter) KV_MEANS("calls that sent them") KV_WIDTH(9);
	__u64 received KV_ROLE(counter) KV_MEANS("bytes that were received") KV_UNIT("bytes")
		KV_WIDTH(11);
	__u64 receives KV_ROLE(counter) KV_MEANS("calls that received them") KV_WIDTH(9);
	KV_OWNER_COMM;
	__u32 _pad2;
};

KV_VIEW_OF_PROCESS_ROWS(traffic, "a row per process and address family: bytes, calls");

/* @ret: what the call returned. One that failed has moved nothing. */
static __always_inline void sent(const struct sock *sk, long ret)
{
	struct bytes *b;

	if (ret < 0)
		return;
	b = kv_counts_of(bpf_get_current_task_btf(), sk->__sk_common.skc_family);
	if (!b)
		return;
	__sync_fetch_and_add(&b->sent, ret);
	__sync_fetch_and_add(&b->sends, 1);
}

#define MSG_PEEK 2	    /* include/linux/socket.h */
#define MSG_ERRQUEUE 0x2000 /* likewise */

static __always_inline void received(const struct sock *sk, long ret, int flags)
{
	struct bytes *b;

	if (ret < 0 || (flags & (MSG_PEEK | MSG_ERRQUEUE)))
		return;
	b = kv_counts_of(bpf_get_current_task_btf(), sk->__sk_common.skc_family);
	if (!b)
		return;
	__sync_fetch_and_add(&b->received, ret);
	__sync_fetch_and_add(&b->receives, 1);
}

SEC("tp_btf/sock_send_length")
int sends(__u64 *ctx)
{
	sent((void *)ctx[0], (int)ctx[1]);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int receives(__u64 *ctx)
{
	received((void *)ctx[0], (int)ctx[1], ctx[2]);
	return 0;
}

/*
 * Before 6.3 there are no such tracepoints. sock_sendmsg() is no function there for most calls, but
 * those of the families are.
 */
struct socket___traffic {
	struct sock *sk;
} __attribute__((preserve_access_index));

static __always_inline const struct sock *sock_of(__u64 *ctx)
{
	const struct socket___traffic *sock = (void *)ctx[0];

	return sock->sk;
}

#define SENDS(function, returned)                       \
	SEC("?fexit/" #function)                        \
	int sends_by_##function(__u64 *ctx)             \
	{                                               \
		sent(sock_of(ctx), (int)ctx[returned]); \
		return 0;                               \
	}

SENDS(inet_sendmsg, 3)
SENDS(inet6_sendmsg, 3)
SENDS(inet_sendpage, 5)
SENDS(unix_stream_sendmsg, 3)
SENDS(unix_dgram_sendmsg, 3)
SENDS(netlink_sendmsg, 3)
SENDS(packet_sendmsg, 3)

SEC("?fexit/sock_recvmsg")
int receives_by_sock_recvmsg(__u64 *ctx)
{
	received(sock_of(ctx), (int)ctx[3], ctx[2]);
	return 0;
}

KV_SHOW_PROCESS_ROWS(traffic)
{
	r->family = row->key.kind;
	r->sent = row->counts.sent;
	r->sends = row->counts.sends;
	r->received = row->counts.received;
	r->receives = row->counts.receives;
}
