// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations of users on a mount: random_ops MOUNT OPERATIONS SECONDS
 * SEED UID... Each user has a process, and another looks on: how long do its
 * own reads take meanwhile? Prints lines of "name value". Ends with 1 if an
 * operation failed as none should, or took more than MAX_SECONDS.
 */
#include "random_ops_rest.h"

#include <grp.h>
#include <time.h>

#define MAX_SECONDS 10.0
#define MAX_USERS 16
#define MAX_ERRNO 200
#define BYSTANDER 65534
#define PAUSE_MS 20

struct shared {
	bool is_over;
	uint64_t operations, bytes;
	uint64_t failed[MAX_ERRNO], bad;
	uint64_t n[COUNT(operations)];
	double worst[COUNT(operations)];
	double looked_worst;
	uint64_t looks;
	double began[MAX_USERS + 1]; /* an operation under way; 0: none */
};

static struct shared *shared;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void become(uid_t uid)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* forgotten with the old ids */
	/* Not kview's: it may look into itself. */
	prctl(PR_SET_DUMPABLE, 1);
}

/*
 * What no operation may fail with on a mount that lives: these are for a
 * broken connection, a worker that went, limits that nobody exceeds, a hang.
 */
static bool is_bad(int number, const struct reader *r)
{
	static const int bad[] = {ECONNABORTED, ESTALE, ENOTCONN, EFAULT, ENOMEM,    EINTR, EPIPE,
				  ENFILE,	EMFILE, EBUSY,	  EFBIG,  ETIMEDOUT, EPROTO};

	if (number == EIO) /* of a process whose threads end meanwhile */
		return !r->on_pid;
	for (uint32_t i = 0; i < COUNT(bad); i++)
		if (number == bad[i])
			return true;
	return false;
}

static void note_failure(const struct reader *r, const char *name, int number)
{
	__atomic_fetch_add(&shared->failed[number % MAX_ERRNO], 1, __ATOMIC_RELAXED);
	if (is_bad(number, r) && __atomic_fetch_add(&shared->bad, 1, __ATOMIC_RELAXED) < 10)
		printf("bad %s: %s\n", name, strerror(number));
}

static uint32_t any_operation(struct reader *r)
{
	uint32_t all = 0, dice, i;

	for (i = 0; i < COUNT(operations); i++)
		all += operations[i].weight;
	dice = pick(r, all);
	for (i = 0; dice >= operations[i].weight; i++)
		dice -= operations[i].weight;
	return i;
}

static void operate(struct reader *r, double *began)
{
	uint32_t i = any_operation(r);
	double took;
	long rc;

	r->on_pid = false;
	*began = now();
	rc = operations[i].act(r);
	if (rc < 0)
		note_failure(r, operations[i].name, errno);
	took = now() - *began;
	*began = 0;
	__atomic_fetch_add(&shared->n[i], 1, __ATOMIC_RELAXED);
	if (took > shared->worst[i])
		shared->worst[i] = took;
}

static _Noreturn void be_user(const char *mnt, uid_t uid, uint64_t seed, uint64_t n, double *began)
{
	struct reader r = {.mnt = mnt, .dice = seed * 0x9e3779b97f4a7c15 + uid};

	become(uid);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN); /* leases and O_ASYNC */
	r.root = open(mnt, O_PATH | O_CLOEXEC);
	r.buf = malloc(BUF_SIZE);
	for (int i = 0; i < MAX_FDS; i++)
		r.fds[i] = -1;
	for (uint64_t i = 0; i < n && !shared->is_over; i++) {
		operate(&r, began);
		__atomic_fetch_add(&shared->operations, 1, __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&shared->bytes, r.bytes, __ATOMIC_RELAXED);
	fflush(stdout);
	_exit(0);
}

/* An open, a read and a close, again and again: is anything held that they need? */
static _Noreturn void look_on(const char *mnt, double *began)
{
	char path[512], buf[4096];

	become(BYSTANDER);
	snprintf(path, sizeof(path), "%s/task", mnt);
	while (!shared->is_over) {
		double took;
		int fd;

		*began = now();
		fd = open(path, O_RDONLY);
		if (fd < 0 || read(fd, buf, sizeof(buf)) <= 0) {
			printf("bad bystander: %s\n", strerror(errno));
			shared->bad++;
		}
		close(fd);
		took = now() - *began;
		*began = 0;
		shared->looks++;
		if (took > shared->looked_worst)
			shared->looked_worst = took;
		poll(NULL, 0, PAUSE_MS);
	}
	fflush(stdout);
	_exit(0);
}

/* False: one takes too long. */
static bool nobody_hangs(int n)
{
	for (int i = 0; i < n; i++) {
		double began = shared->began[i];

		if (began > 0 && now() - began > MAX_SECONDS) {
			printf("bad hang: process %d of the test, for %.0f s\n", i, MAX_SECONDS);
			return false;
		}
	}
	return true;
}

/* Until all users are done, or the time is over. */
static bool watch(int users, double end)
{
	int left = users;
	bool all_well = true;

	while (left > 0) {
		poll(NULL, 0, 20);
		if (now() > end)
			shared->is_over = true;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			left--;
		if (!nobody_hangs(users + 1)) {
			all_well = false;
			break;
		}
	}
	shared->is_over = true;
	while (all_well && wait(NULL) > 0)
		;
	return all_well;
}

static void report(double seconds)
{
	printf("operations %lu\nseconds %.1f\nbytes %lu\n", (unsigned long)shared->operations,
	       seconds, (unsigned long)shared->bytes);
	printf("looks %lu\nlook_worst_ms %.1f\n", (unsigned long)shared->looks,
	       shared->looked_worst * 1e3);
	for (int i = 0; i < MAX_ERRNO; i++)
		if (shared->failed[i])
			printf("error.%s %lu\n", strerrorname_np(i),
			       (unsigned long)shared->failed[i]);
	for (uint32_t i = 0; i < COUNT(operations); i++)
		printf("operation.%s %lu, worst %.1f ms\n", operations[i].name,
		       (unsigned long)shared->n[i], shared->worst[i] * 1e3);
}

int main(int argc, char **argv)
{
	int users = argc - 5;
	double start = now();
	bool all_well;

	if (users < 1 || users > MAX_USERS) {
		fputs("usage: random_ops MOUNT OPERATIONS SECONDS SEED UID...\n", stderr);
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	for (int i = 0; i < users; i++)
		if (fork() == 0)
			be_user(argv[1], (uid_t)atoi(argv[5 + i]), strtoull(argv[4], NULL, 10) + 1,
				strtoull(argv[2], NULL, 10) / (uint64_t)users, &shared->began[i]);
	if (fork() == 0)
		look_on(argv[1], &shared->began[users]);
	all_well = watch(users, start + strtod(argv[3], NULL));
	report(now() - start);
	return all_well && !shared->bad ? 0 : 1;
}
