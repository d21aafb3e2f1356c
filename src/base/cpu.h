/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVIEW_BASE_CPU_H
#define KVIEW_BASE_CPU_H

/**
 * kv_leave_cpu() - go on on another CPU than @cpu
 *
 * For a thread beside another one that keeps that CPU busy. Linux looks for an idle
 * one as it wakes a thread, but not where half of the few that share a cache are
 * busy (select_idle_cpu() and update_idle_cpu_scan() in kernel/sched/fair.c): two
 * threads that could overlap then take turns on one CPU. Does nothing if the caller
 * is elsewhere, or may run nowhere else. What it may run on stays as it is, but for
 * who changes that at the same moment.
 */
void kv_leave_cpu(int cpu);

#endif
