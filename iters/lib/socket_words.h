/* SPDX-License-Identifier: GPL-2.0-only */
/* What a socket is about, in words: type=tcp state=ESTAB laddr=127.0.0.1:22 raddr=127.0.0.1:34567 */
#ifndef KVIEW_SOCKET_WORDS_H
#define KVIEW_SOCKET_WORDS_H

#include "socket.h"
#include "words.h"

#define SOCKFS_MAGIC 0x534F434B

/* --- addresses, as inet_ntop(3) writes them --- */

static __always_inline void kv_say_ip4(struct kv_words *w, const __u8 *bytes)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			kv_say(w, ".");
		kv_say_number(w, bytes[i]);
	}
}

static long kv_find_zeros(__u64 i, struct kv_words **words)
{
	struct kv_words *w = *words;

	w->run = w->groups[i & 7] ? 0 : w->run + 1;
	if (w->run > 1 && w->run > w->zeros) {
		w->zeros = w->run;
		w->zeros_end = i + 1;
	}
	return 0;
}

/* Two colons stand for the longest run of zeros. */
static long kv_add_group(__u64 i, struct kv_words **words)
{
	struct kv_words *w = *words;
	__u64 begin = w->zeros_end - w->zeros;

	if (i >= begin && i < w->zeros_end) {
		if (i == begin)
			kv_say(w, ":");
		return 0;
	}
	if (i)
		kv_say(w, ":");
	kv_say_hex(w, w->groups[i & 7], 1);
	return 0;
}

static __always_inline void kv_say_ip6(struct kv_words *w, const __u8 *bytes)
{
	w->run = w->zeros = w->zeros_end = 0;
	for (int i = 0; i < 8; i++)
		w->groups[i] = bytes[2 * i] << 8 | bytes[2 * i + 1];
	bpf_loop(8, kv_find_zeros, &w, 0);
	kv_say(w, "[");
	if (w->zeros == w->zeros_end &&
	    (w->zeros == 6 || (w->zeros == 5 && w->groups[5] == 0xffff))) {
		kv_say(w, "::");
		if (w->zeros == 5)
			kv_say(w, "ffff:");
		kv_say_ip4(w, bytes + 12);
	} else {
		bpf_loop(8, kv_add_group, &w, 0);
		if (w->zeros_end == 8)
			kv_say(w, ":");
	}
	kv_say(w, "]");
}

/* Not static, so that it is verified once (see kv_find_pid()). */
__noinline int kv_say_ip(struct kv_words *w, const struct kv_ip *ip)
{
	if (!w || !ip)
		return 0;
	if (ip->family == 4)
		kv_say_ip4(w, ip->bytes);
	else if (ip->family == 6)
		kv_say_ip6(w, ip->bytes);
	else if (ip->family == KV_IP_NUMBER)
		kv_say_number(w, *(const __u32 *)ip->bytes);
	else
		kv_say(w, "(unreadable)");
	return 0;
}

/* --- ends and names --- */

static __always_inline void kv_say_port(struct kv_words *w, const struct kv_ip *ip, __s64 port)
{
	if (ip->family)
		kv_say(w, ":");
	kv_say_number(w, port);
}

static __always_inline bool kv_is_any(const struct kv_ends *e)
{
	const __u64 *words = (const void *)&e->raddr.bytes;

	return e->rport == KV_NO_PORT && (e->raddr.family == 4 || e->raddr.family == 6) &&
	       !(e->raddr.family == 4 ? (__u32)words[0] : words[0] | words[1]);
}

/* Not static, so that it is verified once. */
__noinline int kv_say_ends(struct kv_words *w, __u64 sk)
{
	struct kv_ends *e;

	if (!w)
		return 0;
	e = (void *)w->ends;
	if (!kv_await_ends(sk, e)) {
		kv_say(w, " laddr=(unreadable)");
		return 0;
	}
	if (e->laddr.family) {
		kv_say(w, " laddr=");
		kv_say_ip(w, &e->laddr);
	} else if (e->lport != KV_NO_PORT) {
		kv_say(w, " lport=");
	}
	if (e->lport != KV_NO_PORT)
		kv_say_port(w, &e->laddr, e->lport);
	if (kv_is_any(e))
		return 0;
	if (e->raddr.family) {
		kv_say(w, " raddr=");
		kv_say_ip(w, &e->raddr);
	} else if (e->rport != KV_NO_PORT) {
		kv_say(w, " rport=");
	}
	if (e->rport != KV_NO_PORT)
		kv_say_port(w, &e->raddr, e->rport);
	return 0;
}

/* Not static, so that it is verified once. */
__noinline int kv_say_unix_path(struct kv_words *w, __u64 sk)
{
	const char *name;
	__s64 len;
	char *to;

	if (!w)
		return 0;
	len = kv_unix_name((void *)sk, &name);
	if (len <= 0)
		return 0;
	kv_say(w, " path=");
	to = kv_words_room_for(w, 128);
	kv_opaque(len);
	if (!to || len <= 0 || len > KV_UNIX_NAME_MAX + 1 || bpf_probe_read_kernel(to, len, name)) {
		w->lost = true;
		return 0;
	}
	if (to[0]) {
		len--; /* the NUL at its end */
	} else {
		to[0] = '@';
	}
	w->len += len;
	return 0;
}

/* Not static, so that it is verified once. */
__noinline int kv_say_kind(struct kv_words *w, __u64 address)
{
	const struct sock *sk = (void *)address;
	__u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u32 state = kv_socket_state(family, BPF_CORE_READ(sk, __sk_common.skc_state));

	if (!w)
		return 0;
	__builtin_memset(w->name, 0, sizeof(w->name));
	kv_type_name(w->name, family, BPF_CORE_READ(sk, sk_type), BPF_CORE_READ(sk, sk_protocol));
	kv_say(w, "type=");
	kv_say_string(w, w->name);
	kv_state_name(w->name, state);
	kv_say(w, " state=");
	kv_say_string(w, w->name);
	return 0;
}

/* The text is in @w. @sk: from kv_socket_of() */
static __always_inline void kv_say_socket(struct kv_words *w, const struct sock *sk)
{
	__u64 address = kv_address(sk);

	w->len = w->lost = w->watch.steps = 0;
	kv_say_kind(w, address);
	if (sk->__sk_common.skc_family == AF_UNIX)
		kv_say_unix_path(w, address);
	else
		kv_say_ends(w, address);
}

#endif
