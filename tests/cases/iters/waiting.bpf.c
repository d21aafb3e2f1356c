// SPDX-License-Identifier: GPL-2.0-only
/*
 * A view of 20 MiB of records, which every reader may have: its walk is one run, so they wait
 * until they are read.
 */
#include "kview.h"
#include "spool.h"

#define ROWS 20480

struct waiting {
	struct kv_head _head;
	__u32 n KV_MEANS("its number");
	char _fill[1016];
};

KV_VIEW_FOR_ALL(waiting, "20,480 rows of 1 KiB each", "5.18");

static long add_row(__u64 i, struct kv_call *c)
{
	struct waiting *r = kv_record(c, struct waiting);

	r->n = i;
	return kv_spool_emit(c);
}

SEC("call")
int waiting(void *ctx)
{
	struct kv_call c;

	if (kv_begin_run(&c))
		return 1;
	bpf_loop(ROWS, add_row, &c, 0);
	return kv_spool_end(&c);
}
