// SPDX-License-Identifier: GPL-2.0-only
/* The view `task_vma`: what pmap shows, a row per mapping. */
#include "kview.h"
#include "path.h"
#include "process.h"

struct task_vma {
	struct kv_head _head;
	__s32 pid KV_ROLE(key) KV_MEANS("process id (thread group id)") KV_WIDTH(7);
	__u64 start KV_ROLE(key) KV_MEANS("first address, in hex") KV_SHOW(hex) KV_WIDTH(12);
	__u64 end KV_MEANS("address behind the last, in hex") KV_SHOW(hex) KV_WIDTH(12);
	char perms[4] KV_MEANS("r w x, then p private or s shared") KV_WIDTH(5);
	__u32 _pad;
	__u64 offset KV_MEANS("of the mapping in its file, bytes in hex") KV_UNIT("bytes")
		KV_SHOW(hex);
	__u32 dev KV_MEANS("device of the file, major:minor in hex") KV_SHOW(dev) KV_WIDTH(5);
	__u32 _pad2;
	__u64 ino KV_MEANS("inode number of the file, 0 for none") KV_WIDTH(10);
	struct kv_str comm KV_MEANS("name of the process") KV_WIDTH(15);
	struct kv_str path KV_MEANS("file or kernel's name for it, as in /proc/PID/maps");
};

KV_VIEW(task_vma, "a row per memory mapping: range, permissions, file", "5.12");

#define VM_READ 1
#define VM_WRITE 2
#define VM_EXEC 4
#define VM_MAYSHARE 0x80

/*
 * FMODE_BACKING is bit 25 until 6.13. Since then it is bit 24, and bit 25 means something else.
 * BTF does not tell. So each of them is a hint only, and read_user_path() checks the path.
 */
#define FMODE_BACKING_HINT (1 << 24 | 1 << 25)

static __always_inline void put_perms(struct task_vma *r, unsigned long flags)
{
	r->perms[0] = flags & VM_READ ? 'r' : '-';
	r->perms[1] = flags & VM_WRITE ? 'w' : '-';
	r->perms[2] = flags & VM_EXEC ? 'x' : '-';
	r->perms[3] = flags & VM_MAYSHARE ? 's' : 'p';
}

/*
 * The name given by prctl(PR_SET_VMA_ANON_NAME), or NULL. The iterator holds the mmap_lock, so
 * it cannot change.
 */
static __always_inline void *anon_name(struct vm_area_struct *vma)
{
	struct vm_area_struct___anon_name *v = (void *)vma;
	void *name;

	if (!bpf_core_field_exists(v->anon_name))
		return NULL;
	if (vma->vm_file && bpf_core_field_offset(v->anon_name) == bpf_core_field_offset(v->shared))
		return NULL;
	name = BPF_CORE_READ(v, anon_name);
	return name ? name + bpf_core_field_offset(struct anon_vma_name___opt, name) : NULL;
}

/* Bytes of @chars that are neither zero nor printable, as their top bits. */
static __always_inline __u64 odd_chars(__u64 chars)
{
	const __u64 ones = 0x0101010101010101, tops = ones << 7;
	__u64 zeros = ~(((chars & ~tops) + ~tops) | chars) & tops;

	chars |= zeros >> 1; /* an '@' */
	return (chars | (chars + ones) | ~(chars + ones * (0x80 - '!'))) & tops;
}

/*
 * special_mapping_name() in mm/mmap.c: what the kernel calls its own mappings, [vdso],
 * [vvar], [uprobes]; constants of the kernel, or of the mm, which is held. A driver's
 * mapping may have a name as well, and private data of another kind, which can't be
 * told from the kernel's: it counts if it looks like such a name.
 */
static __always_inline void put_special_name(struct kv_call *c, struct kv_str *s,
					     struct vm_special_mapping *mapping)
{
	__u64 *words = c->scratch->chars[0], odd = 0;
	const char *name = (char *)words;
	__u64 n;

	words[0] = words[1] = words[2] = words[3] = 0;
	n = bpf_probe_read_kernel_str(words, 32, BPF_CORE_READ(mapping, name));
	kv_opaque(n);
	if (n < 4 || n > 32) /* with the NUL, or it failed */
		return;
	for (int i = 0; i < 4; i++)
		odd |= odd_chars(words[i]);
	if (!odd && name[0] == '[' && name[n - 2] == ']')
		kv_put_read_chars(c, s, 0, n - 1);
}

/* A mapping without a file, in the order of get_vma_name() in fs/proc/task_mmu.c. */
static __always_inline void put_special(struct kv_call *c, struct kv_str *s,
					struct vm_area_struct *vma, void *name)
{
	struct vm_special_mapping *special = vma->vm_private_data;
	struct mm_struct *mm = vma->vm_mm;

	if (vma->vm_ops && vma->vm_ops->name && special) {
		put_special_name(c, s, special);
	} else if (!mm) {
		kv_put_literal(c, s, "[vdso]");
	} else if (kv_is_heap(vma->vm_start, vma->vm_end, mm->start_brk, mm->brk)) {
		kv_put_literal(c, s, "[heap]");
	} else if (vma->vm_start <= mm->start_stack && vma->vm_end >= mm->start_stack) {
		kv_put_literal(c, s, "[stack]");
	} else if (name) {
		kv_put_literal(c, s, "[anon:");
		kv_add_string(c, s, name);
		kv_add_literal(c, s, "]");
	}
}

static __always_inline bool read_user_path(struct file *file, struct path *user)
{
	void *at = (void *)file + bpf_core_field_offset(struct backing_file___since_6_6, user_path);
	struct super_block *of_mount, *of_dentry;
	struct vfsmount *mnt;
	struct dentry *dentry;

	if (!kv_is_since_6_6() || !(file->f_mode & FMODE_BACKING_HINT))
		return false;
	bpf_core_read(user, sizeof(*user), at);
	mnt = user->mnt;
	dentry = user->dentry;
	of_mount = BPF_CORE_READ(mnt, mnt_sb);
	of_dentry = BPF_CORE_READ(dentry, d_sb);
	if (of_mount && of_mount == of_dentry && of_mount == BPF_CORE_READ(dentry, d_inode, i_sb))
		return true;
	user->dentry = NULL;
	return false;
}

static __always_inline bool shows_whose_file(void)
{
	return kv_has(task_vma, dev) || kv_has(task_vma, ino) || kv_has(task_vma, path);
}

/*
 * The file of a mapping. On overlayfs the mapping holds the file of a layer, but /proc shows the
 * file that was opened (file_user_path(), 6.8).
 */
static __always_inline void put_file(struct kv_call *c, struct task_vma *r,
				     struct vm_area_struct *vma, void *name)
{
	struct file *file = vma->vm_file;
	struct path user = {};

	if (shows_whose_file() && read_user_path(file, &user)) {
		struct dentry *dentry = user.dentry;
		struct inode *shown = BPF_CORE_READ(dentry, d_inode);

		kv_set(r, dev, BPF_CORE_READ(shown, i_sb, s_dev));
		kv_set(r, ino, BPF_CORE_READ(shown, i_ino));
	} else {
		kv_set(r, dev, file->f_inode->i_sb->s_dev);
		kv_set(r, ino, file->f_inode->i_ino);
	}
	kv_set(r, offset, (__u64)vma->vm_pgoff << kv_table()->page_shift);
	if (!kv_has(task_vma, path))
		return;
	if (name) {
		kv_put_literal(c, &r->path, "[anon_shmem:");
		kv_add_string(c, &r->path, name);
		kv_add_literal(c, &r->path, "]");
	} else if (user.dentry) {
		kv_put_path_racy(c, &r->path, user.mnt, user.dentry);
	} else {
		kv_put_path(c, &r->path, (struct path *)&file->f_path);
	}
}

/*
 * [vsyscall] is no mapping, but maps has it at the end of each 64-bit process, always the same
 * page (get_gate_vma() in arch/x86/entry/vsyscall/vsyscall_64.c). A mapping was the last one of
 * its process if the next one is of another process, or the walk ends. If this kernel does not
 * tell whether a call's output had room, there is no such row.
 */
#define VSYSCALL_ADDR 0xffffffffff600000
#define VSYSCALL_SIZE 0x1000

static __always_inline bool has_vsyscall(struct mm_struct *mm)
{
	return kv_table()->vsyscall[0] && mm->task_size >> 32;
}

/* For readers of the pin. One walk may be read by several threads, and one thread read several. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64); /* bpf_iter_meta.session_id */
	__type(value, struct kv_gate);
} kv_gates SEC(".maps");

/* NULL: no memory. */
static __always_inline struct kv_gate *gate_of(const struct kv_call *c)
{
	const struct kv_gate none = {};
	struct kv_gate *gate;

	if (c->scope)
		return &c->progress->gate;
	gate = bpf_map_lookup_elem(&kv_gates, &c->session);
	if (gate)
		return gate;
	bpf_map_update_elem(&kv_gates, &c->session, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&kv_gates, &c->session);
}

struct vsyscall_row {
	struct task_vma fixed;
	char comm[16];
	char path[16];
};

/* No right is checked: the page is no secret, and the reader sees the rows before it. */
static __always_inline void put_vsyscall(struct kv_call *c, const struct kv_gate *gate)
{
	struct vsyscall_row *r = (void *)kv_record(c, struct vsyscall_row);

	r->fixed.pid = gate->pid;
	r->fixed.start = VSYSCALL_ADDR;
	r->fixed.end = VSYSCALL_ADDR + VSYSCALL_SIZE;
	for (int i = 0; i < 4; i++)
		r->fixed.perms[i] = kv_table()->vsyscall[i];
	r->fixed.comm.off = KV_STR_UNREADABLE;
	if (gate->len != KV_NOBODY) {
		r->fixed.comm.off = __builtin_offsetof(struct vsyscall_row, comm);
		r->fixed.comm.len = gate->len;
	}
	r->fixed.path.off = __builtin_offsetof(struct vsyscall_row, path);
	r->fixed.path.len = sizeof("[vsyscall]") - 1;
	__builtin_memcpy(r->comm, gate->comm, sizeof(r->comm));
	__builtin_memcpy(r->path, "[vsyscall]", sizeof("[vsyscall]"));
	kv_write(c);
}

/* The call for the end. If its row has no room, the kernel calls again. */
static __always_inline int end_process(struct kv_call *c)
{
	struct kv_gate *gate = gate_of(c);

	if (!gate)
		return KV_RETRY;
	if (!gate->pid)
		return 0;
	put_vsyscall(c, gate);
	if (kv_had_room(c))
		gate->pid = 0;
	return 0;
}

/*
 * Leave room for the row of [vsyscall] behind each row. If the row for the end did not fit, a
 * walk through one process would not go on at its end (task_vma_seq_get_next() in
 * kernel/bpf/task_iter.c). So if there is not that much room, fill the buffer: the kernel then
 * drops this row, and calls again for it with an empty buffer.
 */
#define VSYSCALL_ROOM 128 /* bytes, as a record and as text */

static __always_inline void keep_room(struct kv_call *c)
{
	_Static_assert(sizeof(struct vsyscall_row) < VSYSCALL_ROOM, "room for a row");
	if (kv_had_room(c) && c->seq->count + VSYSCALL_ROOM >= c->seq->size)
		bpf_seq_write(c->seq, c->record->bytes, VSYSCALL_ROOM);
}

/* A row of this process was written. The name is the first string in it. */
static __always_inline void note_process(struct kv_call *c, struct kv_gate *gate, __u64 start,
					 const struct task_vma *r, struct mm_struct *mm)
{
	if (!kv_had_room(c))
		return;
	gate->start = start;
	gate->pid = has_vsyscall(mm) ? r->pid : 0;
	gate->len = r->comm.off < KV_STR_UNREADABLE ? r->comm.len : KV_NOBODY;
	__builtin_memcpy(gate->comm, r + 1, sizeof(gate->comm));
}

SEC("iter/task_vma")
int task_vma(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct task_struct *leader;
	struct mm_struct *mm;
	struct kv_gate *gate;
	struct task_vma *r;
	struct kv_call c;
	void *name;
	__s32 pid;
	int verdict = kv_begin_common(&c, ctx->meta, task, KV_MAPS, KV_COMMON_MM);

	if (!task && verdict == KV_LEAVE)
		return end_process(&c);
	if (verdict != KV_SHOW || !task)
		return verdict & 1;
	if (!vma)
		return 0;
	mm = vma->vm_mm;
	/* The task executes another program: the right was checked for that program's memory. */
	if (!kv_passes(&c, KV_MAPS) && mm != BPF_CORE_READ(task, mm))
		return 0;
	/* The program's rights are not set yet: maps waits for setup_new_exec(). */
	if (!mm->task_size)
		return 0;
	pid = kv_tgid(&c, task);
	if (!pid)
		return 0; /* it was just reaped, and has no number */
	leader = task->group_leader;
	gate = gate_of(&c);
	if (!gate)
		return KV_RETRY;
	if (gate->pid && (gate->pid != pid || gate->start != leader->start_boottime))
		put_vsyscall(&c, gate);
	r = kv_record(&c, struct task_vma);
	r->pid = pid;
	kv_set(r, start, vma->vm_start);
	kv_set(r, end, vma->vm_end);
	if (kv_has(task_vma, perms))
		put_perms(r, vma->vm_flags);
	if (kv_has(task_vma, comm))
		kv_put_comm(&c, &r->comm, leader);
	name = kv_has(task_vma, path) ? anon_name(vma) : NULL;
	if (!kv_settle(&c))
		return KV_RETRY;
	if ((shows_whose_file() || kv_has(task_vma, offset)) && vma->vm_file)
		put_file(&c, r, vma, name);
	else if (kv_has(task_vma, path))
		put_special(&c, &r->path, vma, name);
	if (kv_emit(&c))
		return KV_RETRY;
	keep_room(&c);
	note_process(&c, gate, leader->start_boottime, r, mm);
	return 0;
}
