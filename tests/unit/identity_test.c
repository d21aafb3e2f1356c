// SPDX-License-Identifier: GPL-2.0-only
/* Who a thread is, where the kernel has iterators for single threads and where for leaders alone. */
#include <bpf/bpf.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access/identity.h"
#include "unit.h"

/* --- the kernel --- */

static const struct kv_loaded query = {1000, 1000, -1, -1};
static bool finds_threads, is_refused;
static pid_t thread_tid;
static unsigned int links;

static void put(int fd, pid_t tid)
{
	const struct kv_identity id = {.id = (uint64_t)getpid() << 32 | (uint32_t)tid,
				       .thread_start = 7000 + (uint64_t)tid};

	assert_int_equal(write(fd, &id, sizeof(id)), sizeof(id));
}

int bpf_link_create(int prog_fd, int target_fd, enum bpf_attach_type type,
		    const struct bpf_link_create_opts *opts)
{
	const pid_t pid = (pid_t)opts->iter_info->task.pid, tid = (pid_t)opts->iter_info->task.tid;
	int fd;

	(void)prog_fd;
	(void)target_fd;
	(void)type;
	links++;
	if (is_refused)
		return -ENOMEM;
	fd = memfd_create("link", MFD_CLOEXEC);
	if (tid == getpid() || (tid && finds_threads))
		put(fd, tid);
	if (pid == getpid()) {
		put(fd, pid);
		put(fd, 3);
		if (thread_tid)
			put(fd, thread_tid);
	}
	return fd;
}

int bpf_iter_create(int link_fd)
{
	int fd = dup(link_fd);

	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* --- a thread --- */

static sem_t asked, over;

static void *be_there(void *arg)
{
	(void)arg;
	thread_tid = gettid();
	sem_post(&asked);
	sem_wait(&over);
	return NULL;
}

static int identify_thread(struct kv_identity *id)
{
	pthread_t thread;
	int rc;

	sem_init(&asked, 0, 0);
	sem_init(&over, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, be_there, NULL), 0);
	sem_wait(&asked);
	rc = kv_identity_get(&query, thread_tid, id);
	sem_post(&over);
	pthread_join(thread, NULL);
	return rc;
}

static int setup(void **state)
{
	(void)state;
	finds_threads = true;
	is_refused = false;
	thread_tid = 0;
	links = 0;
	return 0;
}

static void a_thread_is_found_by_itself(void **state)
{
	struct kv_identity id;

	(void)state;
	assert_int_equal(identify_thread(&id), 0);
	assert_int_equal(id.thread_start, 7000 + thread_tid);
	assert_int_equal(links, 1);
}

static void or_among_those_of_its_process(void **state)
{
	struct kv_identity id;

	(void)state;
	finds_threads = false;
	assert_int_equal(identify_thread(&id), 0);
	assert_int_equal(id.thread_start, 7000 + thread_tid);
	assert_int_equal(links, 2);
	assert_int_equal(kv_identity_get(&query, getpid(), &id), 0);
	assert_int_equal(id.thread_start, 7000 + getpid());
	assert_int_equal(links, 3);
}

static void one_that_is_not_there_is_not_found(void **state)
{
	const pid_t none = (4 << 20) + 1; /* above the highest number that Linux gives */
	struct kv_identity id;

	(void)state;
	finds_threads = false;
	assert_int_equal(kv_identity_get(&query, none, &id), -ESRCH);
	assert_int_equal(links, 1);
}

static void what_the_kernel_refuses_is_an_error(void **state)
{
	struct kv_identity id;

	(void)state;
	is_refused = true;
	assert_int_equal(kv_identity_get(&query, getpid(), &id), -ENOMEM);
}

static void whether_threads_are_found_is_tried(void **state)
{
	struct kv_loaded loaded = query;

	(void)state;
	assert_true(kv_identity_finds_threads(&loaded));
	finds_threads = false;
	assert_false(kv_identity_finds_threads(&loaded));
}

#define QUERY(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		QUERY(a_thread_is_found_by_itself),
		QUERY(or_among_those_of_its_process),
		QUERY(one_that_is_not_there_is_not_found),
		QUERY(what_the_kernel_refuses_is_an_error),
		QUERY(whether_threads_are_found_is_tried),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
