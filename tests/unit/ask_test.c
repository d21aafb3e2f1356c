// SPDX-License-Identifier: GPL-2.0-only
/* Questions about one task: the programs that answer are made here. */
#include <unistd.h>

#include "fake_identity.h"
#include "access/process.h"

#define IDENTITY_FD 1001
#define PROCESS_FD 1002

static struct {
	int fail;    /* -errno of the call */
	bool nobody; /* there is no such task, or the reader may not know of it */
	struct kv_scope scope;
	struct kv_process process;
	int calls, tid, pid;
} answer;

int bpf_prog_test_run_opts(int prog_fd, struct bpf_test_run_opts *opts)
{
	struct kv_ask_identity *identity = (void *)opts->ctx_in;
	struct kv_ask_process *process = (void *)opts->ctx_in;

	answer.calls++;
	if (answer.fail)
		return answer.fail;
	opts->retval = !answer.nobody;
	if (prog_fd == IDENTITY_FD) {
		assert_int_equal(opts->ctx_size_in, sizeof(*identity));
		answer.tid = identity->tid;
		if (!answer.nobody)
			identity->identity = who;
		return 0;
	}
	assert_int_equal(prog_fd, PROCESS_FD);
	assert_int_equal(opts->ctx_size_in, sizeof(*process));
	answer.pid = process->pid;
	answer.scope = process->scope;
	if (!answer.nobody)
		process->process = answer.process;
	return 0;
}

static int setup(void **state)
{
	identity_setup(state);
	memset(&answer, 0, sizeof(answer));
	host.ask = (struct kv_ask){.identity_fd = IDENTITY_FD, .process_fd = PROCESS_FD};
	answer.process = (struct kv_process){.start = 5, .pid = 41, .nr = 41};
	return 0;
}

/* --- who reads --- */

static void a_reader_is_identified_without_an_iterator(void **state)
{
	struct kv_reader reader = identified();

	(void)state;
	assert_int_equal(answer.calls, 1);
	assert_int_equal(answer.tid, gettid());
	assert_int_equal(fake.opens + fake.links, 0);
	assert_int_equal(reader.pid, 501);
	assert_int_equal(reader.scope.own_start, 123);
	assert_int_equal(reader.scope.fsgid, 2000);
	kv_reader_close(&reader);
}

static void a_kernel_that_cannot_be_asked_has_iterators(void **state)
{
	struct kv_reader reader;

	(void)state;
	host.ask = KV_ASK_INIT;
	reader = identified();
	assert_int_equal(answer.calls, 0);
	assert_int_equal(fake.links, 1);
	kv_reader_close(&reader);
}

static void a_thread_that_is_gone_is_nobody(void **state)
{
	struct kv_reader reader;
	struct kv_err err;

	(void)state;
	answer.nobody = true;
	assert_int_equal(identify_as(NO_TID, 1000, 2000, &reader, &err), -EACCES);
	assert_says(&err, strerror(ESRCH));
	assert_int_equal(answer.tid, NO_TID);
}

static void a_lack_of_memory_is_ours(void **state)
{
	struct kv_reader reader;
	struct kv_err err;

	(void)state;
	answer.fail = -ENOMEM;
	assert_int_equal(identify_as(gettid(), 1000, 2000, &reader, &err), -ENOMEM);
}

/* --- which processes it knows --- */

static int look(struct kv_process *process)
{
	struct kv_reader reader = identified();
	int rc = kv_process_look(&host, &reader, 41, process);

	kv_reader_close(&reader);
	return rc;
}

static void a_process_is_looked_at_with_the_readers_scope(void **state)
{
	struct kv_process p = {0};

	(void)state;
	assert_int_equal(look(&p), 0);
	assert_int_equal(answer.pid, 41);
	assert_int_equal(answer.scope.own_tgid, 501);
	assert_int_equal(answer.scope.pid_ns, 0x10);
	assert_int_equal(p.start, 5);
	assert_int_equal(p.pid, 41);
	assert_int_equal(fake.adds + fake.links, 0);
}

static void a_process_that_it_does_not_know_is_none(void **state)
{
	struct kv_reader reader = identified();
	struct kv_process p = {0};

	(void)state;
	answer.nobody = true;
	assert_int_equal(kv_process_look(&host, &reader, 41, &p), -ENOENT);
	assert_int_equal(kv_process_find(&host, &reader, 41, &p), -ENOENT);
	assert_int_equal(p.pid, 0);
	kv_reader_close(&reader);
}

static void a_question_that_fails_is_an_error(void **state)
{
	struct kv_reader reader = identified();
	struct kv_process p;

	(void)state;
	answer.fail = -ENOMEM;
	assert_int_equal(kv_process_look(&host, &reader, 41, &p), -ENOMEM);
	kv_reader_close(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_reader_is_identified_without_an_iterator, setup),
		cmocka_unit_test_setup(a_kernel_that_cannot_be_asked_has_iterators, setup),
		cmocka_unit_test_setup(a_thread_that_is_gone_is_nobody, setup),
		cmocka_unit_test_setup(a_lack_of_memory_is_ours, setup),
		cmocka_unit_test_setup(a_process_is_looked_at_with_the_readers_scope, setup),
		cmocka_unit_test_setup(a_process_that_it_does_not_know_is_none, setup),
		cmocka_unit_test_setup(a_question_that_fails_is_an_error, setup),
	};

	return cmocka_run_group_tests_name("ask", tests, NULL, NULL);
}
