/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface between the BPF programs and the loader: the structs that both sides use, and
 * nothing else. Included by BPF and by userspace code, so it has fixed-width types only and
 * includes no kernel or libc header.
 *
 * A change here changes the bytes of every embedded object. So pins of an older build have
 * another fingerprint, and are replaced.
 */
#ifndef KVIEW_ABI_H
#define KVIEW_ABI_H

#ifndef __VMLINUX_H__ /* vmlinux.h has these types */
#include <linux/types.h>
#endif

#define KV_ABI_VERSION 10
#define KV_MAX_COLUMNS 64
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

/* A string of variable length: its bytes begin at @off in the record. */
struct kv_str {
	__u16 off; /* or one of the codes below */
	__u16 len; /* there is no NUL */
};

#define KV_STR_NONE 0		 /* no value */
#define KV_STR_BUSY 0xfffd	 /* shown as (busy): it could not be had without waiting */
#define KV_STR_UNREADABLE 0xfffe /* shown as (unreadable) */
#define KV_STR_TOO_LONG 0xffff	 /* shown as (too long) */

/*
 * A member of a record with a column KV_FROM(cmdline): the process whose arguments kview puts
 * there.
 */
struct kv_whose {
	__u64 start; /* ns since boot */
	__s32 nr;    /* in kview's own pid namespace */
	__u32 user;  /* who answers for it: kv_master_of() in master.h */
};

/* Bytes of arguments that are shown; behind more of them stands KV_ARGS_MARK, as one argument. */
#define KV_ARGS_MAX 16384
#define KV_ARGS_MARK "(too long)"

/* A record with its arguments. */
#define KV_FILLED_MAX (KV_RECORD_MAX + KV_ARGS_MAX + 16)

/* An IP address, set by kv_ip4() or kv_ip6() in ip.h. */
struct kv_ip {
	__u8 family; /* 4 or 6; 0: no value; or one of the codes below */
	__u8 _pad[3];
	__u8 bytes[16]; /* in network order; of an IPv4 address the first four */
} __attribute__((aligned(4)));

#define KV_IP_NUMBER 1	      /* the first four bytes are a number, such as a CID of vsock */
#define KV_IP_UNREADABLE 0xff /* shown as (unreadable) */

enum kv_type {
	KV_TYPE_UINT,	   /* unsigned integer of 1, 2, 4 or 8 bytes, or an enum */
	KV_TYPE_INT,	   /* signed integer of 1, 2, 4 or 8 bytes, or an enum */
	KV_TYPE_CHARS,	   /* char[N], ends at the first NUL or at N; empty: no value */
	KV_TYPE_STR,	   /* struct kv_str */
	KV_TYPE_IP,	   /* struct kv_ip */
	KV_TYPE_BYTES,	   /* __u8[N] */
	KV_TYPE_HISTOGRAM, /* __u64[N]: how many values each bucket has, see histogram.h */
};

enum kv_show {
	KV_SHOW_DEC,
	KV_SHOW_HEX,	 /* at least 8 digits, as /proc/PID/maps has it; of bytes 2 each */
	KV_SHOW_OCT,	 /* with a leading 0, as /proc/PID/fdinfo has it */
	KV_SHOW_SECONDS, /* nanoseconds inside, seconds with 9 digits outside */
	KV_SHOW_DEV,	 /* kernel dev_t (20 bits of minor) as major:minor in hex */
	KV_SHOW_NAME,	 /* an enum, by its enumerators; text.h shows the number */
	KV_SHOW_LIST,	 /* struct kv_str: strings, each but perhaps the last with a NUL behind */
};

/* One column, for the programs that print text (text.h). */
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

/* The loader fills this in before it loads the object. The columns come from the object's BTF. */
struct kv_table {
	__u32 abi;	   /* KV_ABI_VERSION */
	__u32 ncolumns;	   /* 0: only registered readers get rows */
	__u64 fingerprint; /* of the object's bytes */
	__u32 page_shift;
	__u32 nr_nodes;	     /* highest possible NUMA node + 1 */
	char vsyscall[4];    /* permissions of [vsyscall], as in maps; 0: this kernel has none */
	__u8 fds_are_public; /* stat(2) of /proc/PID/fd tells their number: 6.2 and later */
	__u8 _pad[3];
	struct kv_text_column columns[KV_MAX_COLUMNS];
	__u8 lacks[KV_FIXED_MAX]; /* by a column's offset in the record: see kv_has() */
};

/* The right that a reader needs to data of a task, named for what it protects in /proc. */
enum kv_guard {
	KV_PUBLIC, /* none: /proc/PID/stat and its like */
	KV_PTRACE, /* PTRACE_MODE_READ_FSCREDS: /proc/PID/exe and other links */
	KV_FILES,  /* that, and the right to list the directory: /proc/PID/fd */
	KV_MAPS,   /* that, or since 6.15 CAP_PERFMON: /proc/PID/maps */
	KV_IO,	   /* KV_PTRACE, and to own the file, or to pass its mode: /proc/PID/io */
	KV_STACK,  /* CAP_SYS_ADMIN, CAP_SYS_PTRACE, and the mode of the file: /proc/PID/stack */
	/* Of no task: to read a file of a kernel-wide view, which by default takes root. */
	KV_WHOLE,
};

#define KV_ALL_GUARDS ((1 << (KV_WHOLE + 1)) - 1) /* as in kv_scope.passes */

/* kv_scope.saw: what happened in a read; the program sets the bits, the reader gets them. */
#define KV_SAW_OBJECT 1	  /* the program was called for an object */
#define KV_SAW_END 2	  /* it was called for the end: nothing comes after this read */
#define KV_SAW_DENIED 4	  /* a row was withheld: the reader has no right to it */
#define KV_SAW_OTHER 8	  /* a row was withheld: its process is not the one of target_start */
#define KV_SAW_TIME 16	  /* the read was stopped after KV_SLICE_NS: the next one goes on there */
#define KV_SAW_REPEATS 32 /* the walk was stopped for good: see struct kv_progress */
#define KV_SAW_LATE 64	  /* the end's row had no room: the next read is for the end again */
#define KV_SAW_FULL 128	  /* the spool had no room: rows are lost, and the walk was given up */

/*
 * A walk that finds nothing to show would go through a million objects in one read(2), and
 * ignore signals meanwhile. After this time the read returns.
 */
#define KV_SLICE_NS 4000000

/*
 * What a reader may see.
 *
 * Addresses are those of kernel objects. Userspace, which sets them, keeps the objects alive.
 */
struct kv_scope {
	__u64 thread_start; /* of the thread that reads, ns since boot: numbers are reused */
	__u64 pid_ns;	    /* address of the pid namespace whose tasks and numbers are shown */
	__u64 user_ns;	    /* of the user namespace that ids are shown in and @caps count in */
	__u64 root_mnt;	    /* of the struct vfsmount of the root directory that paths begin at, */
	__u64 root_dentry;  /* and of its dentry; 0: the reading thread's own root */
	__u64 cgroup; /* of the kernfs_node that cgroup paths begin at; 0: the hierarchy's root */
#define KV_CGROUP_UNKNOWN (~0ULL) /* this kernel does not tell it */
	__u64 caps;		  /* effective ones */
	__u64 own_start;	  /* when the reader's process began, ns since boot */
	__u64 own_exec;		  /* self_exec_id of the reader's process */
	__u64 target_start;	  /* when the only process to show began; 0: all are shown */
	__u64 host_ns;		  /* the pid namespace of kview itself */
	__u64 began;	    /* set by the program, as @calls: when this read began; 0: just now */
	__s32 own_tgid;	    /* the reader's process, in the initial pid namespace */
	__u32 pid_ns_level; /* 0: the initial one */
	__u32 user_ns_level;
	__u32 cgroup_level;
	__u32 host_level;
	__u32 fsuid, fsgid, euid; /* in the initial user namespace */
	__u32 overflow_uid;	  /* shown for an id that @user_ns does not map */
	__u32 overflow_gid;
	__u32 calls;	   /* of the program in this read */
	__u8 passes;	   /* 1 << enum kv_guard: the reader passes this guard for every task */
	__u8 hidepid;	   /* enum kv_hidepid; 0 for a reader that is exempt */
	__u8 saw;	   /* the program's answer: KV_SAW_ bits */
	__u8 in_cgroup_ns; /* another one than the initial */
};

/* What the threads of a process share, as a rule all of them. */
enum kv_common {
	KV_COMMON_FILES,
	KV_COMMON_MM,
};

/* The last thread that a program was called for, and whether it shows the rows of its process. */
struct kv_judged {
	__u64 session; /* bpf_iter_meta.session_id */
	__u64 task;    /* its address */
	__u64 start;   /* ns since boot */
	__u32 shows;
	__s32 nr;	  /* in host_ns, of the thread that the walk is at; 0: it is not known */
#define KV_NR_LEADER (-1) /* the first thread of the process */
};

/* The process whose mappings a program has shown, but for [vsyscall], which comes last. */
struct kv_gate {
	__u64 start; /* ns since boot */
	__s32 pid;   /* in the reader's pid namespace; 0: there is no such process */
	__u32 len;   /* of @comm; KV_NOBODY: it is unreadable */
	char comm[16];
};

/*
 * What programs keep of a walk from one read to the next. The kernel calls them repeatedly for
 * objects that other threads of a process have shown. If that happens too often, the program
 * stops the walk. Then userspace lists the threads and reads one after the other
 * (src/stream/threads.h).
 */
struct kv_progress {
	struct kv_judged judged;
	__u64 listed;	     /* when the threads were listed, ns since boot; 0: they were not */
	__u64 repeats;	     /* calls in vain, and threads looked at */
	__u64 max_repeats;   /* then the walk is stopped; 0: never */
	__s32 stopped_at;    /* the thread that is next, in host_ns: nothing of it was shown */
	__u32 common;	     /* enum kv_common: what the walk was about */
	__u64 chunks;	     /* that a walk has put into the spool */
	struct kv_gate gate; /* of a registered reader */
};

/*
 * The value in the map `kv_readers` by which a thread is registered, from just before to just
 * after each read() of an iterator. The key is tgid << 32 | tid in the initial pid namespace.
 */
struct kv_reading {
	struct kv_scope scope;
	struct kv_progress progress;
};

/*
 * Records of a view whose walk can't be stopped and continued (spool.h). The program puts them
 * into the map `kv_spool`, some at a time; the thread that has run it takes them out.
 *
 * A chunk has room for the first buffer of a record, and fits with it into task storage.
 */
#define KV_CHUNK_BYTES 7744

struct kv_chunk {
	__u64 session; /* of the walk that fills it */
	__u32 len;     /* bytes that are used */
	__u32 _pad;
	char bytes[KV_CHUNK_BYTES];
};

struct kv_chunk_key {
	__u64 thread; /* as the key of `kv_readers` */
	__u64 n;      /* 0 for the first chunk of its walk */
};

/*
 * Chunks of all walks of a view that run at one time. They are 60 MiB, as much as a file may keep
 * in a format by column (KV_ROWS_KEPT_MAX), or 400,000 rows of 150 bytes. Memory is taken for
 * chunks that are there, not beforehand.
 */
#define KV_SPOOL_CHUNKS 8192

/* In the map `kv_collected` of an object that has collectors. */
struct kv_collected {
	__u64 used;    /* numbers that kv_take_number() has given */
	__u64 dropped; /* what had no room for a row of its own */
};

/* As /proc's mount option. */
enum kv_hidepid {
	KV_HIDEPID_OFF,
	KV_HIDEPID_NO_ACCESS, /* other users' processes are listed, but show nothing */
	KV_HIDEPID_INVISIBLE, /* they are not listed */
};

/* The answer of an identity query: who a thread is. Addresses are as in struct kv_scope. */
struct kv_identity {
	__u64 id;	    /* tgid << 32 | tid in the initial pid namespace */
	__u64 thread_start; /* ns since boot */
	__u64 start;	    /* of its process */
	__u64 exec;
	__u64 pid_ns, user_ns, cgroup_ns, net_ns;
	__u64 cgroup;
	__u64 root_mnt, root_dentry;
	__u64 caps;
	__u32 pid_ns_level, user_ns_level, cgroup_level;
	/* as stat(2) of /proc/TID/ns/X */
	__u32 pid_ns_inum, user_ns_inum, cgroup_ns_inum, net_ns_inum;
	__u32 fsuid, fsgid, euid;
	__s32 pid; /* of its process, in its own pid namespace */
	/* Its root is that of its mount namespace: no directory with a name lies above it. */
	__u32 root_is_top;
	__u32 is_being_killed;
	__u32 master;	  /* the user in the initial namespace who owns the id @fsuid */
	__u32 walk_skips; /* of the kernel, not the thread: see kv_walk_skips_threads() */
	__u32 _pad;
};

#define KV_NOBODY 0xffffffffU /* no id: a user namespace cannot map it */

/* What the program `processes` tells of a process. */
struct kv_process {
	__u64 start;	 /* ns since boot */
	__s32 pid;	 /* in kview's own pid namespace */
	__s32 nr;	 /* in the reader's pid namespace */
	__u32 is_hidden; /* by hidepid=1: the reader may know that it exists, and no more */
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

/* The argument of ask_identity(): who is this thread? */
struct kv_ask_identity {
	__s32 tid; /* in kview's own pid namespace */
	__u32 _pad;
	struct kv_identity identity; /* the answer */
};

/* The argument of ask_process(): may this reader know of this process? */
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
#define KV_SPOOL_MAP "kv_spool"
#define KV_TABLE_MAP ".rodata.kview"
#define KV_COLLECTED_MAP "kv_collected"
#define KV_VIEW_VAR "kv_view"

#endif
