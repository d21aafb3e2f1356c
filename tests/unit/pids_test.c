// SPDX-License-Identifier: GPL-2.0-only
/* The names below pid/: numbers of processes from an iterator made here. */
#include <pthread.h>

#include "fake_iter.h"
#include "iter/kernel.h"
#include "iter/pids.h"

#define MANY 30000

/* Processes 3, 6, 9 ... */
static void fake_pids(int n)
{
	pid_t *pids = malloc(((size_t)n + 1) * sizeof(*pids));

	for (int i = 0; i < n; i++)
		pids[i] = 3 * (i + 1);
	fake_bytes(pids, (size_t)n * sizeof(*pids));
	free(pids);
}

static void a_listing_gives_every_process_once(void **state)
{
	struct kv_pids *pids = kv_pids_new(-1);
	pid_t at = 0;

	(void)state;
	fake_pids(MANY);
	for (int i = 1; i <= MANY; i++) {
		at = kv_pids_from(pids, at + 1);
		assert_int_equal(at, 3 * i);
	}
	assert_int_equal(kv_pids_from(pids, at + 1), 0);
	assert_int_equal(kv_pids_from(pids, at + 1), 0);
	assert_int_equal(fake.opens, 1);
	kv_pids_free(pids);
}

static void nothing_is_iterated_before_the_first_question(void **state)
{
	(void)state;
	fake_pids(1);
	kv_pids_free(kv_pids_new(-1));
	assert_int_equal(fake.opens, 0);
}

static void a_question_may_be_repeated(void **state)
{
	struct kv_pids *pids = kv_pids_new(-1);

	(void)state;
	fake_pids(100);
	for (int i = 0; i < 3; i++)
		assert_int_equal(kv_pids_from(pids, 10), 12);
	assert_int_equal(kv_pids_from(pids, 12), 12);
	assert_int_equal(kv_pids_from(pids, 13), 15);
	assert_int_equal(fake.opens, 1);
	kv_pids_free(pids);
}

static void a_step_back_begins_anew(void **state)
{
	struct kv_pids *pids = kv_pids_new(-1);

	(void)state;
	fake_pids(100);
	assert_int_equal(kv_pids_from(pids, 200), 201);
	fake_pids(1);
	assert_int_equal(kv_pids_from(pids, 1), 3);
	assert_int_equal(kv_pids_from(pids, 4), 0);
	assert_int_equal(fake.opens, 2);
	kv_pids_free(pids);
}

static void a_step_back_from_the_end_begins_anew(void **state)
{
	struct kv_pids *pids = kv_pids_new(-1);

	(void)state;
	fake_pids(10);
	assert_int_equal(kv_pids_from(pids, 1000), 0);
	assert_int_equal(kv_pids_from(pids, 1), 3);
	kv_pids_free(pids);
}

static void an_iterator_that_cannot_be_made_is_an_error(void **state)
{
	struct kv_pids *pids = kv_pids_new(-1);

	(void)state;
	fake.fail = -EMFILE;
	assert_int_equal(kv_pids_from(pids, 1), -EMFILE);
	fake.fail = 0;
	fake_pids(1);
	assert_int_equal(kv_pids_from(pids, 1), 3);
	kv_pids_free(pids);
}

static void a_read_that_fails_is_an_error_and_no_end(void **state)
{
	struct kv_pids *pids = kv_pids_new(-1);

	(void)state;
	fake.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(kv_pids_from(pids, 1), -EBADF);
	assert_int_equal(kv_pids_from(pids, 2), -EBADF);
	kv_pids_free(pids);
}

static void endless_eagain_is_an_error(void **state)
{
	struct kv_pids *pids = kv_pids_new(-1);
	int to = fake_messages();

	(void)state;
	assert_int_equal(kv_pids_from(pids, 1), -EIO);
	kv_pids_free(pids);
	close(to);
}

static void a_listing_keeps_no_descriptor(void **state)
{
	struct kv_pids *pids;
	int before;

	(void)state;
	fake_pids(100);
	before = fake_open_fds();
	pids = kv_pids_new(-1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(kv_pids_from(pids, 298 - i * 3), 300 - i * 3);
	kv_pids_free(pids);
	assert_int_equal(fake_open_fds(), before);
}

/* --- threads and their processes --- */

static void a_process_is_its_own_first_thread(void **state)
{
	(void)state;
	assert_int_equal(kv_kernel_process_of(getpid()), getpid());
	assert_int_equal(kv_kernel_process_of(1), 1);
}

static void *ask_for_self(void *arg)
{
	*(pid_t *)arg = kv_kernel_process_of(gettid());
	return NULL;
}

static void a_thread_leads_to_its_process(void **state)
{
	pthread_t thread;
	pid_t pid = 0;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, ask_for_self, &pid), 0);
	pthread_join(thread, NULL);
	assert_int_equal(pid, getpid());
}

static void *is_self_a_process(void *arg)
{
	*(int *)arg = kv_kernel_has_process(gettid());
	return NULL;
}

static void only_a_first_thread_is_a_process(void **state)
{
	pthread_t thread;
	int answer = -1;

	(void)state;
	assert_true(kv_kernel_has_process(getpid()));
	assert_true(kv_kernel_has_process(1));
	assert_false(kv_kernel_has_process((4 << 20) + 1));
	assert_int_equal(pthread_create(&thread, NULL, is_self_a_process, &answer), 0);
	pthread_join(thread, NULL);
	assert_int_equal(answer, 0);
}

static void a_number_of_nobody_leads_nowhere(void **state)
{
	(void)state;
	assert_int_equal(kv_kernel_process_of(0), 0);
	assert_int_equal(kv_kernel_process_of(-1), 0);
	assert_int_equal(kv_kernel_process_of((4 << 20) + 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(a_listing_gives_every_process_once),
		WITH_FAKE(nothing_is_iterated_before_the_first_question),
		WITH_FAKE(a_question_may_be_repeated),
		WITH_FAKE(a_step_back_begins_anew),
		WITH_FAKE(a_step_back_from_the_end_begins_anew),
		WITH_FAKE(an_iterator_that_cannot_be_made_is_an_error),
		WITH_FAKE(a_read_that_fails_is_an_error_and_no_end),
		WITH_FAKE(endless_eagain_is_an_error),
		WITH_FAKE(a_listing_keeps_no_descriptor),
		cmocka_unit_test(a_process_is_its_own_first_thread),
		cmocka_unit_test(a_thread_leads_to_its_process),
		cmocka_unit_test(only_a_first_thread_is_a_process),
		cmocka_unit_test(a_number_of_nobody_leads_nowhere),
	};

	return cmocka_run_group_tests_name("pids", tests, NULL, NULL);
}
