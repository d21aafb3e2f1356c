// SPDX-License-Identifier: GPL-2.0-only
/* The view `task_file`: what lsof shows, a row per open file descriptor. */
#include "kview.h"
#include "path.h"
#include "process.h"

struct task_file {
	struct kv_head _head;
	__s32 pid KV_ROLE(key) KV_MEANS("process id (thread group id)") KV_WIDTH(7);
	__s32 tid KV_ROLE(key)
		KV_MEANS("thread whose table it is: the leader, or one with a table of its own")
			KV_WIDTH(7);
	__u32 fd KV_ROLE(key) KV_MEANS("file descriptor") KV_WIDTH(4);
	char type[4] KV_MEANS("REG DIR CHR BLK FIFO SOCK LNK, or ANON for no type") KV_WIDTH(4);
	char access[4] KV_MEANS("r, w or rw; - for neither (O_PATH)") KV_WIDTH(6);
	__u32 flags KV_MEANS("open flags in octal, as in fdinfo") KV_SHOW(oct) KV_WIDTH(8);
	__u32 _pad;
	__s64 pos KV_ROLE(gauge) KV_MEANS("file offset") KV_UNIT("bytes") KV_WIDTH(8);
	__s32 mnt_id KV_MEANS("mount, as in /proc/PID/mountinfo") KV_WIDTH(6);
	__u32 dev KV_MEANS("device of the file, major:minor in hex; - where the file system is a "
			   "module younger than kview") KV_SHOW(dev) KV_NONE(4294967295)
		KV_WIDTH(6);
	__u64 ino KV_MEANS("inode number") KV_NONE(-1) KV_WIDTH(10);
	__s64 size KV_ROLE(gauge)
		KV_MEANS("size of the file; on FUSE and NFS as this machine knew it last")
			KV_UNIT("bytes") KV_NONE(-1) KV_WIDTH(10);
	__u64 nlink KV_MEANS("names of the file; 0 if it is deleted, or memory alone") KV_NONE(-1)
		KV_WIDTH(5);
	__u32 owner KV_MEANS("user that owns the file") KV_WIDTH(5);
	__u32 _pad2;
	__s64 blocks KV_MEANS(
		"what it takes on its device, in blocks of 512 bytes; - as for dev, and "
		"where it lies in another layer of overlayfs") KV_NONE(-1) KV_WIDTH(8);
	struct kv_str detail KV_MEANS("what it is about, in the words of lsfd or fdinfo")
		KV_WIDTH(8);
	struct kv_str comm KV_MEANS("name of the thread") KV_WIDTH(15);
	struct kv_str path KV_MEANS("what readlink of /proc/PID/fd/FD gives");
	__u32 _pad3;
};

KV_VIEW(task_file, "a row per open file descriptor: kind, flags, offset, path", "5.8");

#define KV_STAT_VIEW task_file
#include "stat.h"
#define KV_OWNER_VIEW task_file
#include "owner.h"
#include "detail.h"

#define FMODE_READ 1
#define FMODE_WRITE 2
#define O_CLOEXEC 02000000

/*
 * The type as in stat(2), which shows none for anon_inodefs and pidfs, although the inode has
 * one since 6.16 (cfd86ef7e8e7).
 */
static __always_inline void put_type(struct task_file *r, struct inode *inode, unsigned long magic)
{
	static const char names[16][4] = {
		[0] = "ANON", [1] = "FIFO", [2] = "CHR",  [4] = "DIR",
		[6] = "BLK",  [8] = "REG",  [10] = "LNK", [12] = "SOCK",
	};
	__u32 type = (inode->i_mode & S_IFMT) >> 12;

	if (magic == ANON_INODE_FS_MAGIC || magic == PID_FS_MAGIC)
		type = 0;
	__builtin_memcpy(r->type, names[type & 15], 4);
}

static __always_inline void put_access(struct task_file *r, unsigned int mode)
{
	int n = 0;

	if (mode & FMODE_READ)
		r->access[n++] = 'r';
	if (mode & FMODE_WRITE)
		r->access[n++ & 1] = 'w';
}

/* O_CLOEXEC belongs to the descriptor, not to the file: seq_show() in fs/proc/fd.c. */
static __always_inline __u32 fd_flags(struct fdtable *fdt, struct file *file, __u32 fd)
{
	__u32 flags = file->f_flags & ~O_CLOEXEC;
	unsigned long word = 0;

	if (fd < fdt->max_fds)
		bpf_probe_read_kernel(&word, sizeof(word), fdt->close_on_exec + fd / 64);
	return word >> (fd & 63) & 1 ? flags | O_CLOEXEC : flags;
}

static __always_inline int mount_id(struct vfsmount *mnt)
{
	struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);

	return BPF_CORE_READ(m, mnt_id);
}

static __always_inline bool shows_stat(void)
{
	return kv_has(task_file, dev) || kv_has(task_file, ino) || kv_has(task_file, size) ||
	       kv_has(task_file, nlink) || kv_has(task_file, blocks);
}

/* Returns the magic number of its file system. */
static __always_inline unsigned long put_file(const struct kv_call *c, struct task_file *r,
					      struct file *file)
{
	struct inode *inode = NULL;
	unsigned long magic = 0;

	if (kv_has(task_file, type) || kv_has(task_file, owner) || kv_has(task_file, detail) ||
	    shows_stat())
		inode = file->f_inode;
	if (kv_has(task_file, type) || kv_has(task_file, detail))
		magic = inode->i_sb->s_magic;
	if (kv_has(task_file, owner))
		r->owner = kv_owner(c, inode, file->f_path.mnt);
	if (shows_stat())
		kv_stat_of(r, inode, file->f_path.dentry);
	if (kv_has(task_file, type))
		put_type(r, inode, magic);
	if (kv_has(task_file, access))
		put_access(r, file->f_mode);
	kv_set(r, pos, file->f_pos);
	kv_set(r, mnt_id, mount_id(file->f_path.mnt));
	return magic;
}

SEC("iter/task_file")
int task_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct task_file *r;
	struct files_struct *files;
	struct fdtable *fdt;
	unsigned long magic;
	struct kv_call c;
	int verdict = kv_begin_common(&c, ctx->meta, task, KV_FILES, KV_COMMON_FILES);

	if (verdict != KV_SHOW || !task)
		return verdict & 1;
	if (!file)
		return 0;
	files = task->files;
	if (!files)
		return 0; /* it is just exiting: nothing is open any more */
	/* When the table grows, another fdtable takes its place. This one does not change then. */
	fdt = files->fdt;
	if (!kv_passes(&c, KV_FILES) && !kv_is_still_open(fdt, ctx->fd, file))
		return 0;
	r = kv_record(&c, struct task_file);
	r->pid = kv_tgid(&c, task);
	r->tid = kv_tid(&c, task);
	if (!r->tid || !r->pid)
		return 0; /* it was just reaped, and has no numbers */
	r->fd = ctx->fd;
	kv_set(r, flags, fd_flags(fdt, file, ctx->fd));
	kv_barrier();
	if (task->files != files || !kv_settle(&c))
		return KV_RETRY; /* its files_struct was another one, which is freed at once */
	magic = put_file(&c, r, file);
	if (kv_has(task_file, comm))
		kv_put_comm(&c, &r->comm, task);
	if (kv_has(task_file, detail))
		kv_put_detail(&c, &r->detail, file, magic);
	if (kv_has(task_file, path))
		kv_put_path(&c, &r->path, (struct path *)&file->f_path);
	return kv_emit(&c);
}
