/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The second way for records, beside the seq buffer: for a walk that loses objects where it stops,
 * or that can't go on. The program puts records into the map `kv_spool`, and the whole walk is one
 * run: nothing stops it. Then the thread that has run it takes them out of the map.
 *
 * Records are gathered in memory of the thread, and enter the map a chunk at a time. An array of
 * the reader's own would take no copy. But it would have all its memory beforehand, and kview's
 * worker, which reads for users, may not create maps.
 *
 * A view that includes this has such a map, and all its records go that way. A reader of the pin
 * still gets text by the seq buffer: see kv_begin_spooled().
 */
#ifndef KVIEW_SPOOL_H
#define KVIEW_SPOOL_H

#include "kview.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KV_SPOOL_CHUNKS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct kv_chunk_key);
	__type(value, struct kv_chunk);
} kv_spool SEC(".maps");

/* The chunk that a thread fills. */
KV_THREAD_MAP(kv_chunks, kv_chunk);

/* Memory for a chunk may come a moment later: the kernel refills its reserve by an interrupt. */
#define KV_SPOOL_TRIES 64

struct kv_flush {
	struct kv_chunk_key key;
	struct kv_chunk *chunk;
	__u64 done;
};

static long kv_flush_try(__u64 i, struct kv_flush *f)
{
	f->done = !bpf_map_update_elem(&kv_spool, &f->key, f->chunk, BPF_ANY);
	return f->done;
}

/* Into the map. false: there was no room, and the walk is to be given up. */
static __always_inline bool kv_spool_flush(struct kv_call *c, struct kv_chunk *chunk)
{
	struct kv_flush f = {
		.key = {.thread = bpf_get_current_pid_tgid(), .n = c->progress->chunks},
		.chunk = chunk,
	};

	bpf_loop(KV_SPOOL_TRIES, kv_flush_try, &f, 0);
	if (!f.done) {
		c->scope->saw |= KV_SAW_FULL;
		return false;
	}
	c->progress->chunks++;
	chunk->len = 0;
	return true;
}

/**
 * kv_begin_spooled() - kv_begin() of an iterator whose records are spooled
 *
 * A reader of the pin gets text as far as one read goes, 32 KiB at most. The walk stops there, and
 * what it loses nobody knows: so the next read fails with EAGAIN.
 */
#define kv_begin_spooled(c, meta, object)                           \
	({                                                          \
		int _rc = kv_begin_any(c, meta, object);            \
		_rc || (!(c)->scope && kv_is_second_read(c, meta)); \
	})

/* The header stands before the first object, so the buffer is empty in a later read alone. */
static __always_inline bool kv_is_second_read(const struct kv_call *c,
					      const struct bpf_iter_meta *meta)
{
	return meta->seq_num && meta->seq_num != -1ULL && !c->seq->count;
}

/**
 * kv_begin_run() - first thing in a program in the section "call", which is a view without an
 * iterator: kview calls it once per walk, and it walks by itself
 *
 * Return: 0, or 1: the program must return 1.
 */
static __always_inline int kv_begin_run(struct kv_call *c)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct kv_reading *reading = kv_reading_find(current);

	if (!reading)
		return 1;
	*c = (struct kv_call){
		.scratch = kv_of_thread(kv_scratch, current),
		.record = kv_of_thread(kv_first, current),
		.scope = &reading->scope,
		.progress = &reading->progress,
		.session = bpf_ktime_get_ns(),
		.pid_ns_level = reading->scope.pid_ns_level,
		.pid_ns = reading->scope.pid_ns,
	};
	if (!c->scratch || !c->record)
		return 1;
	c->scratch->asked = 0;
	return 0;
}

/* The verifier knows the bounds of an offset and of a length, but not those of their sum. */
static __always_inline bool kv_spool_fits(struct kv_chunk *chunk, const void *from, __u64 len,
					  __u64 most)
{
	__u64 at = chunk->len;

	kv_opaque(at);
	kv_opaque(len);
	if (len > most || at > sizeof(chunk->bytes) - most)
		return false;
	bpf_probe_read_kernel(chunk->bytes + at, len, from);
	chunk->len = at + len;
	return true;
}

/* A part of a record stays in one piece. */
static __always_inline bool kv_spool_part(struct kv_call *c, struct kv_chunk *chunk,
					  const void *from, __u64 len)
{
	if (kv_spool_fits(chunk, from, len, 512) || kv_spool_fits(chunk, from, len, KV_PATH_MAX))
		return true;
	if (chunk->len && !kv_spool_flush(c, chunk))
		return false;
	return kv_spool_fits(chunk, from, len, sizeof(chunk->bytes));
}

static __always_inline struct kv_chunk *kv_spool_chunk(struct kv_call *c)
{
	struct kv_chunk *chunk = kv_of_thread(kv_chunks, bpf_get_current_task_btf());

	/* A walk that was given up left it as it was. */
	if (chunk && chunk->session != c->session) {
		chunk->session = c->session;
		chunk->len = 0;
	}
	return chunk;
}

static __always_inline bool kv_spool_record(struct kv_call *c)
{
	struct kv_chunk *chunk = kv_spool_chunk(c);
	__u64 len = c->scratch->len, split = c->scratch->split;
	struct kv_buffer *second;

	if (!chunk || c->scratch->lost || len > KV_RECORD_MAX)
		return false;
	((struct kv_head *)c->record->bytes)->len = len;
	if (!split)
		return kv_spool_part(c, chunk, c->record->bytes, len);
	second = kv_second_buffer();
	return second && kv_spool_part(c, chunk, c->record->bytes, split) &&
	       kv_spool_part(c, chunk, second->bytes, len - split);
}

/**
 * kv_spool_emit() - kv_emit() into the spool, for a registered reader
 *
 * Return: 0, or 1: the program returns that, and the walk is given up.
 */
static __always_inline int kv_spool_emit(struct kv_call *c)
{
	if (kv_spool_record(c))
		return 0;
	c->scope->saw |= KV_SAW_FULL;
	return 1;
}

/* kv_spool_end() - what a program returns behind the last object: the rest enters the map */
static __always_inline int kv_spool_end(struct kv_call *c)
{
	struct kv_chunk *chunk;

	if (!c->scope) /* a reader of the pin */
		return 0;
	chunk = kv_spool_chunk(c);
	if (!chunk)
		c->scope->saw |= KV_SAW_FULL;
	else if (chunk->len)
		kv_spool_flush(c, chunk);
	c->scope->saw |= KV_SAW_END;
	return 0;
}

#endif
