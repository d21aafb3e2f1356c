// SPDX-License-Identifier: GPL-2.0-only
/*
 * A view of a user's, for the cases: addresses, enums, bytes, lists and histograms, in the rows of the first
 * eight tasks, whichever they are.
 */
#include "kview.h"
#include "ip.h"
#include "histogram.h"

#define ROWS 8

enum fruit {
	FRUIT_APPLE,
	FRUIT_STAR_APPLE = 3,
	FRUIT_MINUS = -2,
	__FRUIT_MAX,
};

struct types_row {
	struct kv_head _head;
	__u32 n KV_ROLE(key) KV_MEANS("which row");
	struct kv_ip ip KV_MEANS("an address") KV_WIDTH(39);
	enum fruit fruit KV_MEANS("an enum") KV_NONE(2);
	enum fruit number KV_MEANS("the same as a number") KV_SHOW(dec);
	__u8 mac[6] KV_MEANS("bytes") KV_SHOW(hex);
	__u8 _pad[2];
	struct kv_str list KV_MEANS("strings") KV_SHOW(list);
	struct kv_str more KV_MEANS("the last one of them has no NUL behind") KV_SHOW(list);
	char tail[4] KV_MEANS("a string");
	__u64 sizes[5] KV_MEANS("how many are how large") KV_BUCKETS(512);
	__u64 times[3] KV_MEANS("how many took how long") KV_SHOW(seconds) KV_BUCKETS(1000);
};

KV_VIEW(types_row, "a row per type and odd value, for the cases", "5.8");

static const struct {
	char list[16];
	__u8 address[16];
	__u64 len;
} values[ROWS] = {
	{},
	{"\0\0", {}, 2},
	{"a b\0\\\"\n\0", {[15] = 1}, 8},
	{"\x1b[1m\0\xff\xc3\0", {[10] = 0xff, 0xff, 1, 2, 3, 4}, 8},
	{"{\"n\":9},\0\r\n\0", {0x20, 0x01, 0x0d, 0xb8, [9] = 1, [15] = 9}, 12},
	{"-\0\xe2\x82\0", {[0 ... 15] = 0xff}, 5},
	{"\0a\0", {}, 3},
	{"\xf0\x9f\x98\x80\0,", {}, 6},
};

static __always_inline void put_address(struct kv_ip *ip, __u32 n)
{
	if (n == 0)
		kv_ip_number(ip, 4000000000);
	else if (n == 1)
		kv_ip4(ip, __builtin_bswap32(0x7f000001) /* x86 and arm64 */);
	else if (n >= 2 && n <= 5)
		kv_ip6(ip, values[n].address);
	else if (n == 6)
		kv_ip6(ip, (void *)8); /* unreadable: no value */
	else if (n == 7)
		ip->family = KV_IP_UNREADABLE;
}

SEC("iter/task")
int column_types(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct types_row *r;
	struct kv_call c;
	int verdict = kv_begin_task(&c, ctx->meta, task, KV_PUBLIC);
	__u64 n = ctx->meta->seq_num;

	if (verdict != KV_SHOW || !task || n >= ROWS)
		return verdict & 1;
	r = kv_record(&c, struct types_row);
	r->n = n;
	put_address(&r->ip, n);
	r->fruit = n == 7 ? FRUIT_MINUS : (int)n;
	r->number = r->fruit;
	for (int i = 0; i < 6; i++)
		r->mac[i] = n * 37 + i;
	if (n) {
		kv_put_bytes(&c, &r->list, values[n].list, values[n].len);
		kv_put_bytes(&c, &r->more, values[n].list, values[n].len - 1);
	}
	r->tail[0] = 'e';
	for (__u64 i = 0; i < 16; i++) {
		kv_histogram_add(r->sizes, i * n * 64, 512);
		kv_histogram_add(r->times, 995 + i * n, 1000);
	}
	return kv_emit(&c);
}
