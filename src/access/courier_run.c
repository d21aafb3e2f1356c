// SPDX-License-Identifier: GPL-2.0-only
/* What a courier does. It may be killed at any time, so it holds nothing that others need. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "access/courier_area.h"

/*
 * Into memory of its own: a read that the kernel goes on with after the courier was given up must
 * not write where another one's result is.
 */
static char own[KV_ARGS_MAX + 1];

static ssize_t read_file(int dir, const char *path, char *to, size_t size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, to, size);
	close(fd);
	return n;
}

/* Field 22 of stat is when the process began, in ticks since boot: proc(5). */
static bool is_that(const struct kv_courier_area *area, int dir, const struct kv_whose *whose)
{
	const int64_t tick = 1000 * KV_MS / sysconf(_SC_CLK_TCK);
	char stat[1024], *at;
	ssize_t n = read_file(dir, "stat", stat, sizeof(stat) - 1);

	if (n <= 0)
		return false;
	stat[n] = '\0';
	at = strrchr(stat, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at && strtoll(at, NULL, 10) == ((int64_t)whose->start + area->boot_offset) / tick;
}

/* What of a process was read into @own; below 0: nothing can be. */
static ssize_t read_args(int proc, int32_t nr)
{
	char path[32];

	snprintf(path, sizeof(path), "%d/cmdline", (int)nr);
	return read_file(proc, path, own, sizeof(own));
}

/* The directory stays that of one process, though the number may be another's. */
static ssize_t read_args_of(const struct kv_courier_area *area, int proc,
			    const struct kv_whose *whose, bool *has_ended)
{
	char path[16];
	ssize_t n;
	int dir;

	snprintf(path, sizeof(path), "%d", (int)whose->nr);
	dir = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*has_ended = dir < 0;
	if (dir < 0)
		return -1;
	n = read_file(dir, "cmdline", own, sizeof(own));
	*has_ended = !is_that(area, dir, whose);
	close(dir);
	return n;
}

static void fetch(struct kv_courier_area *area, unsigned int slot, struct kv_courier_item *item,
		  int proc)
{
	struct kv_courier_slot *mine = &area->slots[slot];
	bool has_ended = false;
	ssize_t n = item->is_old ? read_args_of(area, proc, &item->whose, &has_ended)
				 : read_args(proc, item->whose.nr);
	unsigned int wanted = KV_FETCH_WANTED;
	enum kv_fetched how = has_ended		? KV_FETCH_ENDED
			      : n < 0		? KV_FETCH_UNREADABLE
			      : n > KV_ARGS_MAX ? KV_FETCH_LONG
						: KV_FETCH_DONE;

	item->slot = slot;
	item->off = atomic_load(&mine->used);
	item->len = n < 0 || has_ended ? 0 : n > KV_ARGS_MAX ? KV_ARGS_MAX : (uint32_t)n;
	memcpy(mine->bytes + item->off, own, item->len);
	atomic_store(&mine->used, item->off + item->len);
	atomic_compare_exchange_strong(&item->how, &wanted, how);
}

/* How often did this process sleep? */
static long count_sleeps(void)
{
	struct rusage usage = {0};

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

/* What takes less is not asked whether it has slept. */
#define SLOW (KV_MS / 2)

/* The same, with a note for the keeper if it slept for long. On a busy machine it may just have waited. */
static void fetch_timed(struct kv_courier_area *area, unsigned int slot,
			struct kv_courier_item *item, int proc, long *slept)
{
	int64_t began = kv_courier_now(), took;
	long now;

	fetch(area, slot, item, proc);
	took = kv_courier_now() - began;
	if (took < SLOW)
		return;
	now = count_sleeps();
	if (now != *slept)
		atomic_store(&item->slept_us, (unsigned int)(took / (KV_MS / 1000)));
	*slept = now;
}

/* As long as there are items, and room for one more. */
static void fetch_all(struct kv_courier_area *area, unsigned int slot, int proc)
{
	struct kv_courier_slot *mine = &area->slots[slot];
	long slept = count_sleeps();
	uint32_t i;

	while (atomic_load(&mine->used) <= KV_COURIER_BYTES - KV_ARGS_MAX) {
		i = atomic_fetch_add(&area->next, 1);
		if (i >= area->n)
			return;
		atomic_fetch_add(&mine->turns, 1);
		atomic_store(&mine->doing, i + 1);
		if (atomic_load(&area->items[i].how) == KV_FETCH_WANTED)
			fetch_timed(area, slot, &area->items[i], proc, &slept);
		atomic_store(&mine->doing, 0);
	}
}

_Noreturn void kv_courier_run(struct kv_courier_area *area, unsigned int slot, int proc, int wake,
			      int done)
{
	char byte;

	while (read(wake, &byte, 1) == 1) {
		fetch_all(area, slot, proc);
		atomic_fetch_add(&area->slots[slot].finished, 1);
		if (write(done, &byte, 1) != 1)
			break;
	}
	_exit(0);
}
