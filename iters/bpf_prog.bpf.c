// SPDX-License-Identifier: GPL-2.0-only
/* The view `bpf_prog`: a row per BPF program, as `bpftool prog`. */
#include "kview.h"
#include "clock.h"
#include "percpu.h"
#include "process.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* the real layout is the kernel's */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct btf {
	__u32 id;
};

struct user_struct {
	kuid_t uid;
};

struct bpf_prog_aux {
	__u32 id;
	__u32 func_cnt;
	struct bpf_prog **func;
	struct user_struct *user;
	__u64 load_time;
	__u32 verified_insns;
	char name[16];
	struct btf *btf;
};

struct u64_stats { /* u64_stats_t: 8 bytes */
	__u64 value;
};

struct bpf_prog_stats {
	struct u64_stats cnt;
	struct u64_stats nsecs;
};

struct bpf_prog {
	__u16 pages;
	enum bpf_prog_type type;
	__u32 len;
	__u32 jited_len;
	__u8 tag[8];
	struct bpf_prog_stats *stats;
	struct bpf_prog_aux *aux;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

struct bpf_iter__bpf_prog {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct bpf_prog, prog);
};

/* enum bpf_prog_type as of Linux 7.2: the headers of the build may know fewer. */
enum prog_type {
	PROG_UNSPEC = 0,
	PROG_SOCKET_FILTER = 1,
	PROG_KPROBE = 2,
	PROG_SCHED_CLS = 3,
	PROG_SCHED_ACT = 4,
	PROG_TRACEPOINT = 5,
	PROG_XDP = 6,
	PROG_PERF_EVENT = 7,
	PROG_CGROUP_SKB = 8,
	PROG_CGROUP_SOCK = 9,
	PROG_LWT_IN = 10,
	PROG_LWT_OUT = 11,
	PROG_LWT_XMIT = 12,
	PROG_SOCK_OPS = 13,
	PROG_SK_SKB = 14,
	PROG_CGROUP_DEVICE = 15,
	PROG_SK_MSG = 16,
	PROG_RAW_TRACEPOINT = 17,
	PROG_CGROUP_SOCK_ADDR = 18,
	PROG_LWT_SEG6LOCAL = 19,
	PROG_LIRC_MODE2 = 20,
	PROG_SK_REUSEPORT = 21,
	PROG_FLOW_DISSECTOR = 22,
	PROG_CGROUP_SYSCTL = 23,
	PROG_RAW_TRACEPOINT_WRITABLE = 24,
	PROG_CGROUP_SOCKOPT = 25,
	PROG_TRACING = 26,
	PROG_STRUCT_OPS = 27,
	PROG_EXT = 28,
	PROG_LSM = 29,
	PROG_SK_LOOKUP = 30,
	PROG_SYSCALL = 31,
	PROG_NETFILTER = 32,
};

struct bpf_prog_row {
	struct kv_head _head;
	__u32 id KV_ROLE(key) KV_MEANS("id of the program") KV_WIDTH(6);
	enum prog_type type KV_MEANS("BPF_PROG_TYPE_, by name") KV_WIDTH(16);
	char name[16] KV_MEANS("name, cut at 15 bytes");
	__u8 tag[8] KV_MEANS("hash of its instructions") KV_SHOW(hex);
	__u32 uid KV_MEANS("user who loaded it") KV_WIDTH(5);
	__u64 loaded KV_MEANS("when it was loaded, Unix time") KV_UNIT("s") KV_SHOW(seconds);
	__u32 jited KV_ROLE(gauge) KV_MEANS("machine code; 0: it is interpreted") KV_UNIT("bytes")
		KV_WIDTH(7);
	__u32 xlated KV_ROLE(gauge) KV_MEANS("instructions as the verifier left them")
		KV_UNIT("bytes") KV_WIDTH(7);
	__u32 verified_insns KV_MEANS("instructions that the verifier went through");
	__u32 btf_id KV_MEANS("id of its BTF") KV_NONE(0) KV_WIDTH(6);
	__u64 memory KV_ROLE(gauge) KV_MEANS("memory of its instructions, in whole pages")
		KV_UNIT("bytes") KV_WIDTH(8);
	__u64 run_time KV_ROLE(counter) KV_MEANS("time it ran while kernel.bpf_stats_enabled was 1")
		KV_UNIT("s") KV_SHOW(seconds);
	__u64 run_cnt KV_ROLE(counter) KV_MEANS("runs while kernel.bpf_stats_enabled was 1")
		KV_WIDTH(9);
};

KV_VIEW(bpf_prog_row, "a row per BPF program: type, sizes, runs", "5.9");

#define HAS(column) kv_has(bpf_prog_row, column)

#define MAX_FUNCS 256 /* BPF_MAX_SUBPROGS */
#define MAX_CPUS 8192 /* the largest NR_CPUS */

struct sum {
	const struct bpf_prog_aux *aux;
	__u64 jited;
	__u64 stats; /* per-CPU pointer, less that of kv_percpu */
	__u64 count, time;
};

static long add_func(__u64 i, struct sum *s)
{
	const struct bpf_prog_aux *aux = s->aux;
	struct bpf_prog **funcs = BPF_CORE_READ(aux, func), *func = NULL;

	if (bpf_probe_read_kernel(&func, sizeof(func), funcs + i))
		return 1;
	s->jited += BPF_CORE_READ(func, jited_len);
	return 0;
}

/* Machine code is in the functions, if there are several: bpf_prog_get_info_by_fd(). */
static __always_inline __u32 jited(const struct bpf_prog *prog, struct sum *s)
{
	const struct bpf_prog_aux *aux = s->aux;
	__u32 n = BPF_CORE_READ(aux, func_cnt);

	if (!n)
		return prog->jited_len;
	bpf_loop(n < MAX_FUNCS ? n : MAX_FUNCS, add_func, s, 0);
	return s->jited;
}

static long add_cpu(__u64 i, struct sum *s)
{
	__u64 part = kv_percpu_part(i);
	const struct bpf_prog_stats *stats = (void *)(s->stats + part);
	__u64 count = 0, time = 0;

	if (!part)
		return 1;
	bpf_core_read(&count, sizeof(count), &stats->cnt);
	bpf_core_read(&time, sizeof(time), &stats->nsecs);
	s->count += count;
	s->time += time;
	return 0;
}

static __always_inline void put_runs(struct bpf_prog_row *r, const struct bpf_prog *prog,
				     struct sum *s)
{
	if (!HAS(run_cnt) && !HAS(run_time))
		return;
	s->stats = (__u64)BPF_CORE_READ(prog, stats) - kv_percpu_base();
	bpf_loop(MAX_CPUS, add_cpu, s, 0);
	r->run_cnt = s->count;
	r->run_time = s->time;
}

SEC("iter/bpf_prog")
int bpf_prog(struct bpf_iter__bpf_prog *ctx)
{
	struct bpf_prog *prog = ctx->prog;
	const struct bpf_prog_aux *aux;
	struct sum s = {};
	struct bpf_prog_row *r;
	struct kv_call c;

	if (kv_begin(&c, ctx->meta, prog))
		return 1;
	if (!prog)
		return 0;
	s.aux = aux = prog->aux;
	r = kv_record(&c, struct bpf_prog_row);
	r->id = prog->aux->id;
	kv_set(r, type, (enum prog_type)prog->type);
	if (HAS(name))
		bpf_core_read(r->name, sizeof(r->name), &aux->name); /* never changes */
	if (HAS(tag))
		bpf_core_read(r->tag, sizeof(r->tag), &prog->tag);
	kv_set(r, uid, kv_uid(&c, BPF_CORE_READ(aux, user, uid.val)));
	kv_set(r, loaded, kv_boot_time(&c) + prog->aux->load_time);
	kv_set(r, jited, jited(prog, &s));
	kv_set(r, xlated, prog->len * 8);
	kv_set(r, verified_insns, prog->aux->verified_insns);
	kv_set(r, btf_id, BPF_CORE_READ(aux, btf, id));
	kv_set(r, memory, (__u64)prog->pages << kv_table()->page_shift);
	put_runs(r, prog, &s);
	return kv_emit(&c);
}
