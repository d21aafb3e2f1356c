// SPDX-License-Identifier: GPL-2.0-only
/* The view `refused`: files that processes could not open, and questions to security modules. */
#include "kview.h"
#include "numbers.h"

struct times {
	__u64 count;
};

#define KV_COUNTS struct times
#define KV_ROWS 16384
#include "process_rows.h"

enum stage {
	OPEN_BEGUN,
	OPEN_FAILED,
	OPEN_SECURITY_HOOK,
};

struct refused {
	struct kv_head _head;
	KV_OWNER_COLUMNS;
	enum stage what KV_ROLE(key) KV_NONE(-1) KV_WIDTH(13)
		KV_MEANS("calls of open() and its kin: begun; failed; security_hook: the security "
			 "modules were asked, whatever they said");
	enum kv_errno error KV_ROLE(key) KV_MEANS("errno of those that failed, by name") KV_NONE(0)
		KV_WIDTH(12);
	__u32 _pad;
	__u64 count KV_ROLE(counter) KV_MEANS("how often") KV_WIDTH(9);
	KV_OWNER_COMM;
	__u32 _pad2;
};

KV_VIEW_OF_PROCESS_ROWS(refused,
			"a row per process and errno: opens that failed; and how many there were");

#define KIND(stage, error) ((stage) << 16 | (error))

static __always_inline void count(__u32 kind)
{
	struct times *t = kv_counts_of(bpf_get_current_task_btf(), kind);

	if (t)
		__sync_fetch_and_add(&t->count, 1);
}

SEC("fentry/do_sys_openat2")
int open_begins(__u64 *ctx)
{
	count(KIND(OPEN_BEGUN, 0));
	return 0;
}

/* (dfd, filename, how) and what is returned: a descriptor or -errno */
SEC("fexit/do_sys_openat2")
int open_ends(__u64 *ctx)
{
	__s64 ret = (int)ctx[3];

	if (ret < 0)
		count(KIND(OPEN_FAILED, (__u32)-ret));
	return 0;
}

/* (file) and what the hook is to return, which stays as it is */
SEC("fmod_ret/security_file_open")
int hook_is_called(__u64 *ctx)
{
	count(KIND(OPEN_SECURITY_HOOK, 0));
	return (int)ctx[1];
}

KV_SHOW_PROCESS_ROWS(refused)
{
	r->what = row->owner ? row->key.kind >> 16 : -1U;
	r->error = row->key.kind & 0xffff;
	r->count = row->counts.count;
}
