// SPDX-License-Identifier: GPL-2.0-only
#include "access/query.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "load/image.h"
#include "load/load.h"

/* 1, 0, or -errno; the answer is in @question then. */
static int call(int prog_fd, void *question, size_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = question, .ctx_size_in = (__u32)size);
	int rc = bpf_prog_test_run_opts(prog_fd, &opts);

	return rc ? rc : (int)opts.retval;
}

int kv_query_identity(const struct kv_query *query, pid_t tid, struct kv_identity *id)
{
	struct kv_ask_identity question = {.tid = tid};
	int rc = call(query->identity_fd, &question, sizeof(question));

	if (rc <= 0)
		return rc ? rc : -ESRCH;
	*id = question.identity;
	return 0;
}

int kv_query_process(const struct kv_query *query, const struct kv_scope *scope, pid_t pid,
		     struct kv_process *process)
{
	struct kv_ask_process question = {.scope = *scope, .pid = pid};
	int rc = call(query->process_fd, &question, sizeof(question));

	if (rc <= 0)
		return rc ? rc : -ENOENT;
	*process = question.process;
	return 0;
}

/* --- getting ready --- */

static int program(const struct bpf_object *object, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(object, name);

	return prog ? fcntl(bpf_program__fd(prog), F_DUPFD_CLOEXEC, 3) : -1;
}

/* @initial: by numbers in the initial pid namespace, which may be ours. */
static int load(struct kv_query *query, uint32_t initial, struct kv_types *types)
{
	const struct kv_embedded *e = kv_embedded_find("identity/ask");
	struct bpf_object *object;
	struct bpf_map *map;
	int rc =
		kv_object_parse(e->name, e->data, (size_t)(e->end - e->data), types, &object, NULL);

	if (rc)
		return rc;
	map = bpf_object__find_map_by_name(object, KV_READERS_MAP);
	rc = map ? bpf_map__set_autocreate(map, false) : 0; /* readers come with the question */
	map = bpf_object__find_map_by_name(object, KV_ASK_MAP);
	if (!rc)
		rc = map ? bpf_map__set_initial_value(map, &initial, sizeof(initial)) : -ENOENT;
	if (!rc)
		rc = bpf_object__load(object);
	if (!rc) {
		query->identity_fd = program(object, "ask_identity");
		query->process_fd = program(object, "ask_process");
	}
	bpf_object__close(object);
	return rc;
}

static bool is_right(const struct kv_query *query, const struct kv_identity *self)
{
	struct kv_identity id;

	return query->identity_fd >= 0 && query->process_fd >= 0 &&
	       kv_query_identity(query, gettid(), &id) == 0 && memcmp(&id, self, sizeof(id)) == 0;
}

void kv_query_open(struct kv_query *query, const struct kv_identity *self, struct kv_types *types)
{
	for (uint32_t initial = 0; initial <= 1; initial++) {
		if (load(query, initial, types) == 0 && is_right(query, self))
			return;
		kv_query_close(query);
	}
}

void kv_query_close(struct kv_query *query)
{
	kv_closep(&query->identity_fd);
	kv_closep(&query->process_fd);
	*query = KV_QUERY_INIT;
}
