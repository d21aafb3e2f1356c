// SPDX-License-Identifier: GPL-2.0-only
/* The keeper of couriers. It waits for nothing but them, and for no one longer than it is due. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "access/courier_area.h"

/*
 * So long a courier may take for one process, as long as few were given up. All that wait within a
 * window wait for less than BUDGET together: each time a courier may take a quarter of what is left.
 */
#define WINDOW (1000 * KV_MS)
#define BUDGET (400 * KV_MS)
#define MOST (100 * KV_MS)
#define LEAST (4 * KV_MS)

/* One that does not sleep is not stuck: the machine is busy. */
#define MOST_AWAKE (1000 * KV_MS)

/*
 * Couriers that were given up because of one user within a window, or how long they slept for the
 * user's processes. Then the user gets no other.
 */
#define MAX_STUCK_EACH 3
#define MAX_STUCK 128
#define SHARE (200 * KV_MS)

/* Couriers are looked at so often; they may have done many items in between. */
#define LOOK (2 * KV_MS)

/* What is not begun by then is (busy): the client waits for KV_COURIER_MS. */
#define SERVE (2000 * KV_MS)

/* One that was killed ends within this time, or hangs in the kernel. */
#define REAP_MS 4

struct courier {
	pid_t pid; /* 0: there is none */
	int wake;  /* a byte begins its work; -1: it was killed, and has not ended */
	unsigned int
		begun; /* bytes that were written there; it has finished fewer: it is at work */
	unsigned int turns; /* as of the last look, and since when so */
	int64_t since;
	uint32_t user; /* of one that was killed: by whom it hangs */
};

/* What couriers were given up for, or with number 0: slept for. */
struct stuck {
	struct kv_whose whose;
	int64_t ns;
};

struct keeper {
	struct kv_courier_area *area;
	int client, proc;
	int done[2]; /* what couriers write to, and is read from */
	struct courier couriers[KV_COURIER_SLOTS];
	/* Of this window: */
	int64_t began, waited;
	struct stuck stuck[MAX_STUCK];
	unsigned int nstuck;
	int64_t serving_since;
};

/* --- couriers begin and end --- */

/* Descriptors of others would keep these from their end, and stay open while it hangs. */
static _Noreturn void be_courier(const struct keeper *k, unsigned int slot, int wake, pid_t keeper)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(k->client);
	close(k->done[0]);
	for (unsigned int i = 0; i < KV_COURIER_SLOTS; i++)
		if (k->couriers[i].pid && k->couriers[i].wake >= 0)
			close(k->couriers[i].wake);
	if (getppid() != keeper)
		_exit(1);
	kv_courier_run(k->area, slot, k->proc, wake, k->done[1]);
}

static void start(struct keeper *k, unsigned int slot)
{
	struct courier *c = &k->couriers[slot];
	pid_t keeper = getpid(), pid;
	int wake[2];

	if (pipe2(wake, O_CLOEXEC) < 0)
		return;
	atomic_store(&k->area->slots[slot].finished, 0);
	pid = fork();
	if (!pid) {
		close(wake[1]);
		be_courier(k, slot, wake[0], keeper);
	}
	close(wake[0]);
	if (pid < 0)
		close(wake[1]);
	else
		*c = (struct courier){.pid = pid, .wake = wake[1]};
}

static bool is_at_work(const struct keeper *k, unsigned int slot)
{
	const struct courier *c = &k->couriers[slot];

	return c->pid && c->wake >= 0 && c->begun != atomic_load(&k->area->slots[slot].finished);
}

static void reap(struct courier *c)
{
	if (c->pid && c->wake < 0 && waitpid(c->pid, NULL, WNOHANG) != 0)
		c->pid = 0;
}

static void kill_courier(struct courier *c, uint32_t user)
{
	kill(c->pid, SIGKILL);
	close(c->wake);
	c->wake = -1;
	c->user = user;
	for (int i = 0; i < REAP_MS && c->pid; i++) {
		reap(c);
		if (c->pid)
			poll(NULL, 0, 1);
	}
}

/* --- who gets none --- */

static bool is_refused(const struct keeper *k, const struct kv_whose *whose)
{
	unsigned int n = 0;
	int64_t ns = 0;

	for (unsigned int i = 0; i < KV_COURIER_SLOTS; i++)
		if (k->couriers[i].pid && k->couriers[i].wake < 0 &&
		    k->couriers[i].user == whose->user)
			return true;
	for (unsigned int i = 0; i < k->nstuck; i++) {
		const struct stuck *s = &k->stuck[i];

		if (s->whose.nr == whose->nr && s->whose.start == whose->start)
			return true;
		if (s->whose.user != whose->user)
			continue;
		n += s->whose.nr != 0;
		ns += s->ns;
	}
	return n >= MAX_STUCK_EACH || ns >= SHARE || k->nstuck == MAX_STUCK;
}

/* The items that are left and that nobody has begun. @all: whosever they are */
static void refuse(struct keeper *k, bool all)
{
	struct kv_courier_area *area = k->area;

	for (uint32_t i = atomic_load(&area->next); i < area->n; i++) {
		unsigned int wanted = KV_FETCH_WANTED;

		if (all || is_refused(k, &area->items[i].whose))
			atomic_compare_exchange_strong(&area->items[i].how, &wanted, KV_FETCH_BUSY);
	}
}

/* --- one that is slow, or stuck --- */

static void note(struct keeper *k, const struct kv_whose *whose, int64_t ns)
{
	struct stuck *s = NULL;

	k->waited += ns;
	for (unsigned int i = 0; !whose->nr && i < k->nstuck; i++)
		if (!k->stuck[i].whose.nr && k->stuck[i].whose.user == whose->user)
			s = &k->stuck[i];
	if (!s && k->nstuck == MAX_STUCK)
		return;
	if (!s) {
		s = &k->stuck[k->nstuck++];
		*s = (struct stuck){.whose = *whose};
	}
	s->ns += ns;
}

/* For whose processes have couriers slept, and have got on? */
static void charge(struct keeper *k)
{
	struct kv_courier_area *area = k->area;
	uint32_t begun = atomic_load(&area->next);
	bool is_new = false;

	for (uint32_t i = 0; i < area->n && i < begun; i++) {
		unsigned int us = atomic_exchange(&area->items[i].slept_us, 0);

		if (!us)
			continue;
		note(k, &(struct kv_whose){.user = area->items[i].whose.user}, us * (KV_MS / 1000));
		is_new = true;
	}
	if (is_new)
		refuse(k, false);
}

/* If the kernel does not tell: yes. */
static bool sleeps(const struct keeper *k, pid_t pid)
{
	char path[32], stat[512], *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%d/stat", (int)pid);
	fd = openat(k->proc, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return true;
	stat[n] = '\0';
	end = strrchr(stat, ')');
	return !end || strncmp(end, ") R", 3) != 0;
}

static int64_t patience(const struct keeper *k)
{
	int64_t left = (BUDGET - k->waited) / 4;

	return left > MOST ? MOST : left < LEAST ? LEAST : left;
}

static void give_up(struct keeper *k, struct courier *c, unsigned int slot, int64_t at)
{
	unsigned int i = atomic_load(&k->area->slots[slot].doing), wanted = KV_FETCH_WANTED;
	struct kv_whose whose = {.user = KV_NOBODY};

	if (i && i <= k->area->n)
		whose = k->area->items[i - 1].whose;
	kill_courier(c, whose.user);
	if (!i || i > k->area->n) {
		k->waited += at - c->since;
		return;
	}
	atomic_compare_exchange_strong(&k->area->items[i - 1].how, &wanted, KV_FETCH_BUSY);
	note(k, &whose, at - c->since);
	refuse(k, false);
}

/* Gives up those that are overdue. When to look again: what they did meanwhile was done just now. */
static int64_t look(struct keeper *k)
{
	int64_t at = kv_courier_now(), next = at + LOOK;

	charge(k);
	if (at - k->serving_since >= SERVE)
		refuse(k, true);
	for (unsigned int i = 0; i < KV_COURIER_SLOTS; i++) {
		struct courier *c = &k->couriers[i];
		unsigned int turns = atomic_load(&k->area->slots[i].turns);
		int64_t due;

		if (!is_at_work(k, i))
			continue;
		if (turns != c->turns) {
			c->turns = turns;
			c->since = at;
		}
		due = c->since + patience(k);
		if (at >= due && (sleeps(k, c->pid) || at - c->since >= MOST_AWAKE))
			give_up(k, c, i, at);
		else
			next = due < at + KV_MS ? at + KV_MS : due < next ? due : next;
	}
	return next;
}

/* --- a request --- */

static unsigned int count_at_work(const struct keeper *k)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < KV_COURIER_SLOTS; i++)
		n += is_at_work(k, i);
	return n;
}

/* As many couriers as there is work for. */
static void set_to_work(struct keeper *k)
{
	uint32_t begun = atomic_load(&k->area->next);
	unsigned int most = k->area->n - begun < 16 ? 1 : KV_COURIERS, n = 0;

	for (unsigned int i = 0; i < KV_COURIER_SLOTS && n < most; i++) {
		struct courier *c = &k->couriers[i];

		if (!c->pid)
			start(k, i);
		if (!c->pid || c->wake < 0)
			continue;
		c->turns = atomic_load(&k->area->slots[i].turns);
		c->since = kv_courier_now();
		c->begun += write(c->wake, "", 1) == 1;
		n++;
	}
}

/* Until nobody is at work any more. */
static void watch(struct keeper *k)
{
	while (count_at_work(k)) {
		struct pollfd p = {.fd = k->done[0], .events = POLLIN};
		int64_t ms = (look(k) - kv_courier_now()) / KV_MS + 1;
		char bytes[KV_COURIER_SLOTS];

		if (count_at_work(k) && poll(&p, 1, ms < 1 ? 1 : (int)ms) == 1)
			(void)!read(k->done[0], bytes, sizeof(bytes));
	}
}

/* Has a courier ended at its own will, or by somebody else's? */
static void bury(struct keeper *k)
{
	for (unsigned int i = 0; i < KV_COURIER_SLOTS; i++) {
		struct courier *c = &k->couriers[i];

		reap(c);
		if (c->pid && c->wake >= 0 && waitpid(c->pid, NULL, WNOHANG) == c->pid) {
			close(c->wake);
			c->pid = 0;
		}
	}
}

static void serve(struct keeper *k)
{
	struct kv_courier_area *area = k->area;
	uint32_t before;

	if (kv_courier_now() - k->began >= WINDOW) {
		k->began = kv_courier_now();
		k->waited = 0;
		k->nstuck = 0;
	}
	k->serving_since = kv_courier_now();
	bury(k);
	for (unsigned int i = 0; i < KV_COURIER_SLOTS; i++)
		atomic_store(&area->slots[i].used, 0);
	atomic_store(&area->next, 0);
	refuse(k, false);
	do {
		before = atomic_load(&area->next);
		set_to_work(k);
		if (!count_at_work(k)) { /* all slots are taken by those that hang, or memory is */
			refuse(k, true);
			return;
		}
		watch(k);
		/* What they had no room for is asked for again. */
	} while (atomic_load(&area->next) < area->n && atomic_load(&area->next) > before);
}

/* Of the time namespace that children are in: time_namespaces(7). */
static int64_t boot_offset(int proc)
{
	char text[256];
	int fd = openat(proc, "self/timens_offsets", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	long long s = 0, ns = 0;
	char *line;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, "boottime");
	if (!line || sscanf(line, "boottime %lld %lld", &s, &ns) != 2)
		return 0;
	return s * 1000 * KV_MS + ns;
}

_Noreturn void kv_courier_keep(struct kv_courier_area *area, int client, int (*confine)(void))
{
	struct keeper k = {.area = area, .client = 0, .proc = 1};
	uint32_t serial;
	sigset_t all;

	prctl(PR_SET_NAME, "kview-courier"); /* and those that it forks */
	/* Who started us may be asked to end, and needs us until then. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* Nothing else: what hangs would keep it open. */
	if (dup2(client, k.client) < 0 || close_range(1, ~0U, 0) < 0 || chdir("/") < 0 ||
	    open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC) != k.proc ||
	    pipe2(k.done, O_CLOEXEC) < 0)
		_exit(1);
	area->boot_offset = boot_offset(k.proc);
	if (confine())
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of user has cleared it */
	serial = 0;
	if (send(k.client, &serial, sizeof(serial), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		_exit(1);
	while (recv(k.client, &serial, sizeof(serial), 0) == sizeof(serial)) {
		serve(&k);
		if (send(k.client, &serial, sizeof(serial), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}
