/* SPDX-License-Identifier: GPL-2.0-only */
/* What sockets have as numbers, by the names that ss gives them. */
#ifndef KVIEW_NAMES_H
#define KVIEW_NAMES_H

#include "kernel.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_PACKET 17
#define AF_VSOCK 40

#define TCP_ESTABLISHED 1
#define TCP_TIME_WAIT 6
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define TCP_NEW_SYN_RECV 12 /* to users it is SYN_RECV */

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_SEQPACKET 5

#define KV_NAME 12 /* a column with such a name is a char[KV_NAME] */

/* The states of TCP, which those of other families are some of. */
static __always_inline void kv_state_name(char *to, __u32 state)
{
	/* As ss has them, which knows no name for 12. */
	static const char names[16][KV_NAME] = {
		[1] = "ESTAB",	    [2] = "SYN-SENT",  [3] = "SYN-RECV", [4] = "FIN-WAIT-1",
		[5] = "FIN-WAIT-2", [6] = "TIME-WAIT", [7] = "UNCONN",	 [8] = "CLOSE-WAIT",
		[9] = "LAST-ACK",   [10] = "LISTEN",   [11] = "CLOSING", [12] = "SYN-RECV",
	};

	__builtin_memcpy(to, names[state & 15], KV_NAME);
}

/* linux/net.h: enum sock_type */
static __always_inline void kv_socket_type(char *to, __u32 type)
{
	static const char names[16][KV_NAME] = {
		[1] = "STREAM",	   [2] = "DGRAM", [3] = "RAW",	   [4] = "RDM",
		[5] = "SEQPACKET", [6] = "DCCP",  [10] = "PACKET",
	};

	__builtin_memcpy(to, names[type & 15], KV_NAME);
}

/* linux/netlink.h; the names are those of iproute2's nl_protos. */
static __always_inline void kv_netlink_name(char *to, __u32 protocol)
{
	static const char names[32][KV_NAME] = {
		"rtnl",	      "unused",	  "usersock", "fw",	"tcpdiag",   "nflog",
		"xfrm",	      "selinux",  "iscsi",    "audit",	"fiblookup", "connector",
		"nft",	      "ip6fw",	  "dec-rt",   "uevent", "genl",	     "",
		"scsi-trans", "ecryptfs", "rdma",     "crypto",
	};

	__builtin_memcpy(to, names[protocol & 31], KV_NAME);
}

#endif
