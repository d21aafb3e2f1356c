/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts of processes: a row per process and kind of event. A process keeps its rows as long as it
 * runs. Those of a process that has ended stay until others need their places. What finds no
 * place is counted in the first row, of no process, so sums are whole.
 *
 * The includer defines what a row counts, and how many rows there are:
 *	#define KV_COUNTS struct bytes
 *	#define KV_ROWS 16384
 */
#ifndef KVIEW_PROCESS_ROWS_H
#define KVIEW_PROCESS_ROWS_H

#include "clock.h"
#include "last_thread.h"
#include "process.h"

#define KV_OWNERS 8192
#define KV_ROWS_OF_ONE 512 /* or one could take the places of all */

/* A process that has rows. */
struct kv_owner {
	__u64 turn;    /* which process has this place; 0: none, or it is being written */
	__u64 running; /* the same; 0: it has ended */
	__u64 start;   /* ns since boot */
	__u64 end;     /* likewise; 0: it runs */
	__u64 leader;  /* address of the task of its first thread */
	__u32 pid, uid;
	__u32 first; /* place of a row; 0: there is none */
	__u32 rows;
	char comm[KV_COMM];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KV_OWNERS);
	__type(key, __u32);
	__type(value, struct kv_owner);
} kv_owners SEC(".maps");

/* The identity of a process, and for a row what it counts. */
struct kv_row_key {
	__u64 start; /* ns since boot */
	__u64 kind;  /* as the view likes */
	__u32 pid;
	__u32 _pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KV_OWNERS);
	__type(key, struct kv_row_key);
	__type(value, __u32); /* place in @kv_owners */
} kv_owner_places SEC(".maps");

struct kv_row {
	__u64 turn; /* as in struct kv_owner */
	__u64 owner_turn;
	struct kv_row_key key;
	__u32 owner; /* place in @kv_owners */
	__u32 next;  /* place of a row of the same owner; 0: this is the last */
	KV_COUNTS counts;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KV_ROWS);
	__type(key, __u32);
	__type(value, struct kv_row);
} kv_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KV_ROWS);
	__type(key, struct kv_row_key);
	__type(value, __u32); /* place in @kv_rows */
} kv_row_places SEC(".maps");

/* --- places --- */

/* How many places were taken; those beyond the size of a table were another's before. */
struct kv_taken {
	__u64 owners, rows;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kv_taken);
} kv_places_taken SEC(".maps");

#define KV_QUEUE(name, size)                      \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_QUEUE); \
		__uint(max_entries, size);        \
		__type(value, __u32);             \
	} name SEC(".maps")

KV_QUEUE(kv_ended, KV_OWNERS); /* processes, in the order in which they ended */
KV_QUEUE(kv_free_owners, KV_OWNERS);
KV_QUEUE(kv_free_rows, KV_ROWS);

static long kv_free_step(__u64 i, __u32 *next)
{
	__u32 place = *next;
	struct kv_row *row = bpf_map_lookup_elem(&kv_rows, &place);
	struct kv_row_key key;

	if (!place || !row)
		return 1;
	*next = row->next;
	key = row->key;
	__sync_lock_test_and_set(&row->turn, 0);
	bpf_map_delete_elem(&kv_row_places, &key);
	bpf_map_push_elem(&kv_free_rows, &place, BPF_ANY);
	return 0;
}

/* The process that ended longest ago gives up its rows, and its place, which is returned; or 0. */
static __always_inline __u32 kv_forget_one(void)
{
	struct kv_row_key key = {};
	struct kv_owner *o;
	__u32 place, next;

	if (bpf_map_pop_elem(&kv_ended, &place))
		return 0;
	o = bpf_map_lookup_elem(&kv_owners, &place);
	if (!o)
		return 0;
	next = o->first;
	o->first = 0;
	bpf_loop(KV_ROWS, kv_free_step, &next, 0);
	key.start = o->start;
	key.pid = o->pid;
	__sync_lock_test_and_set(&o->turn, 0);
	bpf_map_delete_elem(&kv_owner_places, &key);
	return place;
}

static __always_inline struct kv_taken *kv_taken(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&kv_places_taken, &zero);
}

/* kv_take_owner(), kv_take_row() - a place that nobody has, 0: there is none; @turn: of who takes it */
static __always_inline __u32 kv_take_owner(__u64 *turn)
{
	struct kv_taken *taken = kv_taken();
	__u32 place;

	*turn = 0;
	if (!taken)
		return 0;
	*turn = __sync_fetch_and_add(&taken->owners, 1) + 1;
	if (*turn < KV_OWNERS)
		return *turn;
	return bpf_map_pop_elem(&kv_free_owners, &place) ? kv_forget_one() : place;
}

static __always_inline __u32 kv_take_row(__u64 *turn)
{
	struct kv_taken *taken = kv_taken();
	__u32 place, owner;

	*turn = 0;
	if (!taken)
		return 0;
	*turn = __sync_fetch_and_add(&taken->rows, 1) + 1;
	if (*turn < KV_ROWS)
		return *turn;
	if (!bpf_map_pop_elem(&kv_free_rows, &place))
		return place;
	owner = kv_forget_one();
	if (!owner)
		return 0;
	bpf_map_push_elem(&kv_free_owners, &owner, BPF_ANY);
	return bpf_map_pop_elem(&kv_free_rows, &place) ? 0 : place;
}

/* --- processes --- */

static __always_inline void kv_owner_set_uid(struct kv_owner *o, const struct task_struct *task)
{
	const struct cred *cred = task->real_cred;

	o->uid = cred->uid.val;
}

static __always_inline void kv_owner_fill(struct kv_owner *o, const struct task_struct *task)
{
	kv_owner_set_uid(o, task);
	o->leader = kv_address(task->group_leader);
	kv_process_comm(o->comm, task);
}

/* The place of a process that has none, 0: there is no room. */
static __always_inline __u32 kv_owner_add(const struct task_struct *task, struct kv_row_key *key)
{
	__u64 turn;
	__u32 place = kv_take_owner(&turn), *known;
	struct kv_owner *o = bpf_map_lookup_elem(&kv_owners, &place);

	if (!place || !o)
		return 0;
	o->start = key->start;
	o->pid = key->pid;
	o->end = 0;
	o->first = 0;
	o->rows = 0;
	kv_owner_fill(o, task);
	o->running = turn;
	__sync_lock_test_and_set(&o->turn, turn);
	if (!bpf_map_update_elem(&kv_owner_places, key, &place, BPF_NOEXIST))
		return place;
	/* Another thread was first. */
	__sync_lock_test_and_set(&o->turn, 0);
	bpf_map_push_elem(&kv_free_owners, &place, BPF_ANY);
	known = bpf_map_lookup_elem(&kv_owner_places, key);
	return known ? *known : 0;
}

static __always_inline struct kv_row_key kv_owner_key(const struct task_struct *task)
{
	const struct task_struct *leader = task->group_leader;

	return (struct kv_row_key){.start = leader->start_boottime, .pid = task->tgid};
}

/* The place of a process, if it has one, else 0. */
static __always_inline __u32 kv_owner_place(const struct task_struct *task)
{
	struct kv_row_key key = kv_owner_key(task);
	__u32 *place = bpf_map_lookup_elem(&kv_owner_places, &key);

	return place ? *place : 0;
}

/* Several threads may come here as the last, and the place may be another's meanwhile. */
SEC("tp_btf/sched_process_exit")
int kv_process_ends(__u64 *ctx)
{
	const struct task_struct *task = (void *)ctx[0];
	struct kv_row_key key = kv_owner_key(task);
	struct kv_owner *o;
	__u32 place;
	__u64 turn;

	if (!kv_is_last_thread(task))
		return 0;
	place = kv_owner_place(task);
	o = bpf_map_lookup_elem(&kv_owners, &place);
	if (!place || !o)
		return 0;
	turn = o->turn;
	kv_barrier();
	if (!turn || o->start != key.start || o->pid != key.pid ||
	    __sync_val_compare_and_swap(&o->running, turn, 0) != turn)
		return 0;
	kv_owner_fill(o, task);
	o->end = bpf_ktime_get_boot_ns();
	if (bpf_map_push_elem(&kv_ended, &place, BPF_ANY))
		kv_dropped();
	return 0;
}

/*
 * A program that is executed has another name than the one before. If another thread than the first
 * executes it, that is the first one then.
 */
SEC("tp_btf/task_rename")
int kv_process_renamed(__u64 *ctx)
{
	const struct task_struct *task = (void *)ctx[0];
	const char *comm = (void *)ctx[1];
	struct kv_owner *o;
	__u32 place;

	if (task->pid != task->tgid)
		return 0;
	place = kv_owner_place(task);
	o = bpf_map_lookup_elem(&kv_owners, &place);
	if (!place || !o)
		return 0;
	kv_owner_fill(o, task);
	bpf_probe_read_kernel_str(o->comm, KV_COMM, comm);
	return 0;
}

/* --- rows --- */

/* The owner of a row; NULL: nobody's, any more. */
static __always_inline struct kv_owner *kv_row_owner(const struct kv_row *row)
{
	__u32 place = row->owner;
	struct kv_owner *o = bpf_map_lookup_elem(&kv_owners, &place);

	return o && o->turn == row->owner_turn ? o : NULL;
}

static __always_inline __u32 kv_row_add(const struct task_struct *task, struct kv_row_key *key)
{
	struct kv_row_key of_owner = *key;
	__u32 *known, owner, place;
	struct kv_owner *o;
	struct kv_row *row;
	__u64 turn;

	/* On its way out of the kernel it begins no row: nobody would end that. */
	if (kv_is_last_thread(task))
		return 0;
	of_owner.kind = 0;
	known = bpf_map_lookup_elem(&kv_owner_places, &of_owner);
	owner = known ? *known : kv_owner_add(task, &of_owner);
	o = bpf_map_lookup_elem(&kv_owners, &owner);
	if (!owner || !o || o->rows >= KV_ROWS_OF_ONE)
		return 0;
	kv_owner_set_uid(o, task);
	place = kv_take_row(&turn);
	row = bpf_map_lookup_elem(&kv_rows, &place);
	if (!place || !row)
		return 0;
	row->owner = owner;
	row->owner_turn = o->turn;
	row->key = *key;
	__builtin_memset(&row->counts, 0, sizeof(row->counts));
	if (!bpf_map_update_elem(&kv_row_places, key, &place, BPF_NOEXIST)) {
		row->next = __sync_lock_test_and_set(&o->first, place);
		__sync_fetch_and_add(&o->rows, 1);
		kv_take_number();
		__sync_lock_test_and_set(&row->turn, turn); /* from now on it is shown */
		return place;
	}
	/* Another thread was first. */
	bpf_map_push_elem(&kv_free_rows, &place, BPF_ANY);
	known = bpf_map_lookup_elem(&kv_row_places, key);
	return known ? *known : 0;
}

/* kv_row_place() - of the row of the task's process for this kind of events; 0: of no process */
static __always_inline __u32 kv_row_place(const struct task_struct *task, __u64 kind)
{
	struct kv_row_key key = kv_owner_key(task);
	__u32 *known;

	key.kind = kind;
	known = bpf_map_lookup_elem(&kv_row_places, &key);
	return known ? *known : kv_row_add(task, &key);
}

static __always_inline KV_COUNTS *kv_row_counts(__u32 place)
{
	struct kv_row *row = bpf_map_lookup_elem(&kv_rows, &place);

	if (!row)
		return NULL;
	if (!place) {
		row->turn = 1;
		kv_dropped();
	}
	return &row->counts;
}

/* kv_counts_of() - the counts to add to, by atomic additions */
static __always_inline KV_COUNTS *kv_counts_of(const struct task_struct *task, __u64 kind)
{
	return kv_row_counts(kv_row_place(task, kind));
}

/* --- the view --- */

/*
 * KV_VIEW_OF_PROCESS_ROWS - a reader who may have the whole has all rows, and any other those of
 * running processes whose /proc/PID/io this reader may read
 */
#define KV_VIEW_OF_PROCESS_ROWS(type, shows) \
	KV_TAG("readers:all") KV_VIEW_OF_MAP(kv_rows, type, shows, "6.1")

/*
 * The task is there as long as the process runs. But when another thread than the first executes a
 * program, it is the first one a moment before that is known here.
 */
static __always_inline bool kv_is_leader_of(const struct task_struct *leader,
					    const struct kv_owner *o)
{
	return o->running && (__u32)BPF_CORE_READ(leader, tgid) == o->pid &&
	       BPF_CORE_READ(leader, start_boottime) == o->start;
}

/* kv_owner_begin() - may the reader have rows of the process? */
static __always_inline bool kv_owner_begin(struct kv_call *c, const struct kv_owner *o)
{
	const struct task_struct *leader = (void *)o->leader;

	return kv_passes(c, KV_WHOLE) ||
	       (kv_is_leader_of(leader, o) && kv_begin_row(c, leader, KV_IO) == KV_SHOW);
}

/* kv_owner_stays() - is what the rights were checked for still the first thread's? */
static __always_inline bool kv_owner_stays(const struct kv_call *c, const struct kv_owner *o)
{
	return kv_passes(c, KV_WHOLE) || kv_is_leader_of((void *)o->leader, o);
}

/* Who has the whole may have no number for a process. */
static __always_inline __u32 kv_owner_nr(const struct kv_call *c, const struct kv_owner *o)
{
	const struct task_struct *leader = (void *)o->leader;

	if (!c->pid_ns_level || kv_passes(c, KV_WHOLE))
		return o->pid;
	return kv_nested_nr(c, BPF_CORE_READ(leader, thread_pid));
}

/* What each such view has first; it ends with KV_OWNER_COMM. */
#define KV_OWNER_COLUMNS                                                                       \
	__u32 pid KV_ROLE(key) KV_NONE(0) KV_MEANS("process id; - for all that had no room")   \
		KV_WIDTH(7);                                                                   \
	__u64 start_boot KV_ROLE(key)                                                          \
		KV_MEANS("when it started, since boot: with pid, the identity of the process") \
			KV_UNIT("s") KV_SHOW(seconds) KV_NONE(0);                              \
	__u64 end KV_MEANS("when it ended, Unix time; - while it runs") KV_UNIT("s")           \
		KV_SHOW(seconds) KV_NONE(0);                                                   \
	__u32 uid KV_MEANS("real user id, as last seen") KV_WIDTH(5)
#define KV_OWNER_COMM struct kv_str comm KV_MEANS("name of the first thread")

/* kv_row_begin() - whose row it is, NULL: it is none; @turn: as kv_row_stays() needs it */
static __always_inline const struct kv_owner *kv_row_begin(const struct kv_row *row, __u64 *turn)
{
	const struct kv_owner *owner;

	*turn = row->turn;
	owner = *turn ? kv_row_owner(row) : NULL;
	kv_barrier();
	return owner;
}

/* kv_row_stays() - was it, all the while that it was read, the row of @turn and of @owner? */
static __always_inline bool kv_row_stays(const struct kv_row *row, __u64 turn,
					 const struct kv_owner *owner)
{
	kv_barrier();
	return row->turn == turn && owner->turn == row->owner_turn;
}

/* kv_put_owner() - the columns of a record @r of the view @view */
#define kv_put_owner(c, view, r, owner)                              \
	do {                                                         \
		__u64 _boot = kv_boot_time(c), _end = (owner)->end;  \
		(r)->pid = kv_owner_nr(c, owner);                    \
		(r)->uid = kv_uid(c, (owner)->uid);                  \
		(r)->start_boot = (owner)->start;                    \
		(r)->end = _boot && _end ? _boot + _end : 0;         \
		if (kv_has(view, comm) && (owner)->comm[0])          \
			kv_put_string(c, &(r)->comm, (owner)->comm); \
	} while (0)

/*
 * KV_SHOW_PROCESS_ROWS() - the view's program. Behind it stands the body of a function that sets
 * the columns of a record @r from @row, but those of its owner.
 */
#define KV_SHOW_PROCESS_ROWS(view)                                                         \
	static __always_inline void show_##view(struct view *r, const struct kv_row *row); \
                                                                                           \
	SEC("iter/bpf_map_elem")                                                           \
	int view(struct bpf_iter__bpf_map_elem *ctx)                                       \
	{                                                                                  \
		const struct kv_row *row = ctx->value;                                     \
		const struct kv_owner *owner;                                              \
		struct view *r;                                                            \
		struct kv_call c;                                                          \
		__u64 turn;                                                                \
                                                                                           \
		if (kv_begin_elem(&c, ctx->meta, row))                                     \
			return 1;                                                          \
		if (!row)                                                                  \
			return 0;                                                          \
		owner = kv_row_begin(row, &turn);                                          \
		if (!owner || !kv_owner_begin(&c, owner))                                  \
			return 0;                                                          \
		r = kv_record(&c, struct view);                                            \
		kv_put_owner(&c, view, r, owner);                                          \
		show_##view(r, row);                                                       \
		if (!kv_row_stays(row, turn, owner) || !kv_owner_stays(&c, owner))         \
			return KV_RETRY;                                                   \
		return kv_emit(&c);                                                        \
	}                                                                                  \
                                                                                           \
	static __always_inline void show_##view(struct view *r, const struct kv_row *row)

#endif
