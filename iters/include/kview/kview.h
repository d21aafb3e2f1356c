/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface for views: the tags that make a record struct the schema, and the calls that
 * begin, fill and emit a record. kview-iters(7) explains a whole view.
 *
 * A program is called once per kernel object and may be called again for the
 * same one (the kernel drops a record that did not fit and repeats the call),
 * so it must depend on nothing but its object.
 */
#ifndef KVIEW_VIEW_H
#define KVIEW_VIEW_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "abi.h"
#include "compat.h"
#include "reader.h"
#include "threads.h"

/* --- the schema, in tags --- */

#define KV_TAG(text) __attribute__((btf_decl_tag(text)))

#define KV_MEANS(text) KV_TAG("means:" text) /* one line for schema/VIEW */
#define KV_UNIT(text) KV_TAG("unit:" text)   /* bytes, s, ... */
#define KV_SHOW(how) KV_TAG("show:" #how)    /* hex, oct, seconds, dev, list */
/* __u64[N]: a histogram, see histogram.h */
#define KV_BUCKETS(first) KV_TAG_OF("buckets:", first)
#define KV_TAG_OF(name, value) KV_TAG(name #value)
#define KV_NONE(value) KV_TAG("none:" #value) /* this value means: no value */
#define KV_WIDTH(n) KV_TAG("width:" #n)	      /* usual width in the text table */
/* cmdline: kview puts the arguments of the process there that a member struct kv_whose names */
#define KV_FROM(what) KV_TAG("from:" #what)
/* key: one of those that tell rows apart; gauge: goes up and down; counter: only up */
#define KV_ROLE(role) KV_TAG("role:" #role)

/*
 * KV_VIEW - declare the object's one view
 * @type: the record, `struct type`; members are the columns, in order. A name
 *	  that begins with '_' is no column (head, padding).
 * @shows: one line for `kview list`
 * @since: first Linux release that has the iterator, as "6.13"
 */
#define KV_VIEW(type, shows, since)                                          \
	KV_TAG("shows:" shows)                                               \
	KV_TAG("since:" since)                                               \
	const volatile struct {                                              \
		struct type *record[0];                                      \
		struct kv_table table;                                       \
	} kv_view SEC(".rodata.kview") = {.table = {.abi = KV_ABI_VERSION}}; \
	static __always_inline const volatile struct kv_table *kv_table()    \
	{                                                                    \
		return &kv_view.table;                                       \
	}                                                                    \
	char LICENSE[] SEC("license") = "GPL"

/*
 * KV_VIEW_FOR_ALL - the same, with rows that every user may have, whatever the task: the file has
 * the mode 0444, and the program leaves out what the reader's namespaces do not have
 */
#define KV_VIEW_FOR_ALL(type, shows, since) KV_TAG("readers:all") KV_VIEW(type, shows, since)

static __always_inline const volatile struct kv_table *kv_table(void);

/**
 * kv_has() - can this kernel fill a column?
 * @type: the record, `struct type`
 * @column: a member of it
 *
 * Data that only some columns need is read under this condition. If the kernel refuses the
 * program because it lacks a field, or has it in another shape, the loader finds the columns
 * that cause this and loads the program without them: they show no value. The condition is a
 * constant then, so the verifier skips the code.
 */
#define kv_has(type, column) (!kv_table()->lacks[__builtin_offsetof(struct type, column)])

/* kv_set() - set a member of the record @r, and read @value, if kv_has() that column */
#define kv_set(r, column, value)                                                  \
	do {                                                                      \
		if (!kv_table()->lacks[__builtin_offsetof(typeof(*(r)), column)]) \
			(r)->column = (value);                                    \
	} while (0)

/* --- state of one reading thread --- */

/*
 * Iterator programs can be preempted, and another reader then runs on the same
 * CPU: scratch memory lives with the reading thread, never with the CPU.
 *
 * State that changes while a record is filled is kept here as well, not in variables. The
 * verifier tracks the values of variables along every path through the program, but not
 * those of map memory. So verification takes a tenth of the time.
 */
#define KV_PATH_MAX 4096
#define KV_NAME_MAX 256
#define KV_CHARS_MAX 64

/* A path under construction, see path.h. */
struct kv_walk {
	const struct dentry *from_dentry, *dentry, *next, *root_dentry;
	const struct vfsmount *from_mnt, *mnt, *root_mnt;
	const struct dentry *mnt_root; /* of @mnt */
	__u64 pos;		       /* in kv_scratch.path, which is filled from its end */
	__u64 failed;		       /* a KV_STR_ code */
	__u64 first;
	__u64 deleted;
	__u64 reserved;	   /* bytes at the end that names may not take */
	__u64 copies;	   /* this walk copies the names */
	__u64 sum;	   /* kv_mix() of all that it met */
	__u64 members[16]; /* of a dentry */
	__u64 moving;	   /* a dentry was being changed */
	__u64 first_sum;
	__u64 steps;  /* of all walks that copied names */
	__u64 steady; /* two walks met the same */
};

/* The time of boot, as read once in a walk: see clock.h. */
struct kv_boot {
	__u64 session; /* bpf_iter_meta.session_id */
	__u64 time;
};

struct kv_scratch {
	__u64 len;	     /* of the record so far */
	__u64 split;	     /* bytes of it in its first buffer; 0: all */
	__u64 lost;	     /* there was no memory for the second buffer */
	const void *src;     /* of the bytes that kv_put_far() puts */
	__u64 asked;	     /* address of the task that rights were checked for, or 0 */
	__u64 granted;	     /* the guards that were passed: 1 << enum kv_guard */
	struct kv_seen seen; /* what decided that */
	__u64 used;	     /* bytes of a char[] that are */
	struct kv_walk walk;
	char path[KV_PATH_MAX + KV_NAME_MAX]; /* a path being built from its end */
	__u64 chars[2][KV_CHARS_MAX / 8];     /* an array of characters, read twice */
	struct kv_progress progress;	      /* of a reader of the pin */
	struct kv_boot boot;
};

/* A map with a value of struct @type for each thread, which goes with the thread. */
#define KV_THREAD_MAP(name, type_name)                   \
	struct {                                         \
		__uint(type, BPF_MAP_TYPE_TASK_STORAGE); \
		__uint(map_flags, BPF_F_NO_PREALLOC);    \
		__type(key, int);                        \
		__type(value, struct type_name);         \
	} name SEC(".maps")

/* kv_of_thread() - the value that @task has in such a map, zero at first; NULL: no memory */
#define kv_of_thread(map, task) \
	bpf_task_storage_get(&(map), task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE)

KV_THREAD_MAP(kv_scratch, kv_scratch);

/*
 * The record lies in two buffers; few records need the second. A value of task storage may
 * have no more than 8 KiB, with a hundred bytes of the kernel's own, since Linux 7.2: that is
 * the largest size of kmalloc_nolock().
 */
struct kv_buffer {
	char bytes[7744];
};

KV_THREAD_MAP(kv_first, kv_buffer);
KV_THREAD_MAP(kv_second, kv_buffer);

static __always_inline struct kv_buffer *kv_second_buffer()
{
	return kv_of_thread(kv_second, bpf_get_current_task_btf());
}

/* One call of the program. */
struct kv_call {
	struct seq_file *seq;
	struct kv_scratch *scratch;
	struct kv_buffer *record;
	struct kv_scope *scope; /* NULL: a reader of the pin, which gets text */
	struct kv_progress *progress;
	__u64 session;	    /* bpf_iter_meta.session_id */
	__u64 pid_ns_level; /* of the pid namespace whose numbers the reader knows */
	__u64 pid_ns;	    /* its address; used only above level 0 */
};

/*
 * kv_opaque() - hide the value of a variable from the compiler
 *
 * The compiler may check the bounds of one register and then use a copy in another one, which
 * the verifier knows no bounds of. It cannot if it does not know that the two are equal.
 */
#define kv_opaque(v) asm volatile("" : "+r"(v))

#include "text.h"
#include "chars.h"

/* A reader of the pin gets the numbers of its own pid namespace. */
static __always_inline void kv_text_numbers(struct kv_call *c)
{
	const struct pid *pid = BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid);
	struct upid upid = {};

	c->pid_ns_level = BPF_CORE_READ(pid, level);
	kv_pid_at(pid, c->pid_ns_level, &upid);
	c->pid_ns = (__u64)upid.ns;
}

static __always_inline int kv_begin_any(struct kv_call *c, struct bpf_iter_meta *meta,
					const void *object)
{
	struct task_struct *current;
	struct kv_reading *reading;

	/* Read before the paths part: here the verifier trusts the pointer. */
	c->seq = meta->seq;
	c->session = meta->session_id;
	current = bpf_get_current_task_btf();
	reading = kv_reading_find(current);
	c->scope = NULL;
	c->progress = NULL;
	if (reading) {
		c->scope = &reading->scope;
		c->progress = &reading->progress;
	} else if (!kv_table()->ncolumns) {
		return 1;
	}
	c->scratch = kv_of_thread(kv_scratch, current);
	c->record = kv_of_thread(kv_first, current);
	if (!c->scratch || !c->record)
		return 1;
	if (!reading)
		c->progress = &c->scratch->progress;
	c->scratch->asked = 0;
	if (c->scope) {
		c->scope->saw |= object ? KV_SAW_OBJECT : KV_SAW_END;
		c->pid_ns_level = c->scope->pid_ns_level;
		c->pid_ns = c->scope->pid_ns;
	} else {
		kv_text_numbers(c);
		/* The call for the end has the number of the last object; if there was none, -1. */
		if (meta->seq_num == (object ? 0 : -1ULL))
			kv_text_line(c, kv_text_name);
	}
	return 0;
}

/**
 * kv_begin() - first thing in a program of a kernel-wide view
 * @c: filled in
 * @meta: ctx->meta
 * @object: what the program was called for; NULL in the call behind the last
 *
 * Prints the header line for a text reader's first object, so it comes before
 * any decision to leave an object out. The mount gives such a view to root, or
 * to whom its operator says. Views of tasks begin with kv_begin_task(), and those of a network
 * namespace with kv_begin_net() in net.h.
 *
 * Return: 0, or 1: the program must return 1 (no memory for scratch; the
 * kernel then tells the reader EAGAIN instead of leaving a row out).
 */
#define kv_begin(c, meta, object)                                                              \
	({                                                                                     \
		_Static_assert(                                                                \
			!KV_IS(object, struct task_struct) && !KV_IS(object, struct file) &&   \
				!KV_IS(object, struct vm_area_struct) && !KV_IS(object, void), \
			"a view of tasks begins with kv_begin_task()");                        \
		_Static_assert(!KV_IS_OF_NET(object),                                          \
			       "a view of a network namespace begins with kv_begin_net()");    \
		kv_begin_any(c, meta, object);                                                 \
	})

#define KV_IS(object, type) __builtin_types_compatible_p(typeof(*(object)), type)

/* An object of a network namespace. */
#define KV_IS_OF_NET(object)                                                      \
	(KV_IS(object, struct sock_common) || KV_IS(object, struct udp_sock) ||   \
	 KV_IS(object, struct unix_sock) || KV_IS(object, struct netlink_sock) || \
	 KV_IS(object, struct fib6_info))

/*
 * Only walks through tasks are stopped by time: other iterators lose objects where they stop, or
 * do not go on. The clock is read once in so many calls, since that takes a tenth of the time of
 * a cheap object.
 */
#define KV_CALLS_PER_LOOK 64

/* After something that took as long as many calls. */
static __always_inline void kv_look_soon(struct kv_scope *scope)
{
	if (scope)
		scope->calls = KV_CALLS_PER_LOOK - 1;
}

static __always_inline bool kv_is_time_up(struct kv_scope *scope)
{
	__u64 now;

	if (++scope->calls % KV_CALLS_PER_LOOK)
		return false;
	now = bpf_ktime_get_ns();
	if (!scope->began)
		scope->began = now;
	if (now - scope->began < KV_SLICE_NS)
		return false;
	scope->saw |= KV_SAW_TIME;
	return true;
}

/* Note that @task passed @guard. Rights of one record must be decided by the same memory. */
static __always_inline void kv_note_rights(struct kv_scratch *scratch,
					   const struct task_struct *task, enum kv_guard guard,
					   const struct kv_seen *seen)
{
	if (!seen->cred)
		return; /* the reader passes for every task */
	if (!scratch->asked) {
		scratch->seen = *seen;
		scratch->granted = 0;
	} else if (scratch->seen.mm != seen->mm || scratch->seen.exec != seen->exec) {
		scratch->seen.exec = ~0ULL; /* never so: the record is made again */
	}
	scratch->asked = kv_address(task);
	/* What the task has to do with KV_STACK is the same. */
	scratch->granted |= 1 << (guard == KV_STACK ? KV_IO : guard);
}

/*
 * Does the task still execute the same program, and would the reader pass now? A task that
 * executes a setuid program gets another cred, and with it rights.
 */
static __always_inline bool kv_still_may(struct kv_call *c)
{
	struct kv_scratch *scratch = c->scratch;
	const struct task_struct *task = (void *)scratch->asked;
	struct kv_seen seen;

	if (!kv_is_as_seen(&scratch->seen, task))
		return false;
	if (scratch->seen.cred == (__u64)BPF_CORE_READ(task, real_cred) || !c->scope)
		return true;
	for (int guard = KV_PTRACE; guard <= KV_IO; guard++)
		if (scratch->granted >> guard & 1 && !kv_may_see(c->scope, task, guard, &seen))
			return false;
	return true;
}

static __always_inline int kv_begin_row(struct kv_call *c, const struct task_struct *task,
					enum kv_guard guard)
{
	struct kv_seen seen = {};

	if (!c->scope)
		return KV_SHOW;
	if (!kv_shows(c->scope, task, guard, &seen))
		return KV_LEAVE;
	kv_note_rights(c->scratch, task, guard, &seen);
	return KV_SHOW;
}

/* What every view of tasks begins with, before it is decided which thread shows a row. */
static __always_inline int kv_begin_call(struct kv_call *c, struct bpf_iter_meta *meta,
					 const struct task_struct *task)
{
	if (kv_begin_any(c, meta, task))
		return KV_RETRY;
	if (!task)
		return KV_LEAVE;
	return c->scope && kv_is_time_up(c->scope) ? KV_RETRY : KV_SHOW;
}

/**
 * kv_begin_task() - first thing in a program of a view of tasks
 * @c: filled in
 * @meta: ctx->meta
 * @task: what the program was called for, or whose object
 * @guard: the guard of the file in /proc that has the record's data. A column that
 *	   needs more rights is filled only if kv_may() returns true
 *
 * Return: KV_SHOW: this reader may have a row, fill it; another: the program
 * returns that.
 */
static __always_inline int kv_begin_task(struct kv_call *c, struct bpf_iter_meta *meta,
					 const struct task_struct *task, enum kv_guard guard)
{
	int verdict = kv_begin_call(c, meta, task);

	return verdict == KV_SHOW ? kv_begin_row(c, task, guard) : verdict;
}

/* kv_passes() - does the reader pass @guard whatever the task? */
static __always_inline bool kv_passes(const struct kv_call *c, enum kv_guard guard)
{
	return !c->scope || (c->scope->passes >> guard & 1);
}

/* kv_may() - does the reader pass @guard for @task? Readers of the pin do. */
static __always_inline bool kv_may(const struct kv_call *c, const struct task_struct *task,
				   enum kv_guard guard)
{
	struct kv_seen seen;

	if (!c->scope)
		return true;
	if (!kv_may_see(c->scope, task, guard, &seen))
		return false;
	kv_note_rights(c->scratch, task, guard, &seen);
	return true;
}

/**
 * kv_record() - the record to fill, zeroed
 * @c: from kv_begin()
 * @type: the record's struct
 */
#define kv_record(c, type)                                                                     \
	({                                                                                     \
		type *_r = (type *)(c)->record->bytes;                                         \
		_Static_assert(sizeof(type) <= KV_FIXED_MAX, "fixed part above KV_FIXED_MAX"); \
		__builtin_memset(_r, 0, sizeof(type));                                         \
		(c)->scratch->len = sizeof(type);                                              \
		(c)->scratch->split = 0;                                                       \
		(c)->scratch->lost = 0;                                                        \
		_r;                                                                            \
	})

/**
 * kv_settle() - is the task still the one that the reader's rights were checked for?
 *
 * To be called after reading from the task, and before adding the path of an object that is
 * held, since that may take long. kv_emit() calls it if the program did not.
 *
 * Return: false: the program returns KV_RETRY.
 */
static __always_inline bool kv_settle(struct kv_call *c)
{
	if (c->scratch->asked && !kv_still_may(c))
		return false;
	c->scratch->asked = 0;
	return true;
}

/* The bytes of one buffer. */
static __always_inline long kv_write_part(struct kv_call *c, struct kv_buffer *part, __u64 len)
{
	kv_opaque(len);
	return len <= sizeof(part->bytes) ? bpf_seq_write(c->seq, part->bytes, len) : -1;
}

static __always_inline long kv_write_record(struct kv_call *c)
{
	__u64 len = c->scratch->len, split = c->scratch->split;
	struct kv_buffer *second;

	if (!split)
		return kv_write_part(c, c->record, len);
	second = kv_second_buffer();
	return !second || kv_write_part(c, c->record, split) ||
	       kv_write_part(c, second, len - split);
}

/* A row for the end that does not fit comes in the next read. */
static __always_inline void kv_write(struct kv_call *c)
{
	((struct kv_head *)c->record->bytes)->len = c->scratch->len;
	if (!c->scope)
		kv_text_line(c, kv_text_field);
	else if (kv_write_record(c) && (c->scope->saw & KV_SAW_END))
		c->scope->saw = (c->scope->saw & ~KV_SAW_END) | KV_SAW_LATE;
}

/*
 * Did the seq buffer have room? If not, the kernel drops all that this call wrote, and calls
 * again. If this kernel does not tell, the answer is no.
 */
static __always_inline bool kv_had_room(const struct kv_call *c)
{
	return bpf_core_field_exists(struct seq_file, count) &&
	       bpf_core_field_exists(struct seq_file, size) && c->seq->count < c->seq->size;
}

/**
 * kv_emit() - hand the record to the reader: binary or one line of text
 * @c: the call, with its record filled
 *
 * Return: what the program returns: 0, or KV_RETRY as of kv_settle(). An overflow of
 * the seq buffer needs no care here: the kernel drops the record and calls again for
 * this object.
 */
static __always_inline int kv_emit(struct kv_call *c)
{
	if (c->scratch->len > KV_RECORD_MAX)
		return 1; /* never: the kv_put functions keep below it */
	if (c->scratch->lost || !kv_settle(c))
		return KV_RETRY;
	kv_write(c);
	return 0;
}

#include "put.h"

#endif
