// SPDX-License-Identifier: GPL-2.0-only
/*
 * The view `socket`: what lsof -i and ss -p show, a row per open file descriptor that is a socket,
 * whatever its network namespace.
 */
#include "kview.h"
#include "process.h"
#include "net.h"
#include "names.h"

struct socket_row {
	struct kv_head _head;
	__s32 pid KV_ROLE(key) KV_MEANS("process id (thread group id)") KV_WIDTH(7);
	__s32 tid KV_ROLE(key)
		KV_MEANS("thread whose table it is: the leader, or one with a table of its own")
			KV_WIDTH(7);
	__u32 fd KV_ROLE(key) KV_MEANS("file descriptor") KV_WIDTH(4);
	char family[KV_NAME] KV_MEANS("inet, inet6, unix, netlink, packet, vsock, ...") KV_WIDTH(7);
	char type[KV_NAME] KV_MEANS(
		"protocol of inet, inet6 and netlink: tcp, udp, raw, rtnl, ...; "
		"of others STREAM, DGRAM, SEQPACKET, RAW") KV_WIDTH(9);
	char state[KV_NAME] KV_MEANS("state, as ss names it") KV_WIDTH(10);
	struct kv_ip laddr KV_MEANS("local address; of vsock its CID") KV_WIDTH(15);
	__s64 lport KV_MEANS("local port; of raw and packet the protocol, of netlink the port id")
		KV_NONE(-1) KV_WIDTH(5);
	struct kv_ip raddr KV_MEANS("remote address; of vsock its CID") KV_WIDTH(15);
	__u32 _pad;
	__s64 rport KV_MEANS("remote port") KV_NONE(-1) KV_WIDTH(5);
	struct kv_str path KV_MEANS(
		"name that it is bound to: of unix, where an abstract one begins "
		"with @, and of packet the interface") KV_WIDTH(10);
	__u32 _pad2;
	__u64 peer_ino KV_MEANS("inode number of the peer, of unix") KV_NONE(0) KV_WIDTH(8);
	__u32 netns KV_MEANS("network namespace, its inode number") KV_WIDTH(10);
	__u32 _pad3;
	__u64 ino KV_MEANS("inode number") KV_NONE(0) KV_WIDTH(8);
	__u32 uid KV_MEANS("user whose socket it is") KV_WIDTH(6);
	__u32 _pad4;
	__s64 rxq KV_ROLE(gauge) KV_MEANS("received and not read: of tcp and unix bytes, of others "
					  "memory; of LISTEN connections to accept") KV_NONE(-1)
		KV_WIDTH(6);
	__s64 txq KV_ROLE(gauge) KV_MEANS("of tcp bytes written and not acknowledged, of others "
					  "memory of what is on its way; of LISTEN how many "
					  "connections may wait") KV_NONE(-1) KV_WIDTH(6);
	__u64 sent KV_ROLE(counter) KV_MEANS("payload sent, each retransmission included, of tcp")
		KV_UNIT("bytes") KV_NONE(-1) KV_WIDTH(10);
	__u64 received KV_ROLE(counter) KV_MEANS("payload received, of tcp") KV_UNIT("bytes")
		KV_NONE(-1) KV_WIDTH(10);
	__u32 retrans KV_ROLE(counter) KV_MEANS("segments sent again, of tcp") KV_NONE(4294967295)
		KV_WIDTH(7);
	__u32 _pad5;
	__u64 rtt KV_ROLE(gauge) KV_MEANS("smoothed round-trip time, of tcp") KV_UNIT("s")
		KV_SHOW(seconds) KV_NONE(0) KV_WIDTH(11);
	struct kv_str comm KV_MEANS("name of the thread") KV_WIDTH(15);
	__u32 _pad6;
};

KV_VIEW(socket_row, "a row per open file descriptor that is a socket: addresses, state, traffic",
	"5.11");

#define KV_TCP_VIEW socket_row
#include "tcp.h"
#include "socket.h"

#define HAS(column) kv_has(socket_row, column)

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct udp_sock {
	int forward_deficit;
};

struct mptcp_sock {
	struct sock *first;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

static __always_inline bool is_mptcp(const struct sock *sk)
{
	return kv_is_inet(sk) && sk->sk_protocol == KV_IPPROTO_MPTCP;
}

/*
 * mptcp_diag_get_info(): its first subflow listens. That may go: it was its if it still is. A kernel
 * without the struct has no such sockets.
 */
static __always_inline __s64 mptcp_backlog(const struct sock *sk, bool is_limit)
{
	const struct mptcp_sock *msk = (void *)sk;
	const struct sock *first;
	__u32 n;

	if (!kv_knows(mptcp_sock, first))
		return -1;
	first = BPF_CORE_READ(msk, first);
	n = is_limit ? BPF_CORE_READ(first, sk_max_ack_backlog)
		     : BPF_CORE_READ(first, sk_ack_backlog);
	kv_barrier();
	return first && BPF_CORE_READ(msk, first) == first ? n : -1;
}

/* udp_rqueue_get(): what was read and is not yet accounted for does not count. */
static __always_inline __u32 memory_to_read(const struct sock *sk)
{
	const struct udp_sock *up = (void *)sk;
	__u32 memory = sk->sk_backlog.rmem_alloc.counter;

	return kv_is_udp(sk) ? memory - BPF_CORE_READ(up, forward_deficit) : memory;
}

/* Of other sockets than connections of TCP. */
static __always_inline __s64 rxq_of(const struct sock *sk, bool is_listening)
{
	__u16 family = sk->__sk_common.skc_family;

	if (family == AF_UNIX) /* as sk_diag_show_rqlen() in net/unix/diag.c */
		return is_listening ? sk->sk_receive_queue.qlen : kv_unix_rxq((void *)sk);
	if (is_listening)
		return is_mptcp(sk) ? mptcp_backlog(sk, false) : sk->sk_ack_backlog;
	return family == AF_VSOCK ? -1 : memory_to_read(sk); /* of vsock its transport has it */
}

static __always_inline __s64 txq_of(const struct sock *sk, bool is_listening)
{
	if (is_listening)
		return is_mptcp(sk) ? mptcp_backlog(sk, true) : sk->sk_max_ack_backlog;
	return sk->__sk_common.skc_family == AF_VSOCK ? -1 : kv_sock_txq(sk);
}

static __always_inline void put_traffic(struct socket_row *r, struct sock *sk, bool is_listening)
{
	struct tcp_sock *tp = is_listening ? NULL : bpf_skc_to_tcp_sock(sk);

	if (tp) {
		put_connection(r, tp);
		return;
	}
	kv_set(r, rxq, rxq_of(sk, is_listening));
	kv_set(r, txq, txq_of(sk, is_listening));
	r->sent = r->received = ~0ULL;
	r->retrans = ~0U;
}

static __always_inline bool shows_ends(void)
{
	return HAS(laddr) || HAS(lport) || HAS(raddr) || HAS(rport);
}

static __always_inline void put_ends(const struct kv_call *c, struct socket_row *r,
				     const struct sock *sk)
{
	struct kv_ends ends;

	kv_find_ends(&ends, sk);
	if (ends.laddr.family == KV_IP_UNREADABLE)
		kv_look_soon(c->scope); /* that took long */
	r->laddr = ends.laddr;
	r->lport = ends.lport;
	r->raddr = ends.raddr;
	r->rport = ends.rport;
}

static __always_inline void put_socket(struct kv_call *c, struct socket_row *r, struct sock *sk)
{
	__u32 family = sk->__sk_common.skc_family;
	__u32 state = kv_socket_state(family, sk->__sk_common.skc_state);

	if (HAS(family))
		kv_family_name(r->family, family);
	if (HAS(type))
		kv_type_name(r->type, family, sk->sk_type, sk->sk_protocol);
	if (HAS(state))
		kv_state_name(r->state, state);
	if (shows_ends())
		put_ends(c, r, sk);
	if (HAS(netns))
		r->netns = kv_sock_netns(&sk->__sk_common);
	if (HAS(uid))
		r->uid = kv_uid(c, sk->sk_uid.val);
	put_traffic(r, sk, state == TCP_LISTEN);
	if (HAS(peer_ino) && family == AF_UNIX)
		r->peer_ino = kv_unix_peer_ino((void *)sk);
	if (HAS(path))
		kv_put_bound(c, &r->path, sk);
}

SEC("iter/task_file")
int socket(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct files_struct *files;
	struct socket_row *r;
	struct fdtable *fdt;
	struct kv_call c;
	struct sock *sk;
	int verdict = kv_begin_common(&c, ctx->meta, task, KV_FILES, KV_COMMON_FILES);

	if (verdict != KV_SHOW || !task)
		return verdict & 1;
	sk = file ? kv_socket_of(file) : NULL;
	files = task->files;
	if (!sk || !files)
		return 0;
	/* When the table grows, another fdtable takes its place. This one does not change then. */
	fdt = files->fdt;
	if (!kv_passes(&c, KV_FILES) && !kv_is_still_open(fdt, ctx->fd, file))
		return 0;
	r = kv_record(&c, struct socket_row);
	r->pid = kv_tgid(&c, task);
	r->tid = kv_tid(&c, task);
	if (!r->tid || !r->pid)
		return 0; /* it was just reaped, and has no numbers */
	r->fd = ctx->fd;
	kv_barrier();
	if (task->files != files || !kv_settle(&c))
		return KV_RETRY; /* its files_struct was another one, which is freed at once */
	kv_set(r, ino, file->f_inode->i_ino);
	put_socket(&c, r, sk);
	if (HAS(comm))
		kv_put_comm(&c, &r->comm, task);
	return kv_emit(&c);
}
