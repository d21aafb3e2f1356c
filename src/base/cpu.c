// SPDX-License-Identifier: GPL-2.0-only
#include "base/cpu.h"

#include <sched.h>

void kv_leave_cpu(int cpu)
{
	cpu_set_t all, others;

	if (cpu < 0 || sched_getcpu() != cpu || sched_getaffinity(0, sizeof(all), &all) < 0)
		return;
	others = all;
	CPU_CLR((unsigned int)cpu, &others);
	if (CPU_COUNT(&others) && sched_setaffinity(0, sizeof(others), &others) == 0)
		sched_setaffinity(0, sizeof(all), &all);
}
