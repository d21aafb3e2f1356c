// SPDX-License-Identifier: GPL-2.0-only
#include "access/ask.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "load/load.h"

/* 1, 0, or -errno; the answer is in @question then. */
static int call(int prog_fd, void *question, size_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = question, .ctx_size_in = (__u32)size);
	int rc = bpf_prog_test_run_opts(prog_fd, &opts);

	return rc ? rc : (int)opts.retval;
}

int kv_ask_identity(const struct kv_ask *ask, pid_t tid, struct kv_identity *id)
{
	struct kv_ask_identity question = {.tid = tid};
	int rc = call(ask->identity_fd, &question, sizeof(question));

	if (rc <= 0)
		return rc ? rc : -ESRCH;
	*id = question.identity;
	return 0;
}

int kv_ask_process(const struct kv_ask *ask, const struct kv_scope *scope, pid_t pid,
		   struct kv_process *process)
{
	struct kv_ask_process question = {.scope = *scope, .pid = pid};
	int rc = call(ask->process_fd, &question, sizeof(question));

	if (rc <= 0)
		return rc ? rc : -ENOENT;
	*process = question.process;
	return 0;
}

static int program(const struct bpf_object *object, const char *name)
{
	return kv_fd_dup(bpf_program__fd(bpf_object__find_program_by_name(object, name)));
}

/* @initial: tasks are found by numbers in the initial pid namespace, which may be ours. */
static int load(struct kv_ask *ask, uint32_t initial, struct kv_types *types)
{
	const struct kv_embedded *e = kv_embedded_find("identity/ask");
	struct bpf_object *object;
	int rc = kv_object_parse(e->name, e->data, e->size, types, &object, NULL);

	if (rc)
		return rc;
	/* A question brings the scope with it, so the map of readers is not needed. */
	bpf_map__set_autocreate(bpf_object__find_map_by_name(object, KV_READERS_MAP), false);
	rc = bpf_map__set_initial_value(bpf_object__find_map_by_name(object, KV_ASK_MAP), &initial,
					sizeof(initial));
	if (!rc)
		rc = bpf_object__load(object);
	if (!rc) {
		ask->identity_fd = program(object, "ask_identity");
		ask->process_fd = program(object, "ask_process");
	}
	bpf_object__close(object);
	return rc;
}

static bool is_right(const struct kv_ask *ask, const struct kv_identity *self)
{
	struct kv_identity id;

	return ask->identity_fd >= 0 && ask->process_fd >= 0 &&
	       kv_ask_identity(ask, gettid(), &id) == 0 && memcmp(&id, self, sizeof(id)) == 0;
}

void kv_ask_open(struct kv_ask *ask, const struct kv_identity *self, struct kv_types *types)
{
	for (uint32_t initial = 0; initial <= 1; initial++) {
		if (load(ask, initial, types) == 0 && is_right(ask, self))
			return;
		kv_ask_close(ask);
	}
}

void kv_ask_close(struct kv_ask *ask)
{
	kv_closep(&ask->identity_fd);
	kv_closep(&ask->process_fd);
	*ask = KV_ASK_INIT;
}
