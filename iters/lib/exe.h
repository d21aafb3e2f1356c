/* SPDX-License-Identifier: GPL-2.0-only */
/* The executable file of a process, as readlink of /proc/PID/exe shows it. */
#ifndef KVIEW_EXE_H
#define KVIEW_EXE_H

#include "path.h"

/*
 * What of a task is read without a lock, and must be the same afterwards. For each pointer loaded
 * from the task, the verifier searches the types of the whole kernel
 * (btf_nested_type_is_trusted()), once per path to the load. So a program loads these at its
 * beginning, where there is one path.
 */
struct kv_memory {
	struct mm_struct *mm;
	__u64 exec; /* self_exec_id */
};

/* As kv_is_as_seen(). The mm is read as a number, not as a pointer. */
static __always_inline bool kv_has_memory(const struct task_struct *task,
					  const struct kv_memory *memory)
{
	return BPF_CORE_READ(task, mm) == memory->mm && task->self_exec_id == memory->exec;
}

struct kv_exe_cache {
	struct kv_kept path;
	__u64 may_ptrace;
};

KV_THREAD_MAP(kv_exes, kv_exe_cache);

/**
 * kv_put_exe() - append the path, or (unreadable) if the process executed another one meanwhile
 * @kept: of this thread
 * @memory: with an mm
 *
 * A file that is replaced as the executable (prctl(PR_SET_MM_EXE_FILE)) is freed without a grace
 * period and may be reused. Then it may have the same address, but not the same inode.
 */
static __always_inline void kv_put_exe(struct kv_call *c, struct kv_str *s, struct kv_kept *kept,
				       const struct task_struct *task,
				       const struct kv_memory *memory)
{
	struct mm_struct *mm = memory->mm;
	struct file *file = mm->exe_file;
	const struct vfsmount *mnt;
	struct dentry *dentry;
	struct inode *inode;
	__u64 len = c->scratch->len;
	bool is_known;

	if (!file)
		return;
	mnt = file->f_path.mnt;
	dentry = file->f_path.dentry;
	if (!dentry)
		return; /* the file was freed */
	inode = dentry->d_inode;
	const __u64 key[KV_KEY_MAX] = {
		c->session,
		(__u64)mnt,
		(__u64)dentry,
		(__u64)dentry->d_parent,
		(__u64)inode,
		inode->i_ino, /* of pseudo files, whose dentries have no place, never the same */
		(__u64)dentry->d_hash.pprev,
		dentry->d_seq.seqcount.sequence,
	};
	is_known = kv_put_kept(c, s, kept, key, KV_KEY_MAX);
	if (!is_known)
		kv_put_path_typed(c, s, mnt, dentry);
	kv_barrier();
	if (mm->exe_file != file || file->f_path.mnt != mnt || file->f_path.dentry != dentry ||
	    dentry->d_inode != inode || !kv_has_memory(task, memory)) {
		s->len = 0;
		s->off = KV_STR_UNREADABLE;
		c->scratch->len = len;
		return;
	}
	if (!is_known)
		kv_keep(c, s, kept, key, KV_KEY_MAX);
}

#endif
