/* SPDX-License-Identifier: GPL-2.0-only */
/* IP addresses of a record. One that is not set means no value. */
#ifndef KVIEW_IP_H
#define KVIEW_IP_H

#include "kview.h"

/* kv_ip4() - set an IPv4 address; @be is in network order, as the kernel keeps it (__be32) */
static __always_inline void kv_ip4(struct kv_ip *ip, __u32 be)
{
	ip->family = 4;
	__builtin_memcpy(ip->bytes, &be, sizeof(be));
}

/* kv_ip_number() - set what is shown as a number, where a column has IP addresses else */
static __always_inline void kv_ip_number(struct kv_ip *ip, __u32 number)
{
	ip->family = KV_IP_NUMBER;
	__builtin_memcpy(ip->bytes, &number, sizeof(number));
}

/*
 * kv_ip6() - set an IPv6 address; @addr is the kernel address of a struct in6_addr. If it can't
 * be read, there is no value.
 */
static __always_inline void kv_ip6(struct kv_ip *ip, const void *addr)
{
	if (!bpf_probe_read_kernel(ip->bytes, sizeof(ip->bytes), addr))
		ip->family = 6;
}

#endif
