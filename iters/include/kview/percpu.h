/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addresses of per-CPU variables. Not every kernel exports a symbol for the offsets of the CPUs.
 * But a per-CPU map tells the address of each of its own parts, and the offset from one CPU's
 * part to another CPU's is the same for all per-CPU variables.
 */
#ifndef KVIEW_PERCPU_H
#define KVIEW_PERCPU_H

#include "kview.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} kv_percpu SEC(".maps");

/* kv_percpu_part() - address of the map's part of CPU @cpu; 0: there is no such CPU */
static __always_inline __u64 kv_percpu_part(__u32 cpu)
{
	const __u32 zero = 0;

	return kv_address(bpf_map_lookup_percpu_elem(&kv_percpu, &zero, cpu));
}

/* kv_percpu_base() - the kernel's per-CPU pointer to the map's parts */
static __always_inline __u64 kv_percpu_base(void)
{
	const struct bpf_array *array = (void *)kv_address(&kv_percpu);

	return (__u64)BPF_CORE_READ(array, pptrs[0]);
}

#endif
