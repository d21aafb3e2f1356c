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

#include <linux/types.h>

#define KV_ABI_VERSION 1
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
	__u64 boot_time;   /* Unix time of boot in ns, for text readers */
	__u32 page_shift;
	__u32 nr_nodes; /* highest possible NUMA node + 1 */
	struct kv_text_column columns[KV_MAX_COLUMNS];
};

/*
 * What one registered reading thread may see, set just before each read() of
 * an iterator. The key in the `kv_readers` map is tgid << 32 | tid, both in
 * the initial pid namespace.
 */
struct kv_scope {
	__u64 boot_time;    /* Unix time of boot in ns, as of this open */
	__u32 pid_ns_level; /* of the pid namespace whose numbers are shown */
	/* What the program answers: in this read, was it called for an object, for the end? */
	__u8 saw_object;
	__u8 saw_end;
	__u16 _pad;
};

/* What the tool `self` says of the thread that reads it. */
struct kv_self {
	__u64 id;	    /* tgid << 32 | tid in the initial pid namespace */
	__u32 pid_ns_level; /* 0: the initial one */
	__u32 _pad;
};

#define KV_MAX_READERS 4096
#define KV_READERS_MAP "kv_readers"
#define KV_TABLE_MAP ".rodata.kview"
#define KV_VIEW_VAR "kv_view"

#endif
