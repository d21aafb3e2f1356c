// SPDX-License-Identifier: GPL-2.0-only
/* The names below pid/: processes listed from an iterator made here. */
#include <pthread.h>

#include "fake_process.h"

#define MANY 30000

static struct kv_processes *open_listing(void)
{
	struct kv_reader reader = KV_READER_INIT;
	struct kv_processes *list = kv_processes_new(&host, &reader);

	assert_non_null(list);
	return list;
}

/* The number of the first from @nr on, 0 or -errno. */
static int from(struct kv_processes *list, pid_t nr)
{
	struct kv_process p = {0};
	int rc = kv_processes_from(list, nr, &p);

	if (rc <= 0)
		return rc;
	assert_int_equal(rc, 1);
	assert_int_equal(p.pid, 10 * p.nr);
	assert_int_equal(p.start, 1000 + p.nr);
	return p.nr;
}

/* --- all of them --- */

/* Whole records in each read, as the kernel gives them. */
static void *send_many(void *arg)
{
	struct kv_process list[A_READ];
	int to = *(int *)arg, n = 0;

	for (int i = MANY; i >= 1; i--) {
		list[n++] = process(i);
		if (n == A_READ || i == 1) {
			send(to, list, (size_t)n * sizeof(*list), MSG_NOSIGNAL);
			n = 0;
		}
	}
	close(to);
	return NULL;
}

/* As of a kernel with larger pages: each read gives as much as it has room for. */
static void a_read_that_is_full_ends_with_a_whole_process(void **state)
{
	static struct kv_process sent[2 * A_READ];
	struct kv_processes *list;
	int n = 0;

	(void)state;
	for (int i = 0; i < 2 * A_READ; i++)
		sent[i] = process(i + 1);
	fake_bytes(sent, sizeof(sent));
	list = open_listing();
	while (n < 2 * A_READ) {
		assert_int_equal(from(list, n + 1), n + 1);
		n++;
	}
	assert_int_equal(from(list, n + 1), 0);
	kv_processes_free(list);
}

static void a_listing_gives_every_process_once(void **state)
{
	struct kv_processes *list = open_listing();
	int to = fake_messages(), at = 0;
	pthread_t thread;

	(void)state;
	fcntl(to, F_SETFL, 0);
	fcntl(fake.fd, F_SETFL, 0);
	assert_int_equal(pthread_create(&thread, NULL, send_many, &to), 0);
	for (int i = 1; i <= MANY; i++) {
		at = from(list, at + 1);
		assert_int_equal(at, i);
	}
	assert_int_equal(from(list, at + 1), 0);
	assert_int_equal(from(list, at + 1), 0);
	assert_int_equal(fake.opens, 1);
	assert_int_equal(fake.adds, fake.removes);
	pthread_join(thread, NULL);
	kv_processes_free(list);
}

static void nothing_is_iterated_before_the_first_question(void **state)
{
	(void)state;
	fake_processes(1);
	kv_processes_free(open_listing());
	assert_int_equal(fake.opens, 0);
}

/* The kernel's order is that of our numbers; the reader's may be any other. */
static void the_order_is_that_of_the_readers_numbers(void **state)
{
	static const pid_t order[] = {700, 3, 4194303, 41, 1, 40, 699};
	static const pid_t want[] = {1, 3, 40, 41, 699, 700, 4194303};
	struct kv_process list[ARRAY_SIZE(order)];
	struct kv_processes *l = open_listing();
	int at = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		list[i] = process(order[i]);
	fake_bytes(list, sizeof(list));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		at = from(l, at + 1);
		assert_int_equal(at, want[i]);
	}
	assert_int_equal(from(l, at + 1), 0);
	kv_processes_free(l);
}

static void a_question_may_be_repeated(void **state)
{
	struct kv_processes *list = open_listing();

	(void)state;
	fake_processes(100);
	for (int i = 0; i < 3; i++)
		assert_int_equal(from(list, 10), 12);
	assert_int_equal(from(list, 12), 12);
	assert_int_equal(from(list, 13), 15);
	assert_int_equal(fake.opens, 1);
	kv_processes_free(list);
}

static void a_step_back_lists_anew(void **state)
{
	struct kv_processes *list = open_listing();

	(void)state;
	fake_processes(100);
	assert_int_equal(from(list, 200), 201);
	fake_processes(1);
	assert_int_equal(from(list, 1), 3);
	assert_int_equal(from(list, 4), 0);
	assert_int_equal(fake.opens, 2);
	kv_processes_free(list);
}

static void a_step_back_from_the_end_lists_anew(void **state)
{
	struct kv_processes *list = open_listing();

	(void)state;
	fake_processes(10);
	assert_int_equal(from(list, 1000), 0);
	fake_processes(20);
	assert_int_equal(from(list, 1), 3);
	assert_int_equal(from(list, 60), 60);
	kv_processes_free(list);
}

static void a_reader_who_knows_nobody_has_an_empty_list(void **state)
{
	struct kv_processes *list = open_listing();

	(void)state;
	fake_processes(0);
	assert_int_equal(from(list, 1), 0);
	assert_int_equal(from(list, 2), 0);
	assert_int_equal(fake.opens, 1);
	kv_processes_free(list);
}

static void an_iterator_that_cannot_be_made_is_an_error(void **state)
{
	struct kv_processes *list = open_listing();

	(void)state;
	fake.fail = -EMFILE;
	assert_int_equal(from(list, 1), -EMFILE);
	fake.fail = 0;
	fake_processes(1);
	assert_int_equal(from(list, 1), 3);
	kv_processes_free(list);
}

static void a_read_that_fails_is_an_error_and_no_end(void **state)
{
	struct kv_processes *list = open_listing();

	(void)state;
	fake.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(from(list, 1), -EBADF);
	assert_int_equal(from(list, 2), -EBADF);
	kv_processes_free(list);
}

/* Nor is it after a step back, where there was a list already. */
static void a_new_list_that_fails_is_an_error_and_no_end(void **state)
{
	struct kv_processes *list = open_listing();

	(void)state;
	fake_processes(100);
	assert_int_equal(from(list, 100), 102);
	fake.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_int_equal(from(list, 1), -EBADF);
	assert_int_equal(from(list, 103), -EBADF);
	kv_processes_free(list);
}

static int sender;

static void send_at_read_50(void)
{
	struct kv_process p = process(7);

	if (fake.reads == 50)
		send(sender, &p, sizeof(p), 0);
	if (fake.reads == 60)
		close(sender);
}

static void eagain_is_waited_out(void **state)
{
	struct kv_processes *list = open_listing();

	(void)state;
	sender = fake_messages();
	fake.on_read = send_at_read_50;
	assert_int_equal(from(list, 1), 7);
	assert_int_equal(from(list, 8), 0);
	kv_processes_free(list);
}

static void endless_eagain_is_an_error(void **state)
{
	struct kv_processes *list = open_listing();
	int to = fake_messages();

	(void)state;
	assert_int_equal(from(list, 1), -EIO);
	kv_processes_free(list);
	close(to);
}

static void a_reader_who_cannot_be_registered_is_an_error(void **state)
{
	struct kv_processes *list = open_listing();

	(void)state;
	fake_processes(1);
	fake.full = 2;
	assert_int_equal(from(list, 1), -EIO);
	assert_int_equal(from(list, 1), 3);
	kv_processes_free(list);
}

static void a_listing_is_the_readers_and_closes_it(void **state)
{
	struct kv_processes *list;
	struct kv_reader reader;
	int before;

	(void)state;
	fake_processes(100);
	before = open_fds();
	reader = fake_reader();
	list = kv_processes_new(&host, &reader);
	assert_non_null(list);
	for (int i = 0; i < KV_HOLDS; i++)
		assert_int_equal(reader.holds[i], -1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(from(list, 298 - i * 3), 300 - i * 3);
	assert_int_equal(fake.scope.pid_ns, 0xabcd);
	assert_int_equal(fake.scope.fsuid, 1000);
	assert_int_equal(open_fds(), before + KV_HOLDS);
	kv_processes_free(list);
	assert_int_equal(open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FAKE(a_listing_gives_every_process_once),
		WITH_FAKE(a_read_that_is_full_ends_with_a_whole_process),
		WITH_FAKE(nothing_is_iterated_before_the_first_question),
		WITH_FAKE(the_order_is_that_of_the_readers_numbers),
		WITH_FAKE(a_question_may_be_repeated),
		WITH_FAKE(a_step_back_lists_anew),
		WITH_FAKE(a_step_back_from_the_end_lists_anew),
		WITH_FAKE(a_reader_who_knows_nobody_has_an_empty_list),
		WITH_FAKE(an_iterator_that_cannot_be_made_is_an_error),
		WITH_FAKE(a_read_that_fails_is_an_error_and_no_end),
		WITH_FAKE(a_new_list_that_fails_is_an_error_and_no_end),
		WITH_FAKE(eagain_is_waited_out),
		WITH_FAKE(endless_eagain_is_an_error),
		WITH_FAKE(a_reader_who_cannot_be_registered_is_an_error),
		WITH_FAKE(a_listing_is_the_readers_and_closes_it),
	};

	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
