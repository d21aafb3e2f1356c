// SPDX-License-Identifier: GPL-2.0-only
/* pid/: a directory for each process that the reader may know of, as in /proc. */
#include "fuse/fs/group.h"

#include <errno.h>
#include <stdio.h>

#include "access/process.h"

#define PID_BITS 22 /* PID_MAX_LIMIT in include/linux/threads.h */

_Static_assert(sizeof(((struct kv_member *)0)->name) > 10, "any number fits");

/*
 * pid/N is another process for another reader, so its key is not N: it has the number in kview's
 * own pid namespace and, since numbers are used again, of the start what is left of the bits. In
 * units of 2^10 ns that repeats after 68 s.
 */
static uint64_t key_of(const struct kv_process *p)
{
	return (p->start >> 10 << PID_BITS | (uint64_t)p->pid) & ((UINT64_C(1) << KV_KEY_BITS) - 1);
}

static pid_t pid_of(uint64_t key)
{
	return (pid_t)(key & ((1u << PID_BITS) - 1));
}

/* As /proc takes them: decimal, no sign, no leading zero. 0: none. */
static pid_t parse(const char *name)
{
	long nr = 0;

	if (*name < '1' || *name > '9')
		return 0;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return 0;
		nr = nr * 10 + (*name - '0');
		if (nr >= 1 << PID_BITS)
			return 0;
	}
	return (pid_t)nr;
}

static bool is_name(const char *name)
{
	return parse(name) != 0;
}

static void fill(struct kv_member *m, const struct kv_process *p)
{
	*m = (struct kv_member){
		.key = key_of(p),
		.position = (uint64_t)p->nr,
		.is_hidden = p->is_hidden,
		.subset = kv_subset_process(p->pid, p->start),
	};
	snprintf(m->name, sizeof(m->name), "%d", (int)p->nr);
}

static int find(const struct kv_host *host, const struct kv_reader *reader, const char *name,
		struct kv_member *member)
{
	struct kv_process process;
	int rc = kv_process_find(host, reader, parse(name), &process);

	if (!rc)
		fill(member, &process);
	return rc;
}

static int look(const struct kv_host *host, const struct kv_reader *reader, uint64_t key,
		struct kv_member *member)
{
	struct kv_process process;
	int rc = kv_process_look(host, reader, pid_of(key), &process);

	if (rc)
		return rc;
	fill(member, &process);
	return member->key == key ? 0 : -ENOENT;
}

static void *list_new(const struct kv_host *host, struct kv_reader *reader)
{
	return kv_processes_new(host, reader);
}

static int list_next(void *list, uint64_t position, struct kv_member *member)
{
	struct kv_process process;
	int rc;

	if (position >= 1 << PID_BITS) /* somebody's lseek() */
		return 0;
	rc = kv_processes_from(list, (pid_t)position, &process);
	if (rc > 0)
		fill(member, &process);
	return rc;
}

static void list_free(void *list)
{
	kv_processes_free(list);
}

static bool self_name(const struct kv_reader *reader, char name[32])
{
	snprintf(name, 32, "%d", (int)reader->pid);
	return reader->pid != 0;
}

static bool has(const struct kv_view *view)
{
	return view->param == KV_PARAM_TASK && !view->program;
}

const struct kv_group kv_group_pids = {
	.name = "pid",
	.has = has,
	.is_name = is_name,
	.find = find,
	.look = look,
	.list_new = list_new,
	.list_next = list_next,
	.list_free = list_free,
	.self = "self",
	.self_name = self_name,
};

const struct kv_group *const kv_groups[] = {&kv_group_pids, &kv_group_maps, NULL};
