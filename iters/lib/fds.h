/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many descriptors are open, by the bitmap of the table.
 *
 * Included behind the record of a view that has the column fds, with KV_FDS_VIEW defined as the
 * name of its struct.
 */
#ifndef KVIEW_FDS_H
#define KVIEW_FDS_H

#include "kview.h"

#define KV_FDS_WORDS 16 /* of a table's bitmap, looked at together */

struct kv_fds {
	__u64 bits; /* address */
	__u64 words_left;
	__u64 n;
	__u64 words[KV_FDS_WORDS];
};

KV_THREAD_MAP(kv_fds_of, kv_fds);

static long kv_fds_step(__u64 i, struct kv_fds **fds)
{
	struct kv_fds *k = *fds;
	__u64 words = k->words_left < KV_FDS_WORDS ? k->words_left : KV_FDS_WORDS;

	if (!words)
		return 1;
	__builtin_memset(k->words, 0, sizeof(k->words));
	kv_opaque(words);
	if (words > KV_FDS_WORDS ||
	    bpf_probe_read_kernel(k->words, words * sizeof(k->words[0]), (void *)k->bits))
		return 1;
	for (int w = 0; w < KV_FDS_WORDS; w++)
		k->n += __builtin_popcountll(k->words[w]);
	k->bits += sizeof(k->words);
	k->words_left -= words;
	return 0;
}

/* Counts the bits of a descriptor table. Not static, so that it is verified once. */
__noinline int kv_count_fds(struct kv_fds *k, __u64 bits, __u64 n)
{
	if (!k || !kv_has(KV_FDS_VIEW, fds))
		return 0;
	k->bits = bits;
	k->words_left = n / 64;
	k->n = 0;
	bpf_loop(n / 64 / KV_FDS_WORDS + 1, kv_fds_step, &k, 0);
	return 0;
}

/**
 * kv_put_fds() - count the descriptors of a task
 * @files: the task's struct files_struct, loaded through pointers from the program's context, or
 *	   NULL. It is freed at once, its table after a grace period
 *
 * Return: false: they were others meanwhile, or there is no memory; the program returns KV_RETRY.
 */
static __always_inline bool kv_put_fds(__u64 *n, const struct task_struct *task,
				       struct files_struct *files)
{
	struct kv_fds *k = kv_of_thread(kv_fds_of, bpf_get_current_task_btf());
	struct fdtable *fdt;

	*n = 0;
	if (!files)
		return true;
	if (!k)
		return false;
	fdt = files->fdt;
	kv_count_fds(k, kv_address(fdt->open_fds), fdt->max_fds);
	*n = k->n;
	kv_barrier();
	return BPF_CORE_READ(task, files) == files && files->fdt == fdt;
}

#endif
