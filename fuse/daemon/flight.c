// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/flight.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

/* A request is in one of so many places; where all are taken it is not noted. */
#define WAYS 32
/* Longer than any without a name of its own length: libfuse's buffer has room for more. */
#define SMALL_REQUEST 1024

static unsigned int first_place(uint64_t unique)
{
	return (unsigned int)(unique * 0x9e3779b97f4a7c15 >> 40) % KV_FLIGHT_REQUESTS;
}

/* Put @to in the place of @from, among those of @unique. */
static void replace(struct kv_flight *flight, uint64_t unique, uint64_t from, uint64_t to)
{
	unsigned int at = first_place(unique);

	for (unsigned int i = 0; i < WAYS; i++, at = (at + 1) % KV_FLIGHT_REQUESTS) {
		uint64_t is = from;

		if (atomic_load_explicit(&flight->requests[at], memory_order_relaxed) == from &&
		    atomic_compare_exchange_strong(&flight->requests[at], &is, to))
			return;
	}
}

static bool gets_reply(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

static struct kv_flight *flight_of(void *userdata)
{
	return *(struct kv_flight **)userdata;
}

/* Note the calling thread: where; NULL: more threads read than there are places for. */
static _Atomic pid_t *enter(struct kv_flight *flight)
{
	static _Thread_local pid_t tid; /* workers fork no more */

	tid = tid ? tid : gettid();
	for (unsigned int i = 0; i < KV_FLIGHT_RECEIVERS; i++) {
		pid_t nobody = 0;

		if (atomic_compare_exchange_strong(&flight->receivers[i], &nobody, tid))
			return &flight->receivers[i];
	}
	return NULL;
}

/*
 * A thread's buffer has room for a MiB, of which requests to kview fill a page or two. malloc()
 * may have made it of memory that had another use before, and the thread may live for long: the
 * pages go back to the system before its first request.
 */
static void give_back_once(char *buffer, size_t size)
{
	static _Thread_local const char *given;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = ((uintptr_t)buffer + page - 1) & -page;
	uintptr_t end = ((uintptr_t)buffer + size) & -page;

	if (given == buffer)
		return;
	given = buffer;
	if (begin < end)
		madvise(buffer + (begin - (uintptr_t)buffer), end - begin, MADV_DONTNEED);
}

static ssize_t receive(int fd, void *to, size_t size, void *userdata)
{
	struct kv_flight *flight = flight_of(userdata);
	_Atomic pid_t *place = enter(flight);
	const struct fuse_in_header *head = to;
	ssize_t n;
	int code;

	give_back_once(to, size);
	/*
	 * The kernel gets no page for a thread that is being killed, and the request that it
	 * was about to take would fail with EIO: so the pages of all but a large one are there
	 * before. They are two, as the buffer begins anywhere in a page once malloc() has had
	 * that of a thread which ended.
	 */
	((volatile char *)to)[0] = 0;
	((volatile char *)to)[SMALL_REQUEST] = 0;
	n = read(fd, to, size);
	code = errno;

	if (n >= (ssize_t)sizeof(*head) && gets_reply(head->opcode))
		replace(flight, head->unique, 0, head->unique);
	else if (n < 0 && code != ENODEV && code != ENOENT && code != EINTR)
		flight->error = code;
	if (place)
		atomic_store(place, 0);
	errno = code;
	return n;
}

static ssize_t answer(int fd, struct iovec *iov, int count, void *userdata)
{
	const struct fuse_out_header *head = iov[0].iov_base;
	uint64_t unique = head->unique;
	ssize_t n = writev(fd, iov, count);
	int code = errno;

	if (unique)
		replace(flight_of(userdata), unique, unique, 0);
	errno = code;
	return n;
}

int kv_flight_session(struct fuse_session *session, int fd)
{
	static const struct fuse_custom_io io = {.read = receive, .writev = answer};

	return fuse_session_custom_io(session, &io, fd);
}

/* --- the supervisor --- */

static bool has_receiver(const struct kv_flight *flight, pid_t worker)
{
	for (unsigned int i = 0; i < KV_FLIGHT_RECEIVERS; i++) {
		pid_t tid = atomic_load(&flight->receivers[i]);

		if (tid && (syscall(SYS_tgkill, worker, tid, 0) == 0 || errno != ESRCH))
			return true;
	}
	return false;
}

void kv_flight_await(struct kv_flight *flight, pid_t worker, unsigned int ms)
{
	for (unsigned int i = 0; i < ms && has_receiver(flight, worker); i++)
		poll(NULL, 0, 1);
}

void kv_flight_fail(struct kv_flight *flight, int fd, int code)
{
	for (unsigned int i = 0; i < KV_FLIGHT_REQUESTS; i++) {
		struct fuse_out_header head = {
			.len = sizeof(head),
			.error = code,
			.unique = atomic_load(&flight->requests[i]),
		};

		if (head.unique)
			(void)!write(fd, &head, sizeof(head)); /* ENOENT: it was answered */
	}
}
