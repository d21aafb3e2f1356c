/* SPDX-License-Identifier: GPL-2.0-only */
/* The controlling terminal of a process. */
#ifndef KVIEW_TTY_H
#define KVIEW_TTY_H

#include "kview.h"

/* Each view that includes this defines it behind its record: kv_has() of its column. */
static __always_inline bool kv_has_tty(void);

#define KV_IS_PTS 0x100 /* Unix98: devpts */

/*
 * A terminal's name never changes, but is freed with the terminal, without a grace period. So it
 * is read twice, and the process must have the terminal after each time. If the memory held
 * something else in between, the two readings differ.
 *
 * Return: the length of the name, which is in scratch->chars[0], with KV_IS_PTS; below 0: the
 * terminal went away.
 */
__noinline int kv_read_tty(__u64 signal_address, __u64 tty_address)
{
	struct signal_struct *signal = (void *)signal_address;
	struct tty_struct *tty = (void *)tty_address;
	struct kv_scratch *scratch = kv_of_thread(kv_scratch, bpf_get_current_task_btf());
	__u64 size;
	__u32 major;

	if (!scratch || !kv_has_tty())
		return -1;
	size = bpf_core_field_size(tty->name);
	__builtin_memset(scratch->chars, 0, sizeof(scratch->chars));
	major = BPF_CORE_READ(tty, driver, major);
	if (!kv_chars_read(scratch, 0, &tty->name, size))
		return -1;
	kv_barrier();
	if (BPF_CORE_READ(signal, tty) != tty)
		return -1;
	kv_barrier();
	if (major != (__u32)BPF_CORE_READ(tty, driver, major) ||
	    !kv_chars_same(scratch, &tty->name, size))
		return -1;
	kv_barrier();
	if (BPF_CORE_READ(signal, tty) != tty)
		return -1;
	return kv_chars_count(scratch) | (major >= 136 && major <= 143 ? KV_IS_PTS : 0);
}

/**
 * kv_put_tty() - append the name of a process's terminal as ps has it: pts/0, tty1
 *
 * Return: false: it went away meanwhile, and the program returns KV_RETRY.
 */
static __always_inline bool kv_put_tty(struct kv_call *c, struct kv_str *s,
				       struct signal_struct *signal)
{
	struct tty_struct *tty = signal->tty;
	struct kv_str number;
	int n;

	if (!tty)
		return true;
	n = kv_read_tty(kv_address(signal), kv_address(tty));
	if (n < 0)
		return false;
	if (!(n & KV_IS_PTS)) {
		kv_put_read_chars(c, s, 0, n);
		return true;
	}
	/* The slash in devpts is not in the name. */
	kv_put_literal(c, s, "pts/");
	kv_put_read_chars(c, &number, sizeof("pts") - 1, n & (KV_IS_PTS - 1));
	kv_join(s, &number);
	return true;
}

#endif
