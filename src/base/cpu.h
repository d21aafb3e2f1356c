/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVIEW_BASE_CPU_H
#define KVIEW_BASE_CPU_H

/**
 * kv_leave_cpu() - go on on another CPU than @cpu
 *
 * For a thread beside another one that keeps that CPU busy: on two CPUs Linux 6.18 was
 * seen to wake the one where the other runs, again and again, while the second CPU was
 * idle. Does nothing if the caller is elsewhere, or may run nowhere else. What it may
 * run on stays as it is, but for who changes that at the same moment.
 */
void kv_leave_cpu(int cpu);

#endif
