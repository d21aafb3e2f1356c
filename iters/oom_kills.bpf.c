// SPDX-License-Identifier: GPL-2.0-only
/* The view `oom_kills`: the processes that the kernel killed for want of memory. */
#include "kview.h"
#include "collect.h"
#include "clock.h"
#include "last_thread.h"

struct oom_kills {
	struct kv_head _head;
	__u32 pid KV_ROLE(key) KV_MEANS("process id, in the first pid namespace") KV_WIDTH(7);
	__u64 time KV_ROLE(key) KV_MEANS("when it was chosen, Unix time") KV_UNIT("s")
		KV_SHOW(seconds) KV_NONE(0);
	__u64 start_boot KV_MEANS("when it started, since boot") KV_UNIT("s") KV_SHOW(seconds)
		KV_NONE(0);
	__u32 uid KV_MEANS("real user id") KV_NONE(4294967295) KV_WIDTH(5);
	__s32 score_adj KV_MEANS("its oom_score_adj") KV_NONE(-32768) KV_WIDTH(9);
	__u32 asker KV_MEANS("process id of who asked for memory") KV_WIDTH(7);
	struct kv_str asker_comm KV_MEANS("name of the thread that asked for memory") KV_WIDTH(15);
	struct kv_str comm
		KV_MEANS("name of its first thread; - where the kernel tells its number alone");
	__u32 _pad;
};

KV_VIEW_OF_MAP(killed, oom_kills,
	       "a row per process of the last 1024 that were killed for want of memory", "6.1");

#define KEPT 1024

struct row {
	__u64 turn;	   /* 1 for the first process; 0: there is none, or it is being written */
	__u64 time, start; /* ns since boot */
	__u32 pid, uid;
	__s32 score_adj;
	__u32 asker;
	char asker_comm[KV_COMM];
	char comm[KV_COMM];
};

/* A ring: the next process takes the place of the one that was killed longest ago. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KEPT);
	__type(key, __u32);
	__type(value, struct row);
} killed SEC(".maps");

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"

struct signal_struct___oom {
	short oom_score_adj;
} __attribute__((preserve_access_index));

#pragma clang diagnostic pop

static __always_inline void fill_victim(struct row *r, const struct task_struct *task)
{
	const struct signal_struct___oom *signal = (void *)BPF_CORE_READ(task, signal);
	const struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	r->pid = BPF_CORE_READ(task, tgid);
	r->start = BPF_CORE_READ(leader, start_boottime);
	r->uid = BPF_CORE_READ(task, real_cred, uid.val);
	r->score_adj = BPF_CORE_READ(signal, oom_score_adj);
	bpf_probe_read_kernel(r->comm, KV_COMM, &leader->comm);
}

/* The victim, or its number alone: before 6.9. */
#define IS_POINTER(word) ((word) >> 32)

SEC("raw_tp/mark_victim")
int victim_is_marked(__u64 *ctx)
{
	const struct task_struct *asker = bpf_get_current_task_btf();
	__u64 turn = kv_take_number() + 1, victim = ctx[0];
	__u32 slot = (turn - 1) % KEPT;
	struct row *r = bpf_map_lookup_elem(&killed, &slot);

	if (!r)
		return 0;
	__sync_lock_test_and_set(&r->turn, 0);
	r->time = bpf_ktime_get_boot_ns();
	r->asker = asker->tgid;
	bpf_probe_read_kernel(r->asker_comm, KV_COMM, asker->comm);
	r->comm[0] = 0;
	r->start = 0;
	r->uid = -1;
	r->score_adj = -32768;
	r->pid = victim;
	if (!IS_POINTER(victim) && victim == (__u64)asker->pid)
		victim = kv_address(asker);
	if (IS_POINTER(victim))
		fill_victim(r, (void *)victim);
	__sync_lock_test_and_set(&r->turn, turn);
	return 0;
}

SEC("iter/bpf_map_elem")
int oom_kills(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct row *row = ctx->value;
	struct oom_kills *r;
	struct kv_call c;
	__u64 turn, boot;

	if (kv_begin_elem(&c, ctx->meta, row))
		return 1;
	if (!row)
		return 0;
	turn = row->turn;
	if (!turn)
		return 0;
	kv_barrier();
	r = kv_record(&c, struct oom_kills);
	boot = kv_boot_time(&c);
	r->pid = row->pid;
	r->time = boot ? boot + row->time : 0;
	r->start_boot = row->start;
	r->uid = row->uid;
	r->score_adj = row->score_adj;
	r->asker = row->asker;
	if (kv_has(oom_kills, asker_comm))
		kv_put_string(&c, &r->asker_comm, row->asker_comm);
	if (kv_has(oom_kills, comm) && row->comm[0])
		kv_put_string(&c, &r->comm, row->comm);
	kv_barrier();
	/* Another process took its place meanwhile: that one is behind the others now. */
	if (row->turn != turn)
		return KV_RETRY;
	return kv_emit(&c);
}
