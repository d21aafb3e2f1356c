/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a collector keeps of each thread. Memory is taken beforehand: a collector may run where the
 * kernel must not be asked for any.
 *
 * The includer says what that is. It begins with the address of the thread's task, 0 for none:
 *	#define KV_THREAD struct thread
 */
#ifndef KVIEW_THREAD_TABLE_H
#define KVIEW_THREAD_TABLE_H

#define KV_THREADS_BITS 16
#define KV_CROWDED_MAX 16384

/* By a hash of the address. Most have a place to themselves, until they end. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << KV_THREADS_BITS);
	__type(key, __u32);
	__type(value, KV_THREAD);
} kv_threads SEC(".maps");

/* Those whose place another thread has. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KV_CROWDED_MAX);
	__type(key, __u64);
	__type(value, KV_THREAD);
} kv_crowded SEC(".maps");

static __always_inline KV_THREAD *kv_thread_at(__u64 address)
{
	__u32 hash = address * 0x9e3779b97f4a7c15ULL >> (64 - KV_THREADS_BITS);

	return bpf_map_lookup_elem(&kv_threads, &hash);
}

/* kv_thread_find() - what is kept of a thread; NULL: nothing */
static __always_inline KV_THREAD *kv_thread_find(__u64 address)
{
	KV_THREAD *t = kv_thread_at(address);

	return t && t->task == address ? t : bpf_map_lookup_elem(&kv_crowded, &address);
}

/* kv_thread_add() - of one of which nothing is kept: all zero; NULL: there is no room */
static __always_inline KV_THREAD *kv_thread_add(__u64 address)
{
	KV_THREAD new = {.task = address}, *t = kv_thread_at(address);

	if (t && !t->task && !__sync_val_compare_and_swap(&t->task, 0, address))
		return t;
	bpf_map_update_elem(&kv_crowded, &address, &new, BPF_NOEXIST);
	return bpf_map_lookup_elem(&kv_crowded, &address);
}

/* kv_thread_forget() - its address will be another's */
static __always_inline void kv_thread_forget(__u64 address)
{
	KV_THREAD *t = kv_thread_at(address);

	if (!t || t->task != address) {
		bpf_map_delete_elem(&kv_crowded, &address);
		return;
	}
	__builtin_memset((char *)t + sizeof(t->task), 0, sizeof(*t) - sizeof(t->task));
	__sync_lock_test_and_set(&t->task, 0);
}

#endif
