// SPDX-License-Identifier: GPL-2.0-only
#include "access/tool.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "load/image.h"
#include "load/kernel.h"

/* An iterator that says nothing but EAGAIN must not keep a thread for ever. */
#define MAX_TRIES 1000

int kv_tool_open(const char *name, struct kv_types *types, struct kv_loaded *tool,
		 struct kv_err *err)
{
	const struct kv_embedded *e = kv_embedded_find(name);
	struct bpf_object *object;
	struct kv_err why = {0};
	char kind[KV_KIND_MAX];
	int rc;

	if (!e)
		return kv_err_set(err, -ENOENT, "no object '%s' is built in", name);
	rc = kv_object_open(name, e->data, (size_t)(e->end - e->data), types, kind, &object, err);
	if (rc)
		return rc;
	rc = kv_object_load(object, kind, NULL, 0, tool, &why);
	bpf_object__close(object);
	if (rc) {
		kv_err_set(err, rc, "can't load '%s': %s", name, why.msg);
		if (why.hint[0])
			kv_err_hint(err, "%s", why.hint);
	}
	return rc;
}

/* The next identity of an iterator; -ESRCH: there is none. */
static int read_identity(int iter, struct kv_identity *id)
{
	ssize_t n = -1;

	errno = EAGAIN;
	for (int i = 0; i < MAX_TRIES && n < 0 && (errno == EAGAIN || errno == EINTR); i++)
		n = read(iter, id, sizeof(*id));
	if (n < 0)
		return -errno;
	return n == sizeof(*id) ? 0 : -ESRCH;
}

static int identify_alone(const struct kv_loaded *tool, pid_t tid, struct kv_identity *id)
{
	_cleanup_close_ int iter = kv_loaded_iter(tool, 0, tid);

	return iter < 0 ? iter : read_identity(iter, id);
}

/* Among all threads of its process, by its number in the initial pid namespace. */
static int find_in_process(const struct kv_loaded *tool, pid_t tid, struct kv_identity *id)
{
	pid_t pid = kv_kernel_process_of(tid);
	_cleanup_close_ int iter = pid && pid != tid ? kv_loaded_iter(tool, pid, 0) : -ESRCH;
	int rc = iter < 0 ? iter : 0;

	do {
		rc = rc ? rc : read_identity(iter, id);
	} while (!rc && (pid_t)(uint32_t)id->id != tid);
	return rc;
}

int kv_tool_identify(const struct kv_loaded *tool, pid_t tid, struct kv_identity *id)
{
	int rc = identify_alone(tool, tid, id);

	return rc == -ESRCH ? find_in_process(tool, tid, id) : rc;
}

static void *identify_this(void *tool)
{
	struct kv_identity id;

	return identify_alone(tool, gettid(), &id) == 0 ? tool : NULL;
}

bool kv_tool_finds_threads(struct kv_loaded *tool)
{
	void *found = NULL;
	pthread_t thread;

	if (pthread_create(&thread, NULL, identify_this, tool) == 0)
		pthread_join(thread, &found);
	return found;
}
