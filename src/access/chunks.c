// SPDX-License-Identifier: GPL-2.0-only
#include "access/chunks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

int kv_chunk_take(int map, uint64_t self, uint64_t n, struct kv_chunk *chunk)
{
	const struct kv_chunk_key key = {.thread = self, .n = n};

	return bpf_map_lookup_and_delete_elem(map, &key, chunk); /* of hashes since 5.14 */
}

/*
 * Chunks whose thread was killed before it took them out, or was so long ago that we have its
 * number. In a nested pid namespace we can't tell which of the other threads are gone.
 */
static bool is_stale(const struct kv_chunk_key *key, uint64_t self)
{
	if (key->thread == self)
		return true;
	return (pid_t)(uint32_t)self == gettid() &&
	       syscall(SYS_tkill, (pid_t)(uint32_t)key->thread, 0) < 0 && errno == ESRCH;
}

void kv_chunks_sweep(int map, uint64_t self)
{
	struct kv_chunk_key key, next;
	int rc = bpf_map_get_next_key(map, NULL, &key);

	while (!rc) {
		rc = bpf_map_get_next_key(map, &key, &next);
		if (is_stale(&key, self))
			bpf_map_delete_elem(map, &key);
		key = next;
	}
}
