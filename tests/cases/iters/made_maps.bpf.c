// SPDX-License-Identifier: GPL-2.0-only
/* Maps whose BTF has all that a map's may have; loaded with bpftool, whose word is compared. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#pragma clang diagnostic ignored "-Wpadded"

enum color { COLOR_RED, COLOR_GREEN = 5 };

struct point {
	__u32 a;
	struct {
		short x, y;
	};
	union {
		__u32 v4;
		__u8 v6[16];
	} addr;
};

struct made_value {
	__u64 n;
	char name[16];
	enum color color;
	struct point in;
	__u32 low : 3, high : 5;
	int minus : 4;
	__u32 list[3];
	void *pointer;
	_Bool is;
	signed char small;
	__u8 mac[6];
	double real;
	long a_member_with_a_name_longer_than_a_column_of_a_view_may_have;
};

struct made_key {
	__u32 pid;
	__u8 ip[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1000);
	__type(key, struct made_key);
	__type(value, struct made_value);
} made_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, struct point);
} made_percpu SEC(".maps");

/* More than there are columns: the outer ones come first, the rest is in hex. */
struct made_large {
	__u32 first;
	__u64 many[124]; /* with the others more than KV_MAX_COLUMNS */
	struct point last;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct made_large);
} made_large SEC(".maps");

int made_counter = 7;
const volatile char made_greeting[20] = "hi\n\"x";

char _license[] SEC("license") = "GPL";

SEC("socket")
int made(void *ctx)
{
	struct made_key key = {0};
	__u32 zero = 0;

	(void)ctx;
	made_counter += bpf_map_lookup_elem(&made_hash, &key) ||
			bpf_map_lookup_elem(&made_percpu, &zero) ||
			bpf_map_lookup_elem(&made_large, &zero);
	return made_greeting[made_counter & 7];
}
