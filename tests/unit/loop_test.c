// SPDX-License-Identifier: GPL-2.0-only
/* Which thread serves: requests are bytes of a pipe here, and what becomes of them its names. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuse/ops.h"
#include "unit.h"

#define IDLE 6

static struct {
	int from, to;	     /* of requests */
	int gate, open_gate; /* what slow ones wait at, a byte for each */
	int fail;	     /* what receiving returns at the end */
	atomic_int quick, slow, done;
	_Atomic pthread_t last, last_slow;
	atomic_bool has_ended;
} fake;

static struct kv_loop loop;

int fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf)
{
	ssize_t n;

	(void)se;
	if (!buf->mem)
		buf->mem = malloc(1);
	n = read(fake.from, buf->mem, 1);
	return n < 0 ? -errno : n ? 1 : fake.fail;
}

int fuse_session_fd(struct fuse_session *se)
{
	(void)se;
	return fake.from;
}

static void wait_at_gate(void)
{
	ssize_t n;
	char c;

	fake.last_slow = pthread_self();
	fake.slow++;
	while ((n = read(fake.gate, &c, 1)) < 0 && errno == EINTR)
		continue; /* woken to end: first this is finished */
	assert_int_equal(n, 1);
	fake.done++;
}

void fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf)
{
	(void)se;
	switch (*(char *)buf->mem) {
	case 'h':
		kv_loop_hand_over(&loop);
		kv_loop_hand_over(&loop);
		wait_at_gate();
		break;
	case 'w':
		wait_at_gate();
		break;
	case 'n': /* is told of the requests behind it */
		while (!kv_loop_has_requests(&loop))
			usleep(100);
		fake.slow++;
		break;
	default:
		fake.last = pthread_self();
		fake.quick++;
	}
}

void fuse_session_exit(struct fuse_session *se)
{
	(void)se;
	fake.has_ended = true;
}

int fuse_session_exited(struct fuse_session *se)
{
	(void)se;
	return fake.has_ended;
}

void fuse_session_reset(struct fuse_session *se)
{
	(void)se;
}

#define PATIENCE_MS 20000

static void *run(void *arg)
{
	int rc = kv_loop_run(&loop, arg);

	assert_true(kv_loop_stop(&loop, PATIENCE_MS));
	return (void *)(intptr_t)rc;
}

static pthread_t runner;

static void setup_fake(void)
{
	int requests[2], gate[2];

	memset(&fake, 0, sizeof(fake));
	assert_int_equal(pipe(requests), 0);
	assert_int_equal(pipe(gate), 0);
	fake.from = requests[0];
	fake.to = requests[1];
	fake.gate = gate[0];
	fake.open_gate = gate[1];
}

static int setup(void **state)
{
	(void)state;
	setup_fake();
	return -pthread_create(&runner, NULL, run, NULL);
}

/* Ends as an unmount does. */
static int stop(void)
{
	void *rc;

	close(fake.to);
	assert_int_equal(pthread_join(runner, &rc), 0);
	close(fake.from);
	close(fake.gate);
	close(fake.open_gate);
	return (int)(intptr_t)rc;
}

static void ask(const char *requests)
{
	assert_int_equal(write(fake.to, requests, strlen(requests)), strlen(requests));
}

static void until(atomic_int *count, int n)
{
	for (int i = 0; *count < n && i < 30000; i++)
		usleep(1000);
	assert_int_equal(*count, n);
}

static void let_through(int n)
{
	int before = fake.done;

	for (int i = 0; i < n; i++)
		assert_int_equal(write(fake.open_gate, "", 1), 1);
	until(&fake.done, before + n);
}

static unsigned int count_threads(void)
{
	unsigned int n;

	pthread_mutex_lock(&loop.lock);
	n = loop.n;
	pthread_mutex_unlock(&loop.lock);
	return n;
}

/* --- cases --- */

static void short_requests_are_one_threads(void **state)
{
	pthread_t first;

	(void)state;
	ask("q");
	until(&fake.quick, 1);
	first = fake.last;
	for (int i = 2; i <= 50; i++) {
		ask("q");
		until(&fake.quick, i);
		assert_true(pthread_equal(fake.last, first));
	}
	assert_int_equal(count_threads(), 1);
	assert_int_equal(stop(), 0);
}

static void a_long_request_keeps_nobody_waiting(void **state)
{
	(void)state;
	ask("hqhq");
	until(&fake.quick, 2);
	assert_int_equal(fake.slow, 2);
	assert_int_equal(fake.done, 0);
	let_through(2);
	ask("q");
	until(&fake.quick, 3);
	assert_int_equal(stop(), 0);
}

static void a_request_that_turns_out_long_is_handed_over(void **state)
{
	(void)state;
	ask("wq");
	until(&fake.quick, 1);
	assert_int_equal(fake.done, 0);
	let_through(1);
	assert_int_equal(stop(), 0);
}

static void requests_that_wait_are_seen(void **state)
{
	(void)state;
	ask("n");
	usleep(1000);
	assert_int_equal(fake.slow, 0);
	ask("q");
	until(&fake.slow, 1);
	until(&fake.quick, 1);
	assert_false(kv_loop_has_requests(&loop));
	assert_int_equal(stop(), 0);
}

/* Also one that came while the timer ran for an earlier one. */
static void each_of_many_long_requests_is(void **state)
{
	(void)state;
	for (int i = 1; i <= 20; i++) {
		ask("qqwq");
		until(&fake.quick, 3 * i);
		until(&fake.slow, i);
	}
	assert_int_equal(fake.done, 0);
	let_through(20);
	assert_int_equal(stop(), 0);
}

static void threads_have_a_limit_and_who_is_done_serves(void **state)
{
	(void)state;
	for (int i = 0; i < KV_MAX_THREADS; i++)
		ask(i % 8 ? "h" : "w");
	until(&fake.slow, KV_MAX_THREADS);
	assert_int_equal(count_threads(), KV_MAX_THREADS);
	ask("q");
	usleep(20000);
	assert_int_equal(fake.quick, 0);
	let_through(1);
	until(&fake.quick, 1);
	let_through(KV_MAX_THREADS - 1);
	assert_int_equal(stop(), 0);
}

static void idle_threads_end_but_for_some(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++)
		ask("h");
	until(&fake.slow, 40);
	let_through(40);
	for (int i = 0; count_threads() > IDLE + 1 && i < 30000; i++)
		usleep(1000);
	assert_int_equal(count_threads(), IDLE + 1);
	ask("hhq");
	until(&fake.quick, 1);
	let_through(2);
	assert_int_equal(stop(), 0);
}

static void a_failure_is_the_result(void **state)
{
	(void)state;
	fake.fail = -EIO;
	ask("q");
	until(&fake.quick, 1);
	assert_int_equal(stop(), -EIO);
}

static void wake(int signo)
{
	(void)signo;
	fake.has_ended = true;
}

static void a_signal_ends_it_with_idle_and_waiting_threads(void **state)
{
	const struct sigaction action = {.sa_handler = wake};
	void *rc;

	(void)state;
	assert_int_equal(sigaction(SIGTERM, &action, NULL), 0);
	ask("hhhhq");
	until(&fake.quick, 1);
	let_through(3);
	pthread_kill(runner, SIGTERM);
	usleep(20000);
	assert_int_equal(fake.done, 3);
	let_through(1); /* a request that is under way is finished */
	assert_int_equal(pthread_join(runner, &rc), 0);
	assert_null(rc);
	assert_int_equal(fake.done, 4);
}

static void a_thread_that_hangs_does_not_keep_the_loop_from_ending(void **state)
{
	(void)state;
	setup_fake();
	ask("hq");
	close(fake.to);
	assert_int_equal(kv_loop_run(&loop, NULL), 0);
	assert_false(kv_loop_stop(&loop, 50));
	assert_int_equal(fake.quick, 1);
	let_through(1);
	pthread_join(fake.last_slow, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(short_requests_are_one_threads, setup),
		cmocka_unit_test_setup(a_long_request_keeps_nobody_waiting, setup),
		cmocka_unit_test_setup(a_request_that_turns_out_long_is_handed_over, setup),
		cmocka_unit_test_setup(requests_that_wait_are_seen, setup),
		cmocka_unit_test_setup(each_of_many_long_requests_is, setup),
		cmocka_unit_test_setup(threads_have_a_limit_and_who_is_done_serves, setup),
		cmocka_unit_test_setup(idle_threads_end_but_for_some, setup),
		cmocka_unit_test_setup(a_failure_is_the_result, setup),
		cmocka_unit_test_setup(a_signal_ends_it_with_idle_and_waiting_threads, setup),
		cmocka_unit_test(a_thread_that_hangs_does_not_keep_the_loop_from_ending),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
