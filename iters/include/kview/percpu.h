/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the parts lie that the kernel has for each CPU. No name of it is exported
 * everywhere; but a map that has a part for each CPU as well tells where its own lie, and
 * parts of two CPUs are the same distance apart, whatever they are of.
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

/* kv_percpu_part() - address of the part of CPU @cpu of something; 0: there is no such CPU */
static __always_inline __u64 kv_percpu_part(__u32 cpu)
{
	const __u32 zero = 0;

	return kv_address(bpf_map_lookup_percpu_elem(&kv_percpu, &zero, cpu));
}

/* kv_percpu_base() - the kernel's own per-CPU pointer to the same */
static __always_inline __u64 kv_percpu_base(void)
{
	const struct bpf_array *array = (void *)kv_address(&kv_percpu);

	return (__u64)BPF_CORE_READ(array, pptrs[0]);
}

#endif
