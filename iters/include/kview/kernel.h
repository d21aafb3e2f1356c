/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few kernel structs that the views read, with only the members they read.
 * preserve_access_index makes libbpf put the running kernel's offsets in at
 * load, so order and neighbours do not matter here. Where a member moved or
 * was renamed between kernels, the variants live in compat.h.
 */
#ifndef KVIEW_KERNEL_H
#define KVIEW_KERNEL_H

#ifndef __VMLINUX_H__ /* bpftool's vmlinux.h has them all, if it is included before */

#include <linux/bpf.h>
#include <linux/types.h>

typedef __u8 bool;
#define true 1
#define false 0
#define NULL ((void *)0)

struct dentry;
struct vm_area_struct;

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* the real layout is the kernel's */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next, *prev;
};

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	long counter;
} atomic64_t;

/* --- file systems --- */

struct qstr {
	__u64 hash_len;
	const unsigned char *name;
};

struct file_system_type {
	const char *name;
};

struct super_block {
	__u32 s_dev;
	struct file_system_type *s_type;
	void *s_fs_info;
	unsigned long s_magic;
};

struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	__u64 i_blocks;
	__u16 i_bytes; /* beyond these */
	__u8 i_blkbits;
	long long i_size;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

typedef struct {
	unsigned int sequence;
} seqcount_t;

typedef struct {
	seqcount_t seqcount;
} seqcount_spinlock_t;

struct dentry_operations {
	char *(*d_dname)(struct dentry *dentry, char *buf, int len);
};

struct dentry {
	seqcount_spinlock_t d_seq;
	struct hlist_bl_node d_hash;
	const struct dentry_operations *d_op;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
	void *d_fsdata;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	int mnt_id;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	unsigned int f_mode;
	struct inode *f_inode;
	unsigned int f_flags;
	struct path f_path;
	long long f_pos;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *close_on_exec;
	unsigned long *open_fds;
};

struct files_struct {
	atomic_t count;
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

/* --- processes --- */

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct tty_driver {
	int major;
};

struct tty_struct {
	struct tty_driver *driver;
	char name[64];
};

struct hrtimer_clock_base {
	struct hrtimer_cpu_base *cpu_base;
	int clockid;
	__s64 offset;
};

struct hrtimer_cpu_base {
	unsigned int cpu;
	struct hrtimer_clock_base clock_base[3];
};

struct hrtimer {
	struct hrtimer_clock_base *base;
};

struct signal_struct {
	int nr_threads;
	struct hrtimer real_timer;
	struct list_head thread_head;
	struct pid *pids[4];
	struct tty_struct *tty;
};

struct uid_gid_extent {
	__u32 first;
	__u32 lower_first;
	__u32 count;
};

struct uid_gid_map {
	__u32 nr_extents;
	struct uid_gid_extent extent[5];
	struct uid_gid_extent *forward;
	struct uid_gid_extent *reverse;
};

struct user_namespace {
	struct uid_gid_map uid_map;
	struct uid_gid_map gid_map;
	struct user_namespace *parent;
	int level;
	kuid_t owner;
	struct ns_common ns;
};

struct kv_kernel_caps { /* kernel_cap_t, whose inside changed: see compat.h */
	__u64 raw;
};

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kgid_t sgid;
	kuid_t euid;
	kgid_t egid;
	kuid_t fsuid;
	kgid_t fsgid;
	struct kv_kernel_caps cap_permitted;
	struct kv_kernel_caps cap_effective;
	struct user_namespace *user_ns;
};

struct sched_entity {
	__u64 sum_exec_runtime;
};

struct prev_cputime {
	__u64 utime;
	__u64 stime;
};

struct kernfs_node {
	__u64 id;
	const char *name;
};

struct cgroup_subsys;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys *ss;
	unsigned int flags;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	unsigned long flags;
	int level;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct cgroup_namespace {
	struct ns_common ns;
	struct css_set *root_cset;
};

struct net {
	struct ns_common ns;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct cgroup_namespace *cgroup_ns;
	struct net *net_ns;
};

struct mm_struct {
	unsigned long task_size;
	unsigned long total_vm;
	unsigned long hiwater_rss;
	atomic64_t pgtables_bytes;
	atomic64_t hugetlb_usage;
	unsigned long start_brk;
	unsigned long brk;
	unsigned long start_stack;
	struct user_namespace *user_ns;
	struct file *exe_file;
};

struct kthread {
	void *data;
	char *full_name;
};

struct workqueue_struct {
	char name[24]; /* 32 since 6.9 (31c89007285d): ask bpf_core_field_size() */
};

struct worker {
	struct work_struct *current_work;
	struct worker_pool *pool;
	char desc[32];
	struct workqueue_struct *rescue_wq;
};

struct sigset {
	unsigned long sig[1];
};

struct sigpending {
	struct sigset signal;
};

struct thread_info {
	unsigned int cpu;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	unsigned int flags;
	int prio;
	int static_prio;
	struct sched_entity se;
	unsigned int policy;
	struct mm_struct *mm;
	int exit_state;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct list_head thread_node;
	__u64 utime;
	__u64 stime;
	struct prev_cputime prev_cputime;
	unsigned long nvcsw;
	unsigned long nivcsw;
	__u64 start_boottime;
	unsigned long min_flt;
	unsigned long maj_flt;
	const struct cred *real_cred;
	const struct cred *cred;
	__u64 self_exec_id;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct sigpending pending;
	void *worker_private;
};

/* --- memory --- */

struct vm_operations_struct {
	const char *(*name)(struct vm_area_struct *vma);
};

struct vm_special_mapping {
	const char *name;
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	struct mm_struct *vm_mm;
	unsigned long vm_flags;
	const struct vm_operations_struct *vm_ops;
	unsigned long vm_pgoff;
	struct file *vm_file;
	void *vm_private_data;
};

struct bpf_array { /* as a map whose values have a part for each CPU */
	void *pptrs[1];
};

struct kmem_cache;

struct slab {
	struct kmem_cache *slab_cache;
	struct list_head slab_list;
	unsigned int inuse : 16;
	unsigned int objects : 15;
};

struct kmem_cache_node {
	unsigned long nr_partial;
	struct list_head partial;
	atomic64_t nr_slabs;
	atomic64_t total_objects;
};

struct kmem_cache_order_objects {
	unsigned int x;
};

struct kmem_cache {
	unsigned int flags;
	unsigned int size;
	unsigned int object_size;
	struct kmem_cache_order_objects oo;
	int refcount;
	unsigned int align;
	const char *name;
};

struct seq_file {
	__u64 size;
	__u64 count;
};

#pragma clang attribute pop

/* --- iterators: contexts have a fixed layout, and the verifier wants fixed offsets --- */

struct bpf_iter_meta {
	union {
		struct seq_file *seq;
		__u64 : 64;
	} __attribute__((aligned(8)));
	__u64 session_id;
	__u64 seq_num;
};

#define KV_CTX_PTR(type, name) \
	union {                \
		type *name;    \
		__u64 : 64;    \
	} __attribute__((aligned(8)))

struct bpf_iter__task {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct task_struct, task);
};

struct bpf_iter__task_file {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct task_struct, task);
	__u32 fd __attribute__((aligned(8)));
	KV_CTX_PTR(struct file, file);
};

struct bpf_iter__task_vma {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct task_struct, task);
	KV_CTX_PTR(struct vm_area_struct, vma);
};

struct bpf_iter__kmem_cache {
	KV_CTX_PTR(struct bpf_iter_meta, meta);
	KV_CTX_PTR(struct kmem_cache, s);
};

#pragma clang diagnostic pop

#endif

#endif
