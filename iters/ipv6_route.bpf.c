// SPDX-License-Identifier: GPL-2.0-only
/*
 * The view `ipv6_route`: what /proc/net/ipv6_route and `ip -6 route show table all` show, a row per
 * IPv6 route of a network namespace.
 */
#include "net.h"
#include "ip.h"

#define TYPE 12

struct route_row {
	struct kv_head _head;
	struct kv_ip dst KV_ROLE(key) KV_MEANS("destination") KV_WIDTH(24);
	__u32 prefix KV_ROLE(key) KV_MEANS("bits of it that count") KV_WIDTH(6);
	struct kv_ip from KV_ROLE(key) KV_MEANS("source that it is for, if not for all")
		KV_WIDTH(8);
	__u32 from_prefix KV_ROLE(key) KV_MEANS("bits of it that count") KV_NONE(0) KV_WIDTH(11);
	struct kv_ip gateway KV_ROLE(key) KV_MEANS("next hop") KV_WIDTH(24);
	struct kv_ip prefsrc KV_MEANS("source address that is preferred") KV_WIDTH(24);
	__u32 ifindex KV_ROLE(key) KV_MEANS("interface") KV_NONE(0) KV_WIDTH(7);
	char type[TYPE] KV_MEANS("unicast, local, unreachable, ..., as ip names it") KV_WIDTH(11);
	__u32 table KV_ROLE(key) KV_MEANS("routing table: 254 is main, 255 local") KV_WIDTH(5);
	__u32 protocol KV_MEANS("who made it, RTPROT_: 2 kernel, 3 boot, 4 static, 9 ra")
		KV_WIDTH(8);
	__u32 metric KV_ROLE(key) KV_MEANS("metric: the lowest wins") KV_WIDTH(10);
	__u32 flags KV_MEANS("RTF_ flags, in hex") KV_SHOW(hex) KV_WIDTH(8);
	__u32 refs KV_ROLE(gauge) KV_MEANS("references to it") KV_WIDTH(4);
	__u32 nhid KV_MEANS("nexthop object; of a group the first next hop is shown") KV_NONE(0)
		KV_WIDTH(5);
	struct kv_str dev KV_MEANS("name of the interface");
};

KV_VIEW(route_row, "a row per IPv6 route of the network namespace: destination, next hop, table",
	"5.8");

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct rt6key {
	struct in6_addr addr;
	int plen;
};

struct fib6_table {
	__u32 tb6_id;
};

union kv_gateway { /* an unnamed union */
	struct in6_addr ipv6;
};

struct fib_nh_common {
	struct net_device *nhc_dev;
	__u8 nhc_gw_family;
	union kv_gateway nhc_gw;
};

struct fib6_nh {
	struct fib_nh_common nh_common;
};

struct nh_info {
	__u8 family;
	struct fib6_nh fib6_nh;
};

struct nh_grp_entry {
	struct nexthop *nh;
};

struct nh_group {
	struct nh_grp_entry nh_entries[1];
};

struct nexthop {
	__u32 id;
	bool is_group;
	struct nh_info *nh_info;
	struct nh_group *nh_grp;
};

struct fib6_info {
	struct fib6_table *fib6_table;
	refcount_t fib6_ref;
	struct rt6key fib6_dst;
	struct rt6key fib6_src;
	struct rt6key fib6_prefsrc;
	__u32 fib6_flags;
	__u32 fib6_metric;
	__u8 fib6_protocol;
	__u8 fib6_type;
	struct nexthop *nh;
	struct fib6_nh fib6_nh[1];
};

#pragma clang attribute pop

struct bpf_iter__ipv6_route {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct fib6_info, rt);
};

#pragma clang diagnostic pop

#define RTF_GATEWAY 2
#define AF_INET6 10

static __always_inline void put_type(struct route_row *r, __u32 type)
{
	/* RTN_ numbers, in the words of ip. */
	static const char names[16][TYPE] = {
		"none",	     "unicast",	    "local",	"broadcast", "anycast", "multicast",
		"blackhole", "unreachable", "prohibit", "throw",     "nat",	"xresolve",
	};

	__builtin_memcpy(r->type, names[type & 15], sizeof(r->type));
}

/* A nexthop's own data, or that of the first of a group: nexthop_fib6_nh(). */
static __always_inline const struct fib6_nh *next_hop_of_object(const struct nexthop *nh)
{
	const struct nh_info *info;

	if (BPF_CORE_READ(nh, is_group))
		nh = BPF_CORE_READ(nh, nh_grp, nh_entries[0].nh);
	info = BPF_CORE_READ(nh, nh_info);
	if (BPF_CORE_READ(info, family) != AF_INET6)
		return NULL;
	return (void *)info + bpf_core_field_offset(struct nh_info, fib6_nh);
}

static __always_inline void put_next_hop(struct kv_call *c, struct route_row *r,
					 const struct fib6_nh *nh)
{
	const struct net_device *dev = BPF_CORE_READ(nh, nh_common.nhc_dev);

	if (BPF_CORE_READ(nh, nh_common.nhc_gw_family)) {
		r->flags |= RTF_GATEWAY; /* as rt6_flags2str(): it is not stored */
		kv_ip6(&r->gateway, &nh->nh_common.nhc_gw.ipv6);
	}
	if (!dev)
		return;
	r->ifindex = BPF_CORE_READ(dev, ifindex);
	kv_put_chars(c, &r->dev, dev->name);
}

static __always_inline void put_key(struct kv_ip *ip, __u32 *prefix, const struct rt6key *key)
{
	*prefix = key->plen;
	if (*prefix)
		kv_ip6(ip, &key->addr);
}

/* The iterator holds the lock of the table. */
SEC("iter/ipv6_route")
int ipv6_route(struct bpf_iter__ipv6_route *ctx)
{
	struct fib6_info *rt = ctx->rt;
	const struct fib6_nh *nh;
	struct nexthop *object;
	struct route_row *r;
	struct kv_call c;
	__u32 unused;

	if (kv_begin_net(&c, ctx->meta, rt))
		return 1;
	if (!rt)
		return 0;
	r = kv_record(&c, struct route_row);
	r->prefix = rt->fib6_dst.plen;
	kv_ip6(&r->dst, &rt->fib6_dst.addr);
	put_key(&r->from, &r->from_prefix, &rt->fib6_src);
	put_key(&r->prefsrc, &unused, &rt->fib6_prefsrc);
	put_type(r, rt->fib6_type);
	kv_set(r, table, BPF_CORE_READ(rt, fib6_table, tb6_id));
	r->protocol = rt->fib6_protocol;
	r->metric = rt->fib6_metric;
	r->flags = rt->fib6_flags;
	kv_set(r, refs, rt->fib6_ref.refs.counter);
	object = rt->nh;
	nh = object ? next_hop_of_object(object)
		    : (void *)(kv_address(rt) + bpf_core_field_offset(struct fib6_info, fib6_nh));
	if (object)
		r->nhid = BPF_CORE_READ(object, id);
	if (nh)
		put_next_hop(&c, r, nh);
	return kv_emit(&c);
}
