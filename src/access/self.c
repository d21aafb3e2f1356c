// SPDX-License-Identifier: GPL-2.0-only
#include "access/self.h"

#include <unistd.h>

#include "access/identity.h"

/* Which thread asks it is all that it depends on, so one serves a process. */
static const struct kv_loaded *self_tool;

void kv_self_by(const struct kv_loaded *tool)
{
	self_tool = tool;
}

static int ask_kernel(pid_t tid, struct kv_self *self, struct kv_err *err)
{
	struct kv_loaded own = KV_LOADED_INIT;
	struct kv_identity identity;
	int rc = self_tool ? 0 : kv_embedded_load("identity/reader", NULL, &own, err);

	if (rc)
		return rc;
	rc = kv_identity_ask(self_tool ? self_tool : &own, tid, &identity);
	kv_loaded_close(&own);
	if (rc)
		return kv_err_errno(err, rc, "can't learn this thread's number");
	self->id = identity.id;
	self->start = identity.thread_start;
	return 0;
}

int kv_self_get(struct kv_self *self, struct kv_err *err)
{
	static _Thread_local struct {
		pid_t pid, tid; /* others after a fork */
		struct kv_self self;
	} known;
	pid_t pid = getpid(), tid = gettid();

	if (known.pid != pid || known.tid != tid) {
		int rc = ask_kernel(tid, &known.self, err);

		if (rc)
			return rc;
		known.pid = pid;
		known.tid = tid;
	}
	*self = known.self;
	return 0;
}
