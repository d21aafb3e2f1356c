/* SPDX-License-Identifier: GPL-2.0-only */
/* The time of boot, by the kernel's clocks as they are now. */
#ifndef KVIEW_CLOCK_H
#define KVIEW_CLOCK_H

#include "percpu.h"

/*
 * No helper tells the time of day. But each CPU's timers hold how far the other clocks are
 * ahead of CLOCK_MONOTONIC, and the kernel writes that anew on all of them before setting
 * the clock returns (clock_was_set() in kernel/time/hrtimer.c). From a timer, which each
 * process has one of, it is a few steps to these.
 */
#define CLOCK_REALTIME 0
#define CLOCK_BOOTTIME 7
#define HRTIMER_BASE_REALTIME 1
#define HRTIMER_BASE_BOOTTIME 2

/* This CPU's: of one that was switched off they are as they were then. */
static __always_inline struct hrtimer_cpu_base *kv_own_timers(void)
{
	const struct task_struct *current = bpf_get_current_task_btf();
	const struct hrtimer_cpu_base *some =
		BPF_CORE_READ(current, signal, real_timer.base, cpu_base);
	__u64 theirs = kv_percpu_part(BPF_CORE_READ(some, cpu));
	__u64 own = kv_percpu_part(bpf_get_smp_processor_id());

	return (void *)(kv_address(some) + own - theirs);
}

static __always_inline bool kv_are_timers(const struct hrtimer_cpu_base *timers)
{
	return BPF_CORE_READ(timers, clock_base[HRTIMER_BASE_REALTIME].clockid) == CLOCK_REALTIME &&
	       BPF_CORE_READ(timers, clock_base[HRTIMER_BASE_BOOTTIME].clockid) == CLOCK_BOOTTIME;
}

/* A timer that is being moved from one CPU to another is nowhere for a moment. */
#define KV_BOOT_TRIES 4

/* CLOCK_REALTIME - CLOCK_BOOTTIME */
static long kv_boot_try(__u64 i, struct kv_boot **boot)
{
	const struct hrtimer_cpu_base *timers = kv_own_timers();

	if (!kv_are_timers(timers))
		return 0;
	(*boot)->time = BPF_CORE_READ(timers, clock_base[HRTIMER_BASE_REALTIME].offset) -
			BPF_CORE_READ(timers, clock_base[HRTIMER_BASE_BOOTTIME].offset);
	return 1;
}

/**
 * kv_boot_time() - Unix time of boot in ns: add to a reading of CLOCK_BOOTTIME
 * @c: the call
 *
 * Asked for once in a walk, so that all its rows go by the same.
 *
 * Return: 0: this kernel keeps its clocks otherwise, and it can't be told.
 */
static __always_inline __u64 kv_boot_time(const struct kv_call *c)
{
	struct kv_boot *boot = &c->scratch->boot;

	if (boot->session != c->session) {
		boot->session = c->session;
		boot->time = 0;
		bpf_loop(KV_BOOT_TRIES, kv_boot_try, &boot, 0);
	}
	return boot->time;
}

#endif
