/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes that an iterator made here knows of, and who asks for them. */
#ifndef KVIEW_UNIT_FAKE_PROCESS_H
#define KVIEW_UNIT_FAKE_PROCESS_H

#include "fake_iter.h"
#include "access/process.h"

#define A_READ 1365 /* records that fit into one */

#define HOME 0x10u /* our own pid namespace */
#define AWAY 0x20u /* another */

static const struct kv_host host = {
	.reader_query = {-1, -1, -1, -1},
	.processes_query = {-1, -1, -1, -1},
	.ask = {-1, -1},
	.self = {.pid_ns = HOME},
};

/* Number @nr for the reader is 10 * @nr for us. */
static inline struct kv_process process(pid_t nr)
{
	return (struct kv_process){.start = 1000u + (unsigned int)nr, .pid = 10 * nr, .nr = nr};
}

/* Processes 3, 6, 9 ... */
static inline void fake_processes(int n)
{
	struct kv_process list[A_READ];

	assert_true(n <= A_READ);
	for (int i = 0; i < n; i++)
		list[i] = process(3 * (i + 1));
	fake_bytes(list, (size_t)n * sizeof(*list));
}

#endif
