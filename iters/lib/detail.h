/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a descriptor of an anonymous file is about: the words of lsfd(1), and where it has none,
 * those of /proc/PID/fdinfo. The iterator holds the file, and the file what is behind it.
 */
#ifndef KVIEW_DETAIL_H
#define KVIEW_DETAIL_H

#include "bpf_words.h"
#include "socket_words.h"
#include "timerfd.h"
#include "watched.h"

#define ANON_INODE_FS_MAGIC 0x09041934
#define HUGETLBFS_MAGIC 0x958458f6
#define PID_FS_MAGIC 0x50494446
#define TMPFS_MAGIC 0x01021994
#define SB_KERNMOUNT (1UL << 22)

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* the real layout is the kernel's */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block___flags {
	unsigned long s_flags;
};

struct file___private {
	void *private_data;
};

struct inode___private {
	void *i_private;
};

struct hlist_head {
	void *first;
};

struct pid___tasks {
	struct hlist_head tasks[1];
};

struct eventfd_ctx {
	__u64 count;
	unsigned int flags;
	int id;
};

struct signalfd_ctx {
	struct sigset sigmask;
};

struct fanotify_group_private_data {
	int flags;
	int f_flags;
};

struct fsnotify_group___fanotify {
	struct fanotify_group_private_data fanotify_data;
};

struct userfaultfd_ctx {
	unsigned int features;
};

struct io_ring_ctx {
	unsigned int sq_entries;
	unsigned int cq_entries;
};

struct shmem_inode_info {
	unsigned int seals;
	struct inode vfs_inode;
};

struct hugetlbfs_inode_info {
	struct inode vfs_inode;
	unsigned int seals;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/* --- processes --- */

static long kv_add_nspid(__u64 i, struct kv_words **words)
{
	struct kv_words *w = *words;
	struct upid upid = {};

	if (w->watch.node >= w->watch.most)
		return 1;
	kv_pid_at((void *)w->watch.owner, ++w->watch.node, &upid);
	kv_say(w, ",");
	kv_say_number(w, upid.nr);
	return 0;
}

/*
 * pidfd_show_fdinfo(): the number in the reader's namespace, 0 if it has none there, -1 if the
 * process or thread has been reaped; then those in the namespaces below.
 */
static __always_inline void kv_say_pid(struct kv_words *w, const struct pid *pid, __u64 level,
				       __u64 ns)
{
	const struct pid___tasks *of = (void *)pid;
	long long nr = -1;

	if (!kv_knows(pid___tasks, tasks) || !kv_knows(hlist_head, first))
		return;
	if (BPF_CORE_READ(of, tasks[0].first)) {
		struct upid first = {};

		kv_pid_at(pid, 0, &first);
		nr = level ? kv_pid_in(pid, level, ns) : first.nr;
	}
	kv_say(w, "pid=");
	kv_say_signed(w, nr);
	kv_say(w, " nspid=");
	kv_say_signed(w, nr);
	if (nr <= 0)
		return;
	w->watch.owner = (__u64)pid;
	w->watch.node = level;
	w->watch.most = BPF_CORE_READ(pid, level);
	bpf_loop(KV_USER_NS_DEPTH, kv_add_nspid, &w, 0);
}

/* --- counters, signals --- */

#define EFD_SEMAPHORE 1

static __always_inline void kv_say_eventfd(struct kv_words *w, const struct eventfd_ctx *ctx)
{
	if (!kv_knows(eventfd_ctx, count) || !kv_knows(eventfd_ctx, flags) ||
	    !kv_knows(eventfd_ctx, id))
		return;
	kv_say(w, "id=");
	kv_say_signed(w, BPF_CORE_READ(ctx, id));
	kv_say(w, " count=");
	kv_say_number(w, BPF_CORE_READ(ctx, count));
	kv_say(w, " semaphore=");
	kv_say_number(w, BPF_CORE_READ(ctx, flags) & EFD_SEMAPHORE);
}

static long kv_add_signal(__u64 i, struct kv_words **words)
{
	static const char names[32][8] = {
		"",	  "HUP",  "INT",    "QUIT", "ILL",   "TRAP", "ABRT", "BUS",
		"FPE",	  "KILL", "USR1",   "SEGV", "USR2",  "PIPE", "ALRM", "TERM",
		"STKFLT", "CHLD", "CONT",   "STOP", "TSTP",  "TTIN", "TTOU", "URG",
		"XCPU",	  "XFSZ", "VTALRM", "PROF", "WINCH", "IO",   "PWR",  "SYS",
	};
	struct kv_words *w = *words;
	__u64 signal = i + 1;

	if (!(w->mask >> (i & 63) & 1))
		return 0;
	if (w->watch.seen)
		kv_say(w, ",");
	w->watch.seen = true;
	if (signal < 32)
		kv_say_string(w, names[signal & 31]);
	else
		kv_say_number(w, signal);
	return 0;
}

/* The context holds the signals that it does not take. */
static __always_inline void kv_say_signalfd(struct kv_words *w, const struct signalfd_ctx *ctx)
{
	if (!bpf_core_field_exists(ctx->sigmask.sig))
		return;
	w->mask = ~BPF_CORE_READ(ctx, sigmask.sig[0]);
	w->watch.seen = false;
	kv_say(w, "mask=");
	bpf_loop(64, kv_add_signal, &w, 0);
}

/* --- watches, rings, faults --- */

#define FANOTIFY_INTERNAL_FLAGS 0x80000000U

static __always_inline void kv_say_fanotify(struct kv_words *w, const void *group)
{
	const struct fsnotify_group___fanotify *fanotify = group;

	if (!kv_knows(fsnotify_group___fanotify, fanotify_data) ||
	    !kv_knows(fanotify_group_private_data, flags) ||
	    !kv_knows(fanotify_group_private_data, f_flags))
		return;
	kv_say(w, "flags=");
	kv_say_hex(w, BPF_CORE_READ(fanotify, fanotify_data.flags) & ~FANOTIFY_INTERNAL_FLAGS, 1);
	kv_say(w, " event-flags=");
	kv_say_hex(w, (__u32)BPF_CORE_READ(fanotify, fanotify_data.f_flags), 1);
}

static __always_inline void kv_say_io_uring(struct kv_words *w, const struct io_ring_ctx *ctx)
{
	if (!kv_knows(io_ring_ctx, sq_entries) || !kv_knows(io_ring_ctx, cq_entries))
		return;
	kv_say(w, "sq_entries=");
	kv_say_number(w, BPF_CORE_READ(ctx, sq_entries));
	kv_say(w, " cq_entries=");
	kv_say_number(w, BPF_CORE_READ(ctx, cq_entries));
}

static __always_inline void kv_say_userfaultfd(struct kv_words *w,
					       const struct userfaultfd_ctx *ctx)
{
	if (!kv_knows(userfaultfd_ctx, features))
		return;
	kv_say(w, "features=");
	kv_say_hex(w, BPF_CORE_READ(ctx, features), 1);
}

/* --- memory --- */

static long kv_add_seal(__u64 i, struct kv_words **words)
{
	static const char names[8][16] = {"seal",  "shrink",	   "grow",
					  "write", "future-write", "exec"};
	struct kv_words *w = *words;

	if (!(w->mask >> (i & 63) & 1))
		return 0;
	if (w->watch.seen)
		kv_say(w, ",");
	w->watch.seen = true;
	if (names[i & 7][0])
		kv_say_string(w, names[i & 7]);
	else
		kv_say_hex(w, 1 << (i & 7), 1); /* younger than kview */
	return 0;
}

/* What F_GET_SEALS says. */
static __always_inline void kv_say_memfd(struct kv_words *w, const struct inode *inode, __u64 magic)
{
	const struct hugetlbfs_inode_info *huge;
	const struct shmem_inode_info *shmem;

	if (magic == TMPFS_MAGIC) {
		if (!kv_knows(shmem_inode_info, seals) || !kv_knows(shmem_inode_info, vfs_inode))
			return;
		shmem = (void *)inode - bpf_core_field_offset(struct shmem_inode_info, vfs_inode);
		w->mask = BPF_CORE_READ(shmem, seals);
	} else {
		if (!kv_knows(hugetlbfs_inode_info, seals) ||
		    !kv_knows(hugetlbfs_inode_info, vfs_inode))
			return;
		huge = (void *)inode -
		       bpf_core_field_offset(struct hugetlbfs_inode_info, vfs_inode);
		w->mask = BPF_CORE_READ(huge, seals);
	}
	w->watch.seen = false;
	kv_say(w, "seals=");
	bpf_loop(8, kv_add_seal, &w, 0);
}

/* --- all --- */

/* By two words, since the verifier follows each comparison. */
#define KV_IS_NAMED(w, literal)                                    \
	({                                                         \
		const char _padded[16] = literal;                  \
		__u64 _want[2], _is[2];                            \
                                                                   \
		_Static_assert(sizeof(literal) <= 16, "too long"); \
		__builtin_memcpy(_want, _padded, sizeof(_want));   \
		__builtin_memcpy(_is, (w)->name, sizeof(_is));     \
		!((_is[0] ^ _want[0]) | (_is[1] ^ _want[1]));      \
	})

/* By the beginning of its name. */
static __always_inline bool kv_is_memfd(struct kv_words *w)
{
	const int len = sizeof("memfd:") - 1;

	__builtin_memset(w->name + len, 0, sizeof(w->name) - len);
	return KV_IS_NAMED(w, "memfd:");
}

/* A file of anon_inodefs, whose names the kernel gives. */
static __always_inline void kv_say_anonymous(struct kv_words *w, const void *data, __u64 level,
					     __u64 ns)
{
	if (KV_IS_NAMED(w, "[eventfd]"))
		kv_say_eventfd(w, data);
	else if (KV_IS_NAMED(w, "[eventpoll]") && kv_knows_epoll())
		kv_say_epoll(w, data);
	else if (KV_IS_NAMED(w, "[timerfd]"))
		kv_say_timerfd(w, data);
	else if (KV_IS_NAMED(w, "[signalfd]"))
		kv_say_signalfd(w, data);
	else if (KV_IS_NAMED(w, "[pidfd]"))
		kv_say_pid(w, data, level, ns);
	else if (KV_IS_NAMED(w, "inotify") && kv_knows_marks())
		kv_say_marks(w, data);
	else if (KV_IS_NAMED(w, "[fanotify]"))
		kv_say_fanotify(w, data);
	else if (KV_IS_NAMED(w, "[io_uring]"))
		kv_say_io_uring(w, data);
	else if (KV_IS_NAMED(w, "[userfaultfd]"))
		kv_say_userfaultfd(w, data);
	else if (KV_IS_NAMED(w, "bpf-map"))
		kv_say_bpf_map(w, data);
	else if (KV_IS_NAMED(w, "bpf-prog"))
		kv_say_bpf_prog(w, data);
	else if (KV_IS_NAMED(w, "bpf_link"))
		kv_say_bpf_link(w, data);
	else if (KV_IS_NAMED(w, "btf"))
		kv_say_btf(w, data);
}

/* Not static, so that it is verified once (see kv_find_pid()): few files have a detail. */
__noinline int kv_make_detail(__u64 address, __u64 magic, __u64 level, __u64 ns)
{
	const struct file *file = (void *)address;
	const struct file___private *own = (void *)address;
	const struct inode *inode = BPF_CORE_READ(file, f_inode);
	const struct inode___private *inode_own = (void *)inode;
	struct kv_words *w = kv_of_thread(kv_words, bpf_get_current_task_btf());

	if (!w)
		return -1;
	w->len = w->lost = w->watch.steps = 0;
	__builtin_memset(w->name, 0, sizeof(w->name));
	bpf_probe_read_kernel_str(w->name, sizeof(w->name),
				  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	if (magic == ANON_INODE_FS_MAGIC)
		kv_say_anonymous(w, BPF_CORE_READ(own, private_data), level, ns);
	else if (magic == PID_FS_MAGIC)
		kv_say_pid(w, BPF_CORE_READ(inode_own, i_private), level, ns);
	else if (kv_is_memfd(w))
		kv_say_memfd(w, inode, magic);
	return 0;
}

/* In a mount that the kernel made for itself, files have the names that it gives. */
static __always_inline bool kv_may_be_memfd(const struct file *file, unsigned long magic)
{
	const struct super_block___flags *sb;

	if (magic != TMPFS_MAGIC && magic != HUGETLBFS_MAGIC)
		return false;
	sb = (void *)file->f_inode->i_sb;
	return (sb->s_flags & SB_KERNMOUNT) != 0; /* bool is a byte */
}

/**
 * kv_put_detail() - append what a file that is held is about, if it is of a kind that has a detail
 * @magic: of its file system, which is all that most files are asked for
 */
static __always_inline void kv_put_detail(struct kv_call *c, struct kv_str *s, struct file *file,
					  unsigned long magic)
{
	const struct sock *sk = NULL;
	struct kv_words *w;

	if (magic == SOCKFS_MAGIC)
		sk = kv_socket_of(file);
	if (!sk && magic != ANON_INODE_FS_MAGIC && magic != PID_FS_MAGIC &&
	    !kv_may_be_memfd(file, magic))
		return;
	w = kv_of_thread(kv_words, bpf_get_current_task_btf());
	if (w && sk)
		kv_say_socket(w, sk);
	else if (!w || kv_make_detail(kv_address(file), magic, c->pid_ns_level, c->pid_ns))
		c->scratch->lost = true;
	if (!w)
		return;
	if (w->lost)
		s->off = KV_STR_UNREADABLE;
	else if (w->len)
		kv_put_bytes(c, s, w->text, w->len);
	if (w->watch.steps > KV_WATCH_LONG)
		kv_look_soon(c->scope);
}

#endif
