// SPDX-License-Identifier: GPL-2.0-only
/* The view `page_faults`: how often processes have touched memory that was not mapped as they did. */
#include "kview.h"

struct faults {
	__u64 user, kernel;
	__u64 writes, fetches;
};

#define KV_COUNTS struct faults
#define KV_ROWS 8192
#include "process_rows.h"

struct page_faults {
	struct kv_head _head;
	KV_OWNER_COLUMNS;
	__u32 _pad;
	__u64 user KV_ROLE(counter) KV_MEANS("page faults of the program itself") KV_WIDTH(9);
	__u64 kernel KV_ROLE(counter)
		KV_MEANS("page faults in the kernel, most of them in system calls") KV_WIDTH(9);
	__u64 writes KV_ROLE(counter) KV_MEANS("of both: to write") KV_WIDTH(9);
	__u64 fetches KV_ROLE(counter) KV_MEANS("of both: to execute") KV_WIDTH(9);
	KV_OWNER_COMM;
	__u32 _pad2;
};

KV_VIEW_OF_PROCESS_ROWS(page_faults, "a row per process: page faults, and of what kind");

static __always_inline void count(bool user, bool write, bool fetch)
{
	struct faults *f = kv_counts_of(bpf_get_current_task_btf(), 0);

	if (!f)
		return;
	__sync_fetch_and_add(user ? &f->user : &f->kernel, 1);
	if (write)
		__sync_fetch_and_add(&f->writes, 1);
	if (fetch)
		__sync_fetch_and_add(&f->fetches, 1);
}

#if defined(__TARGET_ARCH_x86)

/* Error codes of x86: arch/x86/include/asm/trap_pf.h. */
#define PF_WRITE 2
#define PF_INSTR 16

SEC("tp_btf/page_fault_user")
int user_faults(__u64 *ctx)
{
	count(true, ctx[2] & PF_WRITE, ctx[2] & PF_INSTR);
	return 0;
}

SEC("tp_btf/page_fault_kernel")
int kernel_faults(__u64 *ctx)
{
	count(false, ctx[2] & PF_WRITE, false);
	return 0;
}

#define ALL_FAULTS "?fentry/handle_mm_fault"

#else /* the tracepoints are not there, or their codes are others */

#define ALL_FAULTS "fentry/handle_mm_fault"

#endif

/* enum fault_flag in include/linux/mm_types.h */
#define FAULT_FLAG_WRITE 1
#define FAULT_FLAG_REMOTE 0x80
#define FAULT_FLAG_USER 0x40
#define FAULT_FLAG_INSTRUCTION 0x100

/* Memory of others is not the process's own fault. */
SEC(ALL_FAULTS)
int all_faults(__u64 *ctx)
{
	if (!(ctx[2] & FAULT_FLAG_REMOTE))
		count(ctx[2] & FAULT_FLAG_USER, ctx[2] & FAULT_FLAG_WRITE,
		      ctx[2] & FAULT_FLAG_INSTRUCTION);
	return 0;
}

KV_SHOW_PROCESS_ROWS(page_faults)
{
	r->user = row->counts.user;
	r->kernel = row->counts.kernel;
	r->writes = row->counts.writes;
	r->fetches = row->counts.fetches;
}
