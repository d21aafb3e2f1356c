// SPDX-License-Identifier: GPL-2.0-only
/* The broker and the worker's side of it: what it makes, refuses, and what comes late or never. */
#include <sys/resource.h>

#include "broker_world.h"

/* --- iterators --- */

static void an_iterator_is_made_in_the_namespace_that_is_named(void **state)
{
	struct stat st;

	(void)state;
	comes(ask(OF_NET, net_ns));
	assert_int_equal(fstat(net_ns, &st), 0);
	assert_int_equal(kernel.ino, st.st_ino);
	assert_int_equal(kernel.entered, 2); /* and left */
	comes(ask(OF_NET, net_ns));
	assert_int_equal(kernel.entered, 4);
}

static void views_that_it_does_not_make_are_refused(void **state)
{
	(void)state;
	assert_int_equal(ask(NOT_OF_NET, net_ns), -EINVAL);
	assert_int_equal(ask(NOT_LOADED, net_ns), -EINVAL);
	assert_int_equal(ask(UNKNOWN, net_ns), -EINVAL);
	assert_int_equal(kernel.entered, 0);
	comes(ask(OF_NET, net_ns));
}

static void what_is_no_network_namespace_is_refused(void **state)
{
	const int files[] = {
		open("/dev/null", O_RDONLY | O_CLOEXEC),
		open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC),
		memfd_create("net:[4026531840]", MFD_CLOEXEC),
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
		open("/proc/self/ns", O_RDONLY | O_CLOEXEC),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		assert_true(files[i] >= 0);
		assert_int_equal(ask(OF_NET, files[i]), -EINVAL);
		close(files[i]);
	}
	assert_int_equal(ask(OF_NET, files[0]), -EBADF);
	assert_int_equal(ask(OF_NET, -1), -EBADF);
	assert_int_equal(ask(OF_NET, INT32_MIN), -EBADF);
	assert_int_equal(kernel.entered, 0);
	comes(ask(OF_NET, net_ns));
}

static void what_the_kernel_refuses_is_said(void **state)
{
	(void)state;
	kernel.fail_at = 1;
	assert_int_equal(ask(OF_NET, net_ns), -EPERM);
	kernel.iter = -ENOMEM;
	assert_int_equal(ask(OF_NET, net_ns), -ENOMEM);
	assert_int_equal(kernel.entered, 3); /* it has left for all that */
	kernel.iter = 0;
	comes(ask(OF_NET, net_ns));
}

/* Or the namespace would live as long as the broker. */
static void a_broker_that_cant_leave_a_namespace_ends(void **state)
{
	(void)state;
	kernel.fail_at = 2;
	comes(ask(OF_NET, net_ns));
	assert_int_equal(ask(OF_NET, net_ns), -EPIPE);
}

static void *ask_often(void *state)
{
	for (int i = 0; i < 200; i++) {
		int iter = ask(OF_NET, net_ns);

		if (iter < 0)
			return state;
		close(iter);
	}
	return NULL;
}

static void many_threads_may_ask(void **state)
{
	pthread_t threads[4];
	void *failed;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often, state), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(kernel.entered, 1600);
}

/* --- a broker that is dead, or slow --- */

static void a_dead_broker_is_an_error_at_once(void **state)
{
	(void)state;
	kv_broker_stop(&broker);
	kernel.time_is_up = true; /* nobody waits */
	assert_int_equal(ask(OF_NET, net_ns), -EPIPE);
	assert_int_equal(kernel.ahead, 0);
	kv_broker_stop(&broker); /* no harm */
}

static void words_that_are_no_question_end_the_broker(void **state)
{
	(void)state;
	assert_int_equal(send(client.fd, "?", 1, 0), 1);
	assert_int_equal(ask(OF_NET, net_ns), -EPIPE);
}

static void who_waits_is_told_that_the_broker_has_died(void **state)
{
	struct message question;
	pthread_t thread;
	int rc = 1;

	(void)state;
	thread = asks(&rc);
	question = take(to_client);
	assert_true(question.len > 0);
	shutdown(to_client, SHUT_RDWR);
	pthread_join(thread, NULL);
	assert_int_equal(rc, -EPIPE);
}

static void without_an_answer_time_runs_out(void **state)
{
	(void)state;
	kernel.time_is_up = true;
	assert_int_equal(ask(OF_NET, net_ns), -ETIMEDOUT);
	assert_in_range(kernel.ahead, KV_BROKER_MS * INT64_C(1000000),
			(KV_BROKER_MS + 2) * INT64_C(1000000));
}

static void a_late_answer_is_dropped_and_its_descriptor_closed(void **state)
{
	struct message late, now;
	pthread_t thread;
	int rc = 1;

	(void)state;
	kernel.time_is_up = true;
	assert_int_equal(ask(OF_NET, net_ns), -ETIMEDOUT);
	kernel.time_is_up = false;
	kernel.ahead = 0;
	kernel.is_old = true;
	late = answer();
	assert_true(late.passed_len > 0);
	kernel.is_old = false;
	thread = asks(&rc);
	now = answer();
	assert_true(now.passed_len > 0);
	give(to_client, &late);
	give(to_client, &now);
	pthread_join(thread, NULL);
	comes(rc);
}

static void a_question_that_came_late_is_not_dealt_with(void **state)
{
	struct message late;

	(void)state;
	kernel.time_is_up = true;
	assert_int_equal(ask(OF_NET, net_ns), -ETIMEDOUT);
	late = answer();
	assert_true(late.len > 0);
	assert_int_equal(late.passed_len, 0);
	assert_int_equal(kernel.entered, 0);
}

/* The one who asks has all the time, the other one as much as is left of his. */
static void who_waits_for_another_question_has_as_much_time(void **state)
{
	struct message question;
	pthread_t thread;
	int rc = 1;

	(void)state;
	thread = asks(&rc);
	question = take(to_client);
	kernel.ahead = -(KV_BROKER_MS - 50) * INT64_C(1000000);
	assert_int_equal(ask(OF_NET, net_ns), -ETIMEDOUT);
	kernel.ahead = 0;
	give(to_broker, &question);
	question = take(to_broker);
	give(to_client, &question);
	pthread_join(thread, NULL);
	comes(rc);
}

/* --- no room --- */

/* What the client says to the answer @m where there is room for one descriptor, or for none. */
static int answer_with_room(struct message *m, pthread_t thread, const int *rc, bool for_one)
{
	struct rlimit limit, less;

	getrlimit(RLIMIT_NOFILE, &limit);
	less = limit;
	less.rlim_cur = (rlim_t)slot + for_one;
	if (for_one)
		close(TAKE_FD(slot));
	setrlimit(RLIMIT_NOFILE, &less);
	give(to_client, m);
	pthread_join(thread, NULL);
	setrlimit(RLIMIT_NOFILE, &limit);
	return *rc;
}

static void a_descriptor_that_does_not_fit_is_emfile(void **state)
{
	struct message full;
	pthread_t thread;
	int rc = 1;

	(void)state;
	thread = asks(&rc);
	full = answer();
	assert_true(full.passed_len > 0);
	assert_int_equal(answer_with_room(&full, thread, &rc, false), -EMFILE);
	thread = asks(&rc);
	full = answer();
	give(to_client, &full);
	pthread_join(thread, NULL);
	comes(rc);
}

/* A map without the BTF that it has would be another one. */
static void of_two_descriptors_one_is_not_enough(void **state)
{
	struct message full;
	pthread_t thread;
	int rc = 1, fds[2];

	(void)state;
	thread = asks(&rc);
	full = answer();
	memcpy(fds, CMSG_DATA(&full.passed.head), sizeof(*fds));
	fds[1] = fcntl(fds[0], F_DUPFD_CLOEXEC, 500);
	memcpy(CMSG_DATA(&full.passed.head), fds, sizeof(fds));
	full.passed.head.cmsg_len = CMSG_LEN(sizeof(fds));
	full.passed_len = CMSG_SPACE(sizeof(fds));
	assert_int_equal(answer_with_room(&full, thread, &rc, true), -EMFILE);
}

int main(void)
{
#define DIRECT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define BETWEEN(f) cmocka_unit_test_setup_teardown(f, setup_between, teardown)
	const struct CMUnitTest tests[] = {
		DIRECT(an_iterator_is_made_in_the_namespace_that_is_named),
		DIRECT(views_that_it_does_not_make_are_refused),
		DIRECT(what_is_no_network_namespace_is_refused),
		DIRECT(what_the_kernel_refuses_is_said),
		DIRECT(a_broker_that_cant_leave_a_namespace_ends),
		DIRECT(many_threads_may_ask),
		DIRECT(a_dead_broker_is_an_error_at_once),
		DIRECT(words_that_are_no_question_end_the_broker),
		BETWEEN(who_waits_is_told_that_the_broker_has_died),
		BETWEEN(without_an_answer_time_runs_out),
		BETWEEN(a_late_answer_is_dropped_and_its_descriptor_closed),
		BETWEEN(a_question_that_came_late_is_not_dealt_with),
		BETWEEN(who_waits_for_another_question_has_as_much_time),
		BETWEEN(a_descriptor_that_does_not_fit_is_emfile),
		BETWEEN(of_two_descriptors_one_is_not_enough),
	};

	return cmocka_run_group_tests_name("broker", tests, NULL, NULL);
}
