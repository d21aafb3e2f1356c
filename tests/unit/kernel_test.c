// SPDX-License-Identifier: GPL-2.0-only
/* What is asked of the kernel that runs the tests. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "load/kernel.h"
#include "unit.h"

#define NOBODY ((4 << 20) + 1) /* above the highest number that Linux gives */

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
	assert_false(kv_kernel_has_process(NOBODY));
	assert_int_equal(pthread_create(&thread, NULL, is_self_a_process, &answer), 0);
	pthread_join(thread, NULL);
	assert_int_equal(answer, 0);
}

static void a_number_of_nobody_leads_nowhere(void **state)
{
	(void)state;
	assert_int_equal(kv_kernel_process_of(0), 0);
	assert_int_equal(kv_kernel_process_of(-1), 0);
	assert_int_equal(kv_kernel_process_of(NOBODY), 0);
}

/* --- ids --- */

static void ids_without_a_mapping_are_shown_as_the_kernel_says(void **state)
{
	static const char *const which[] = {"uid", "gid"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(which); i++) {
		char path[64], *text;
		size_t n;

		snprintf(path, sizeof(path), "/proc/sys/kernel/overflow%s", which[i]);
		assert_int_equal(kv_read_file(path, 64, &text, &n, NULL), 0);
		assert_int_equal(kv_kernel_overflow_id(which[i]), strtoul(text, NULL, 10));
		free(text);
	}
}

static void an_unknown_id_has_the_usual_number(void **state)
{
	(void)state;
	assert_int_equal(kv_kernel_overflow_id("none"), 65534);
}

/* --- what is tried --- */

static void to_try_leaves_no_child_and_gives_one_answer(void **state)
{
	bool first = kv_kernel_perfmon_reads_maps();

	(void)state;
	assert_int_equal(kv_kernel_perfmon_reads_maps(), first);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_its_own_first_thread),
		cmocka_unit_test(a_thread_leads_to_its_process),
		cmocka_unit_test(only_a_first_thread_is_a_process),
		cmocka_unit_test(a_number_of_nobody_leads_nowhere),
		cmocka_unit_test(ids_without_a_mapping_are_shown_as_the_kernel_says),
		cmocka_unit_test(an_unknown_id_has_the_usual_number),
		cmocka_unit_test(to_try_leaves_no_child_and_gives_one_answer),
	};

	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
