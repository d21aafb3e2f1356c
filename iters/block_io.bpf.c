// SPDX-License-Identifier: GPL-2.0-only
/* The view `block_io`: requests to disks, by the process that was running when each was made. */
#include "kview.h"
#include "latency.h"

#define DISK_NAME 32 /* include/linux/blkdev.h: DISK_NAME_LEN */

struct io {
	char disk[DISK_NAME];
	__u64 bytes;
	__u64 errors;
	__u64 time; /* ns */
	__u64 counts[KV_LATENCIES];
};

#define KV_COUNTS struct io
#define KV_ROWS 8192
#include "process_rows.h"

/* include/linux/blk_types.h. Others are shown as numbers. */
enum op {
	OP_READ = 0,
	OP_WRITE = 1,
	OP_FLUSH = 2, /* also a write of nothing, which is what most flushes are */
	OP_DISCARD = 3,
	OP_SECURE_ERASE = 5,
	OP_WRITE_ZEROES = 9,
	OP_ZONE_OPEN = 11,
	OP_ZONE_CLOSE = 13,
	OP_ZONE_FINISH = 15,
};

#define OP_MASK 0xff

struct block_io {
	struct kv_head _head;
	KV_OWNER_COLUMNS;
	char disk[DISK_NAME] KV_ROLE(key) KV_MEANS("name of the disk") KV_WIDTH(9);
	enum op op KV_ROLE(key) KV_MEANS("read, write, flush, ...; other operations by number")
		KV_NONE(-1) KV_WIDTH(7);
	__u64 requests KV_ROLE(counter) KV_MEANS("requests that have ended") KV_WIDTH(9);
	__u64 bytes KV_ROLE(counter) KV_MEANS("of them together") KV_UNIT("bytes") KV_WIDTH(11);
	__u64 errors KV_ROLE(counter) KV_MEANS("requests that failed") KV_WIDTH(6);
	__u64 time KV_ROLE(counter) KV_MEANS("from when they were made to their ends, together")
		KV_UNIT("s") KV_SHOW(seconds);
	KV_OWNER_COMM KV_WIDTH(15);
	__u32 _pad2;
	__u64 latency[KV_LATENCIES] KV_ROLE(counter) KV_MEANS("how many of them took how long")
		KV_UNIT("s") KV_SHOW(seconds) KV_BUCKETS(KV_LATENCY_FIRST);
};

KV_VIEW_OF_PROCESS_ROWS(block_io,
			"a row per process, disk and operation: requests, bytes, latency");

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct gendisk {
	char disk_name[DISK_NAME];
};

struct request_queue {
	struct gendisk *disk;
};

struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
	unsigned int rq_flags;
	unsigned int __data_len;
	struct block_device *part;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/* A request between its beginning and its end. */
struct started {
	__u64 began; /* ns */
	__u64 turn;  /* of the row */
	__u64 bytes; /* that are done */
	__u32 place; /* of the row */
	__u16 failed;
	__u16 ends_with_bytes; /* nothing else tells the end */
};

#define STARTED_MAX 65536

/* LRU: the kernel may leave out the call that tells the end of one. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STARTED_MAX);
	__type(key, __u64); /* address of the request */
	__type(value, struct started);
} started SEC(".maps");

static __always_inline __u32 op_of(const struct request *rq)
{
	__u32 op = rq->cmd_flags & OP_MASK;

	return op == OP_WRITE && !rq->__data_len ? OP_FLUSH : op;
}

/* A number of a device is another disk's later. */
static __always_inline __u64 kind_of(const __u64 disk[DISK_NAME / 8], __u32 op)
{
	__u64 hash = 0;

	for (int i = 0; i < DISK_NAME / 8; i++)
		hash = (hash ^ disk[i]) * 0x9e3779b97f4a7c15;
	return hash << 8 | op;
}

static __always_inline void begins(const struct request *rq, bool ends_with_bytes)
{
	const struct gendisk *disk = rq->q->disk;
	struct started s = {.ends_with_bytes = ends_with_bytes};
	__u64 address = kv_address(rq), name[DISK_NAME / 8] = {};
	struct kv_row *row;

	if (!disk) /* a command to the controller, or the disk goes */
		return;
	bpf_probe_read_kernel_str(name, DISK_NAME, disk->disk_name);
	s.place = kv_row_place(bpf_get_current_task_btf(), kind_of(name, op_of(rq)));
	row = bpf_map_lookup_elem(&kv_rows, &s.place);
	if (!row)
		return;
	if (s.place && !row->counts.disk[0])
		__builtin_memcpy(row->counts.disk, name, DISK_NAME);
	s.turn = row->turn;
	s.began = bpf_ktime_get_ns();
	/* The end of the request that was at this address before was not told: see kview(1). */
	if (bpf_map_lookup_elem(&started, &address))
		kv_dropped();
	bpf_map_update_elem(&started, &address, &s, BPF_ANY);
}

static __always_inline void ends(const struct request *rq)
{
	__u64 address = kv_address(rq), time;
	struct started *s = bpf_map_lookup_elem(&started, &address);
	struct kv_row *row;
	struct io *io;

	if (!s)
		return;
	row = bpf_map_lookup_elem(&kv_rows, &s->place);
	/* The process may have ended, and the place be another's. */
	io = kv_row_counts(row && row->turn == s->turn ? s->place : 0);
	if (io) {
		time = bpf_ktime_get_ns() - s->began;
		__sync_fetch_and_add(&io->bytes, s->bytes);
		__sync_fetch_and_add(&io->errors, s->failed);
		__sync_fetch_and_add(&io->time, time);
		kv_histogram_add(io->counts, time, KV_LATENCY_FIRST);
	}
	bpf_map_delete_elem(&started, &address);
}

SEC("tp_btf/block_io_start")
int io_begins(__u64 *ctx)
{
	begins((void *)ctx[0], false);
	return 0;
}

enum rqf_flags___io {
	__RQF_FLUSH_SEQ___io = 1,
};

/* Of slab caches, and as old as the change of the bit. */
struct kmem_cache_args___since_6_12 {
	unsigned int align;
} __attribute__((preserve_access_index));

/* RQF_FLUSH_SEQ: bit 4, since 6.12 bit 1 by an enum, which got a name later. */
static __always_inline bool is_to_be_flushed(const struct request *rq)
{
	__u32 bit = 4;

	if (bpf_core_enum_value_exists(enum rqf_flags___io, __RQF_FLUSH_SEQ___io))
		bit = bpf_core_enum_value(enum rqf_flags___io, __RQF_FLUSH_SEQ___io);
	else if (bpf_core_type_exists(struct kmem_cache_args___since_6_12))
		bit = 1;
	return rq->rq_flags >> (bit & 31) & 1;
}

/* Where the disk writes its cache before and behind a request, each step of that is told. */
SEC("tp_btf/block_io_done")
int io_ends(__u64 *ctx)
{
	const struct request *rq = (void *)ctx[0];

	if (!is_to_be_flushed(rq))
		ends(rq);
	return 0;
}

/*
 * Before 6.5 there are no such tracepoints. A request is seen when it comes to the scheduler, or if
 * there is none to the driver, unless it is none that the kernel counts. The last of its bytes
 * is its end.
 */
SEC("?tp_btf/block_rq_insert")
int io_is_scheduled(__u64 *ctx)
{
	const struct request *rq = (void *)ctx[0];

	if (rq->part)
		begins(rq, true);
	return 0;
}

SEC("?tp_btf/block_rq_issue")
int io_is_issued(__u64 *ctx)
{
	const struct request *rq = (void *)ctx[0];
	__u64 address = kv_address(rq);

	if (rq->part && !bpf_map_lookup_elem(&started, &address))
		begins(rq, true);
	return 0;
}

/* A request may be done in parts. */
SEC("tp_btf/block_rq_complete")
int part_ends(__u64 *ctx)
{
	const struct request *rq = (void *)ctx[0];
	__u64 address = kv_address(rq);
	struct started *s = bpf_map_lookup_elem(&started, &address);
	__u32 bytes = ctx[2];

	if (!s)
		return 0;
	s->bytes += bytes;
	s->failed |= !!(__u8)ctx[1];
	if (s->ends_with_bytes && bytes >= rq->__data_len)
		ends(rq);
	return 0;
}

/* Another one does its work: that one ends, this one never does. */
SEC("tp_btf/block_rq_merge")
int is_merged(__u64 *ctx)
{
	__u64 address = kv_address((void *)ctx[0]);

	bpf_map_delete_elem(&started, &address);
	return 0;
}

KV_SHOW_PROCESS_ROWS(block_io)
{
	__builtin_memcpy(r->disk, row->counts.disk, DISK_NAME);
	r->op = row->owner ? row->key.kind & OP_MASK : -1U;
	r->bytes = row->counts.bytes;
	r->errors = row->counts.errors;
	r->time = row->counts.time;
	for (int i = 0; i < KV_LATENCIES; i++) {
		__u64 n = row->counts.counts[i];

		r->latency[i] = n;
		r->requests += n;
	}
}
