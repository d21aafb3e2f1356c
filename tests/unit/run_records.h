/* SPDX-License-Identifier: GPL-2.0-only */
/* The records of a run over an iterator made here. Include it in one file of a program. */
#ifndef KVIEW_UNIT_RUN_RECORDS_H
#define KVIEW_UNIT_RUN_RECORDS_H

#include "fake_iter.h"

static const struct kv_reader reader = {
	.scope = {.pid_ns = 0xabcd, .fsuid = 1000, .passes = 1 << KV_PUBLIC},
	.holds = {-1, -1, -1, -1, -1},
};

static inline struct kv_run *start(const struct kv_run_opts *opts)
{
	static const struct kv_run_opts none = {.reader = &reader};
	struct kv_run *run = NULL;
	struct kv_err err = {0};

	assert_int_equal(kv_run_new(&fake_view, opts ? opts : &none, &run, &err), 0);
	return run;
}

static inline int next(struct kv_run *run, uint32_t *n, struct kv_err *err)
{
	const void *record = NULL;
	uint32_t len = 0, said;
	int rc = kv_run_next(run, &record, &len, err);

	if (rc > 0) {
		memcpy(&said, record, 4);
		assert_int_equal(said, len);
		memcpy(n, (const char *)record + 4, 4);
	}
	return rc;
}

/* Records 0 to @n - 1 come, whole. */
static inline void expect(struct kv_run *run, uint32_t n)
{
	struct fake_record want;
	struct kv_err err = {0};

	for (uint32_t i = 0; i < n; i++) {
		const void *record = NULL;
		uint32_t len = 0;

		assert_int_equal(kv_run_next(run, &record, &len, &err), 1);
		assert_int_equal(len, fake_record(i, &want));
		assert_memory_equal(record, &want, len);
	}
}

static inline void expect_end(struct kv_run *run)
{
	struct kv_err err = {0};
	uint32_t n;

	assert_int_equal(next(run, &n, &err), 0);
	assert_int_equal(next(run, &n, &err), 0);
	assert_int_equal(fake.adds, fake.removes);
	kv_run_free(run);
}

#endif
