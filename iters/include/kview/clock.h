/* SPDX-License-Identifier: GPL-2.0-only */
/* The Unix time of boot, by the kernel's clocks as they are now. */
#ifndef KVIEW_CLOCK_H
#define KVIEW_CLOCK_H

#include "percpu.h"

/*
 * No helper returns the time of day. But the timer bases of each CPU hold the offsets of the
 * other clocks to CLOCK_MONOTONIC. When the clock is set, the kernel updates them on all CPUs
 * before the system call returns (clock_was_set() in kernel/time/hrtimer.c). Each process has a
 * timer, and the timer points to a base.
 */
#define CLOCK_REALTIME 0
#define CLOCK_BOOTTIME 7
#define HRTIMER_BASE_REALTIME 1
#define HRTIMER_BASE_BOOTTIME 2

/* This CPU's timer bases: those of a CPU that is offline are out of date. */
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

/* A timer that is being moved to another CPU has no base for a moment. */
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
 * It is read once per walk, so that all rows use the same value.
 *
 * Return: 0: unknown, since this kernel's clocks have another layout.
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
