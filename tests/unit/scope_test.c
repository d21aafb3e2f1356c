// SPDX-License-Identifier: GPL-2.0-only
/* One read of an iterator as a registered thread, with a map made here. */
#include <pthread.h>
#include <signal.h>

#include "access/scope.h"
#include "fake_iter.h"
#include "access/reader.h"

#define DEAD 4194305u /* above the highest number that Linux gives to a thread */

static ssize_t read_one(uint8_t *saw, struct kv_err *err)
{
	static const struct kv_scope scope = {.pid_ns = 0xabcd, .fsuid = 1000};
	char to[256];
	int iter = bpf_iter_create(-1);
	ssize_t n;

	assert_true(iter >= 0);
	n = kv_scope_read(-1, &scope, NULL, iter, to, sizeof(to), saw, err);
	if (n > 0)
		assert_memory_equal(to, "what the kernel says", n);
	close(iter);
	return n;
}

static void a_read_is_registered_and_then_not(void **state)
{
	uint8_t saw = 0xff;

	(void)state;
	fake_bytes(BYTES("what the kernel says"));
	assert_int_equal(read_one(&saw, NULL), 20);
	assert_int_equal(saw, 0);
	assert_int_equal(fake.adds, 1);
	assert_int_equal(fake.removes, 1);
	assert_int_equal(fake.scope.pid_ns, 0xabcd);
	assert_int_equal(fake.scope.fsuid, 1000);
}

static void *read_in_a_thread(void *arg)
{
	uint8_t saw;

	*(pid_t *)arg = gettid();
	read_one(&saw, NULL);
	return NULL;
}

/* Its number may be another thread's as soon as it is killed. */
static void a_registration_is_of_the_thread_that_has_that_start(void **state)
{
	pthread_t thread;
	uint8_t saw;
	pid_t tid;

	(void)state;
	fake_bytes("", 0);
	read_one(&saw, NULL);
	assert_int_equal(fake.scope.thread_start, FAKE_START + (uint64_t)gettid());
	assert_int_equal(pthread_create(&thread, NULL, read_in_a_thread, &tid), 0);
	pthread_join(thread, NULL);
	assert_int_equal(fake.scope.thread_start, FAKE_START + (uint64_t)tid);
}

static void the_programs_answer_is_handed_on(void **state)
{
	uint8_t saw = 0;

	(void)state;
	fake_bytes("", 0);
	fake.saws[0] = KV_SAW_OBJECT;
	fake.saws[1] = KV_SAW_END | KV_SAW_DENIED;
	assert_int_equal(read_one(&saw, NULL), 0);
	assert_int_equal(saw, KV_SAW_OBJECT);
	assert_int_equal(read_one(&saw, NULL), 0);
	assert_int_equal(saw, KV_SAW_END | KV_SAW_DENIED);
}

static void a_read_that_fails_says_why_and_is_not_registered(void **state)
{
	uint8_t saw;

	(void)state;
	fake.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(read_one(&saw, NULL), -EBADF);
	assert_int_equal(fake.adds, 1);
	assert_int_equal(fake.removes, 1);
}

static void a_read_without_data_says_eagain(void **state)
{
	int to = fake_messages();
	uint8_t saw;

	(void)state;
	assert_int_equal(read_one(&saw, NULL), -EAGAIN);
	assert_int_equal(fake.removes, 1);
	close(to);
}

/* --- a full map --- */

static void those_who_died_amid_a_read_make_room(void **state)
{
	const uint64_t self = (uint64_t)getpid() << 32 | (uint32_t)gettid();
	const uint64_t init = UINT64_C(1) << 32 | 1;
	uint8_t saw;

	(void)state;
	fake_bytes("", 0);
	fake.full = 1;
	fake.keys[0] = (uint64_t)DEAD << 32 | DEAD;
	fake.keys[1] = self;
	fake.keys[2] = (uint64_t)(DEAD + 1) << 32 | (DEAD + 2);
	fake.keys[3] = init;
	assert_int_equal(read_one(&saw, NULL), 0);
	assert_int_equal(fake.keys[0], 0);
	assert_int_equal(fake.keys[2], 0);
	assert_int_equal(fake.keys[3], init); /* it lives: not ours to remove */
	assert_int_equal(fake.adds, 1);
}

static void without_room_a_reader_is_not_served(void **state)
{
	struct kv_err err = {0};
	uint8_t saw;

	(void)state;
	fake_bytes(BYTES("what the kernel says"));
	fake.full = 2;
	assert_int_equal(read_one(&saw, &err), KV_SAID);
	assert_says(&err, "can't register as a reader");
	assert_int_equal(fake.adds, 0);
	assert_int_equal(fake.reads, 0);
	fake.full = 2;
	assert_int_equal(read_one(&saw, NULL), KV_SAID);
}

/* --- signals --- */

static volatile sig_atomic_t handled, handled_within;

static void handle(int sig)
{
	(void)sig;
	handled++;
}

static void raise_within(void)
{
	raise(SIGUSR1);
	handled_within = handled;
}

/* Killed in between, a thread would leave its registration behind. */
static void signals_wait_until_the_read_is_over(void **state)
{
	sigset_t before, after;
	uint8_t saw;

	(void)state;
	fake_bytes("", 0);
	handled = handled_within = 0;
	signal(SIGUSR1, handle);
	fake.on_read = raise_within;
	sigprocmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(read_one(&saw, NULL), 0);
	sigprocmask(SIG_SETMASK, NULL, &after);
	signal(SIGUSR1, SIG_DFL);
	assert_int_equal(handled_within, 0);
	assert_int_equal(handled, 1);
	for (int sig = 1; sig < SIGRTMIN; sig++)
		assert_int_equal(sigismember(&after, sig), sigismember(&before, sig));
}

static void signals_come_again_after_a_refusal(void **state)
{
	uint8_t saw;

	(void)state;
	handled = 0;
	fake_bytes("", 0);
	fake.full = 2;
	signal(SIGUSR1, handle);
	assert_int_equal(read_one(&saw, NULL), KV_SAID);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
	assert_int_equal(handled, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(a_read_is_registered_and_then_not),
		WITH_FAKE(a_registration_is_of_the_thread_that_has_that_start),
		WITH_FAKE(the_programs_answer_is_handed_on),
		WITH_FAKE(a_read_that_fails_says_why_and_is_not_registered),
		WITH_FAKE(a_read_without_data_says_eagain),
		WITH_FAKE(those_who_died_amid_a_read_make_room),
		WITH_FAKE(without_room_a_reader_is_not_served),
		WITH_FAKE(signals_wait_until_the_read_is_over),
		WITH_FAKE(signals_come_again_after_a_refusal),
	};

	return cmocka_run_group_tests_name("scope", tests, NULL, NULL);
}
