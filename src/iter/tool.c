// SPDX-License-Identifier: GPL-2.0-only
#include "iter/tool.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "iter/image.h"

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

int kv_tool_identify(const struct kv_loaded *tool, pid_t tid, struct kv_identity *id)
{
	_cleanup_close_ int iter = kv_loaded_iter(tool, 0, tid);
	ssize_t n = -1;

	if (iter < 0)
		return iter;
	errno = EAGAIN;
	for (int i = 0; i < MAX_TRIES && n < 0 && (errno == EAGAIN || errno == EINTR); i++)
		n = read(iter, id, sizeof(*id));
	if (n < 0)
		return -errno;
	return n == sizeof(*id) ? 0 : -ESRCH;
}
