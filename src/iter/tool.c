// SPDX-License-Identifier: GPL-2.0-only
#include "iter/tool.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "iter/image.h"
#include "iter/load.h"

int kv_tool_link(const char *name, struct kv_err *err)
{
	const struct kv_embedded *e = kv_embedded_find(name);
	struct kv_loaded loaded = KV_LOADED_INIT;
	struct bpf_object *object;
	char kind[KV_KIND_MAX];
	int rc;

	if (!e)
		return kv_err_set(err, -ENOENT, "no object '%s' is built in", name);
	rc = kv_object_open(name, e->data, (size_t)(e->end - e->data), kind, &object, err);
	if (rc)
		return rc;
	rc = kv_object_load(object, kind, NULL, 0, &loaded, err);
	bpf_object__close(object);
	if (rc)
		return rc;
	rc = TAKE_FD(loaded.link_fd);
	kv_loaded_close(&loaded);
	return rc;
}

int kv_tool_read(const char *name, void *to, size_t size, struct kv_err *err)
{
	_cleanup_close_ int link = kv_tool_link(name, err);
	_cleanup_close_ int iter = -1;
	_cleanup_free_ char *chunk = malloc(32768);
	ssize_t n;

	if (link < 0)
		return link;
	if (!chunk)
		return kv_err_errno(err, -ENOMEM, "can't run '%s'", name);
	iter = bpf_iter_create(link);
	if (iter < 0)
		return kv_err_errno(err, iter, "can't run '%s'", name);
	n = read(iter, chunk, 32768);
	if (n < (ssize_t)size)
		return kv_err_errno(err, n < 0 ? -errno : -EIO, "can't read '%s'", name);
	memcpy(to, chunk, size);
	return 0;
}
