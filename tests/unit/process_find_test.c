// SPDX-License-Identifier: GPL-2.0-only
/* A process by its number, ours or the reader's, from an iterator made here. */
#include <sys/ioctl.h>

#include "fake_process.h"

/* --- the ioctl that translates numbers, as it shall answer --- */

static struct {
	int answer; /* or -errno */
	unsigned int asked;
	int fd, nr; /* of the last */
} translation;

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;

	(void)request;
	va_start(ap, request);
	translation.nr = va_arg(ap, int);
	va_end(ap);
	translation.fd = fd;
	translation.asked++;
	if (translation.answer >= 0)
		return translation.answer;
	errno = -translation.answer;
	return -1;
}

/* --- one process --- */

static int look(pid_t pid, struct kv_process *p)
{
	struct kv_reader reader = KV_READER_INIT;

	reader.scope.pid_ns = HOME;
	reader.scope.fsuid = 1000;
	memset(p, 0, sizeof(*p));
	return kv_process_look(&host, &reader, pid, p);
}

static void a_process_is_looked_up_by_our_number(void **state)
{
	struct kv_process want = process(7), got;

	(void)state;
	want.is_hidden = 1;
	fake_one(&want, sizeof(want));
	assert_int_equal(look(70, &got), 0);
	assert_memory_equal(&got, &want, sizeof(got));
	assert_int_equal(fake.tid, 70);
	assert_int_equal(fake.pid, 0);
	assert_int_equal(fake.scope.fsuid, 1000);
	assert_int_equal(fake.adds, 1);
	assert_int_equal(fake.removes, 1);
}

static void a_process_of_which_nothing_is_said_is_not_there(void **state)
{
	struct kv_process p = process(7);

	(void)state;
	fake_one("", 0);
	assert_int_equal(look(70, &p), -ENOENT);
	p = process(7);
	fake_one(&p, sizeof(p) - 1);
	assert_int_equal(look(70, &p), -ENOENT);
}

static void a_process_that_cannot_be_looked_at_is_an_error(void **state)
{
	struct kv_process p;

	(void)state;
	fake.link_fail = -EMFILE;
	assert_int_equal(look(70, &p), -EMFILE);
	fake.link_fail = 0;
	fake.fail = -ENOMEM;
	assert_int_equal(look(70, &p), -ENOMEM);
	fake.fail = 0;
	fake.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(look(70, &p), -EBADF);
}

static void a_look_keeps_no_descriptor(void **state)
{
	struct kv_process p = process(7);
	int before;

	(void)state;
	fake_one(&p, sizeof(p));
	before = open_fds();
	for (int i = 0; i < 10; i++)
		assert_int_equal(look(70, &p), 0);
	fake.fail = -EMFILE;
	assert_int_equal(look(70, &p), -EMFILE);
	assert_int_equal(open_fds(), before);
}

/* --- by the reader's number --- */

static int find_in(uint64_t ns, pid_t nr, struct kv_process *p)
{
	struct kv_reader reader = fake_reader();
	int rc;

	reader.scope.pid_ns = ns;
	memset(p, 0, sizeof(*p));
	rc = kv_process_find(&host, &reader, nr, p);
	if (translation.asked)
		assert_int_equal(translation.fd, reader.holds[KV_HOLD_PID_NS]);
	kv_reader_close(&reader);
	return rc;
}

static void at_home_numbers_are_our_own(void **state)
{
	struct kv_process want = {.start = 5, .pid = 7, .nr = 7}, got;

	(void)state;
	fake_one(&want, sizeof(want));
	assert_int_equal(find_in(HOME, 7, &got), 0);
	assert_memory_equal(&got, &want, sizeof(got));
	assert_int_equal(fake.tid, 7);
	assert_int_equal(translation.asked, 0);
	assert_int_equal(fake.opens, 1);
}

static void the_kernel_translates_numbers_of_another_namespace(void **state)
{
	struct kv_process want = process(7), got;

	(void)state;
	translation.answer = 70;
	fake_one(&want, sizeof(want));
	assert_int_equal(find_in(AWAY, 7, &got), 0);
	assert_memory_equal(&got, &want, sizeof(got));
	assert_int_equal(translation.nr, 7);
	assert_int_equal(fake.tid, 70);
	assert_int_equal(fake.scope.pid_ns, AWAY);
	assert_int_equal(fake.opens, 1);
}

static void a_number_of_nobody_there_is_not_searched_for(void **state)
{
	struct kv_process p;

	(void)state;
	fake_processes(10);
	translation.answer = -ESRCH;
	assert_int_equal(find_in(AWAY, 3, &p), -ENOENT);
	assert_int_equal(fake.opens, 0);
}

/* Of a thread, whose process has another; or of a process that is a later one. */
static void a_process_of_another_number_is_not_it(void **state)
{
	struct kv_process other = process(8), p;

	(void)state;
	translation.answer = 70;
	fake_one(&other, sizeof(other));
	assert_int_equal(find_in(AWAY, 7, &p), -ENOENT);
	assert_int_equal(find_in(HOME, 7, &p), -ENOENT);
}

/* --- kernels that can't translate --- */

static void without_translation_all_are_looked_through(void **state)
{
	static const int why[] = {-ENOTTY, -EINVAL, -EBADF};
	struct kv_process want = process(30), got;

	(void)state;
	want.is_hidden = 1;
	for (size_t i = 0; i < ARRAY_SIZE(why); i++) {
		translation.answer = why[i];
		fake_processes(100);
		fake_one(&want, sizeof(want));
		fake.opens = 0;
		assert_int_equal(find_in(AWAY, 30, &got), 0);
		assert_memory_equal(&got, &want, sizeof(got));
		assert_int_equal(fake.tid, 300);
		assert_int_equal(fake.scope.pid_ns, AWAY);
		assert_int_equal(fake.opens, 2);
	}
}

static void a_search_finds_nobody_by_a_number_between(void **state)
{
	static const pid_t none[] = {1, 29, 31, 301, 4194303};
	struct kv_process p;

	(void)state;
	translation.answer = -ENOTTY;
	fake_processes(100);
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_int_equal(find_in(AWAY, none[i], &p), -ENOENT);
	assert_int_equal(fake.links, 0);
}

static void a_search_that_fails_is_an_error(void **state)
{
	struct kv_process p;

	(void)state;
	translation.answer = -ENOTTY;
	fake.fail = -EMFILE;
	assert_int_equal(find_in(AWAY, 3, &p), -EMFILE);
	fake.fail = 0;
	fake_processes(10);
	fake_one("", 0); /* it went meanwhile */
	assert_int_equal(find_in(AWAY, 3, &p), -ENOENT);
}

/* Our number was given anew between the search and the look. */
static void a_search_that_ends_at_another_is_not_it(void **state)
{
	struct kv_process other = process(8), p;

	(void)state;
	translation.answer = -ENOTTY;
	fake_processes(10);
	fake_one(&other, sizeof(other));
	assert_int_equal(find_in(AWAY, 3, &p), -ENOENT);
}

static void a_search_keeps_no_descriptor_and_closes_no_other(void **state)
{
	struct kv_process p = process(30);
	struct kv_reader reader;
	int before;

	(void)state;
	translation.answer = -ENOTTY;
	fake_processes(100);
	fake_one(&p, sizeof(p));
	reader = fake_reader();
	reader.scope.pid_ns = AWAY;
	before = open_fds();
	assert_int_equal(kv_process_find(&host, &reader, 30, &p), 0);
	assert_int_equal(kv_process_find(&host, &reader, 31, &p), -ENOENT);
	assert_int_equal(open_fds(), before);
	kv_reader_close(&reader);
	assert_int_equal(open_fds(), before - KV_HOLDS);
}

static int setup(void **state)
{
	memset(&translation, 0, sizeof(translation));
	return fake_setup(state);
}

#define WITH_BOTH(f) cmocka_unit_test_setup_teardown(f, setup, fake_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(a_process_is_looked_up_by_our_number),
		WITH_FAKE(a_process_of_which_nothing_is_said_is_not_there),
		WITH_FAKE(a_process_that_cannot_be_looked_at_is_an_error),
		WITH_FAKE(a_look_keeps_no_descriptor),
		WITH_BOTH(at_home_numbers_are_our_own),
		WITH_BOTH(the_kernel_translates_numbers_of_another_namespace),
		WITH_BOTH(a_number_of_nobody_there_is_not_searched_for),
		WITH_BOTH(a_process_of_another_number_is_not_it),
		WITH_BOTH(without_translation_all_are_looked_through),
		WITH_BOTH(a_search_finds_nobody_by_a_number_between),
		WITH_BOTH(a_search_that_fails_is_an_error),
		WITH_BOTH(a_search_that_ends_at_another_is_not_it),
		WITH_BOTH(a_search_keeps_no_descriptor_and_closes_no_other),
	};

	return cmocka_run_group_tests_name("process find", tests, NULL, NULL);
}
