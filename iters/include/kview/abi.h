/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The border between the iterator programs and the loader: every struct that
 * both sides lay their hands on, and nothing else. Included by BPF and by
 * userspace code, so only fixed-width types and no kernel or libc header.
 *
 * Changing anything here changes the bytes of every embedded object, and with
 * them the fingerprint by which pins of an older build are told and replaced.
 */
#ifndef KVIEW_ABI_H
#define KVIEW_ABI_H

#ifndef __VMLINUX_H__ /* which has these types */
#include <linux/types.h>
#endif

#define KV_ABI_VERSION 6
#define KV_MAX_COLUMNS 48
#define KV_COLUMN_NAME 24

/*
 * A record must stay far below the kernel's 32 KiB seq buffer, or the iterator
 * ends with E2BIG. The fixed part holds the columns, strings follow it.
 */
#define KV_RECORD_MAX 10240
#define KV_FIXED_MAX 1024

/* First member of every record. */
struct kv_head {
	__u32 len; /* of the whole record, head and strings included */
};

/* A string of variable length: its bytes lie at @off from the record's start. */
struct kv_str {
	__u16 off; /* or one of the below */
	__u16 len; /* without a NUL: there is none */
};

#define KV_STR_NONE 0		 /* no value */
#define KV_STR_UNREADABLE 0xfffe /* shown as (unreadable) */
#define KV_STR_TOO_LONG 0xffff	 /* shown as (too long) */

enum kv_type {
	KV_TYPE_UINT,  /* unsigned integer of 1, 2, 4 or 8 bytes */
	KV_TYPE_INT,   /* signed integer of 1, 2, 4 or 8 bytes */
	KV_TYPE_CHARS, /* char[N], ends at the first NUL or at N; empty: no value */
	KV_TYPE_STR,   /* struct kv_str */
};

enum kv_show {
	KV_SHOW_DEC,
	KV_SHOW_HEX,	 /* at least 8 digits, as /proc/PID/maps has it */
	KV_SHOW_OCT,	 /* with a leading 0, as /proc/PID/fdinfo has it */
	KV_SHOW_SECONDS, /* nanoseconds inside, seconds with 9 digits outside */
	KV_SHOW_DEV,	 /* kernel dev_t (20 bits of minor) as major:minor in hex */
};

/* One column, as the text printer inside the kernel needs it. */
struct kv_text_column {
	char name[KV_COLUMN_NAME]; /* upper case, NUL-terminated */
	__s64 none;		   /* the raw value that means "no value" */
	__u16 off;		   /* of the field in the record */
	__u16 size;		   /* of the field */
	__u8 type;		   /* enum kv_type */
	__u8 show;		   /* enum kv_show */
	__u8 has_none;
	__u8 _pad;
};

/*
 * Filled by the loader before the object is loaded, read-only from then on:
 * the columns come from the object's own BTF.
 */
struct kv_table {
	__u32 abi; /* KV_ABI_VERSION */
	__u32 ncolumns;
	__u64 fingerprint; /* of the object's bytes */
	__u32 page_shift;
	__u32 nr_nodes;	  /* highest possible NUMA node + 1 */
	char vsyscall[4]; /* permissions of [vsyscall], as in maps; 0: this kernel has none */
	__u8 _pad[4];
	struct kv_text_column columns[KV_MAX_COLUMNS];
	__u8 lacks[KV_FIXED_MAX]; /* by a column's place in the record: see kv_has() */
};

/* What stands between a reader and facts about a task, named for what it guards in /proc. */
enum kv_guard {
	KV_PUBLIC, /* nothing: /proc/PID/stat and its like */
	KV_PTRACE, /* PTRACE_MODE_READ_FSCREDS: /proc/PID/exe and other links */
	KV_FILES,  /* that, and the right to list the directory: /proc/PID/fd */
	KV_MAPS,   /* that, or since 6.15 CAP_PERFMON: /proc/PID/maps */
};

/* kv_scope.saw: what happened in the read, for the one who asked for it. */
#define KV_SAW_OBJECT 1	  /* the program was called for an object */
#define KV_SAW_END 2	  /* and for the end: nothing comes after this read */
#define KV_SAW_DENIED 4	  /* a row was withheld: the reader has no right to it */
#define KV_SAW_OTHER 8	  /* and this: it is of another process than target_start's */
#define KV_SAW_TIME 16	  /* the read was stopped, after KV_SLICE_NS: the next goes on there */
#define KV_SAW_REPEATS 32 /* and this, for good: see struct kv_progress */
#define KV_SAW_LATE 64	  /* for the end, whose row had no room: the next read is of it again */

/*
 * A walk that finds nothing to show would go on in one read(2) for a million objects, deaf to
 * signals. After so long it returns to who reads, who may have something else to do.
 */
#define KV_SLICE_NS 4000000

/*
 * What the reader on whose behalf a thread reads may see.
 *
 * Addresses are of kernel objects; who sets them keeps the objects alive.
 */
struct kv_scope {
	__u64 thread_start; /* of the thread that reads, ns since boot: its number may come again */
	__u64 pid_ns;	    /* address of the pid namespace whose tasks and numbers are shown */
	__u64 user_ns;	    /* of the one that ids are shown in, and @caps count in */
	__u64 root_mnt;	    /* of the struct vfsmount, and of the dentry, of the root directory */
	__u64 root_dentry;  /* that paths begin at; 0: the reading thread's own */
	__u64 cgroup; /* of the kernfs_node that cgroup paths begin at; 0: the hierarchy's root */
#define KV_CGROUP_UNKNOWN (~0ULL) /* no reader's can be told on this kernel */
	__u64 caps;		  /* effective ones */
	__u64 own_start;	  /* the reader's process: when it began, ns since boot */
	__u64 own_exec;		  /* and how many programs it had executed */
	__u64 target_start;	  /* likewise of the only process to be shown; 0: all are */
	__u64 host_ns;		  /* the pid namespace of kview itself */
	__u64 began;	    /* the program's own, as is @calls: when this read did; 0: just now */
	__s32 own_tgid;	    /* the reader's process, in the initial pid namespace */
	__u32 pid_ns_level; /* 0: the initial one */
	__u32 user_ns_level;
	__u32 cgroup_level;
	__u32 host_level;
	__u32 fsuid, fsgid, euid; /* in the initial user namespace */
	__u32 overflow_uid;	  /* what an id is shown as that @user_ns does not map */
	__u32 overflow_gid;
	__u32 calls;  /* of the program in this read */
	__u8 passes;  /* 1 << enum kv_guard: the reader passes it whatever the task */
	__u8 hidepid; /* enum kv_hidepid; 0 for a reader that it does not concern */
	__u8 saw;     /* the program's answer: KV_SAW_ bits */
	__u8 _pad[1];
};

/* What threads of a process share, as a rule all of them. */
enum kv_common {
	KV_COMMON_FILES,
	KV_COMMON_MM,
};

/* Of the thread that a program was called for last: does it show what it shares? */
struct kv_judged {
	__u64 session; /* bpf_iter_meta.session_id */
	__u64 task;    /* its address */
	__u64 start;   /* ns since boot */
	__u64 shows;
};

/* The process that a program has shown mappings of, and one is still to come. */
struct kv_gate {
	__u64 start;   /* ns since boot */
	__s32 pid;     /* its number, as the reader knows it; 0: there is none */
	__u32 len;     /* of its name, or KV_NOBODY: it is unreadable; */
	char comm[16]; /* which is this */
};

/*
 * What programs keep of a walk from one read to the next. The kernel calls them again and
 * again for what other threads of a process have shown. When that is too much they stop
 * the read; whoever reads then lists the threads, and goes on from one of them to the next
 * (src/stream/threads.h).
 */
struct kv_progress {
	struct kv_judged judged;
	__u64 listed;	     /* when the threads were, ns since boot; 0: they were not */
	__u64 repeats;	     /* calls and looks in vain */
	__u64 max_repeats;   /* of these: then the read is stopped; 0: never */
	__s32 stopped_at;    /* at this thread, of which nothing was shown; as host_ns knows it */
	__u32 common;	     /* enum kv_common: it was about that */
	struct kv_gate gate; /* of a reader with a scope */
};

/*
 * What a thread registers with in the map `kv_readers`, just before each read() of an
 * iterator. The key is its tgid << 32 | tid, both in the initial pid namespace.
 */
struct kv_reading {
	struct kv_scope scope;
	struct kv_progress progress;
};

/* As of /proc's mount option. */
enum kv_hidepid {
	KV_HIDEPID_OFF,
	KV_HIDEPID_NO_ACCESS, /* others' processes are listed, and that is all */
	KV_HIDEPID_INVISIBLE, /* nor that */
};

/* What the query `reader` tells of a thread. Addresses as in struct kv_scope. */
struct kv_identity {
	__u64 id;	    /* tgid << 32 | tid in the initial pid namespace */
	__u64 thread_start; /* ns since boot */
	__u64 start;	    /* of its process */
	__u64 exec;
	__u64 pid_ns, user_ns, cgroup_ns;
	__u64 cgroup;
	__u64 root_mnt, root_dentry;
	__u64 caps;
	__u32 pid_ns_level, user_ns_level, cgroup_level;
	__u32 pid_ns_inum, user_ns_inum, cgroup_ns_inum; /* as stat(2) of /proc/TID/ns/ tells */
	__u32 fsuid, fsgid, euid;
	__s32 pid; /* its process's number in its own pid namespace */
	/* No directory with a name lies above its root: paths end where its mounts end. */
	__u32 root_is_top;
	__u32 is_being_killed;
	__u32 master;	  /* the user, in the initial namespace, of whose ids @fsuid is one */
	__u32 walk_skips; /* not of the thread: this kernel's walk through a process is incomplete */
};

#define KV_NOBODY 0xffffffffU /* an id that is none, and that a user namespace may not map */

/* What the query `processes` tells of one. */
struct kv_process {
	__u64 start;	 /* ns since boot */
	__s32 pid;	 /* in kview's own pid namespace */
	__s32 nr;	 /* in the reader's */
	__u32 is_hidden; /* by hidepid=1: the reader may know of it, and no more */
	__u32 _pad;
};

/* What the query `threads` tells of a thread. */
struct kv_thread {
	__u64 common; /* address of what it shares: kv_progress.common says which */
	__s32 nr;     /* in kview's own pid namespace */
	__u32 tgid;   /* of its process, and @tid: its own, in the initial pid namespace */
	__u32 tid;
	__u32 _pad;
};

/* What the query `ask` is called with: who is this thread? */
struct kv_ask_identity {
	__s32 tid; /* in kview's own pid namespace */
	__u32 _pad;
	struct kv_identity identity; /* the answer */
};

/* May this reader know of this process? */
struct kv_ask_process {
	struct kv_scope scope;
	__s32 pid; /* in kview's own pid namespace */
	__u32 _pad;
	struct kv_process process; /* the answer */
};

#define KV_ASK_MAP ".rodata.ask"

#define KV_USER_NS_DEPTH 34 /* one more than can be nested */

#define KV_MAX_READERS 4096
#define KV_READERS_MAP "kv_readers"
#define KV_TABLE_MAP ".rodata.kview"
#define KV_VIEW_VAR "kv_view"

#endif
