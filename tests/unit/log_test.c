// SPDX-License-Identifier: GPL-2.0-only
/* Messages to a log daemon that is made here, and how many get so far. */
#include <limits.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "unit.h"

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)

static char dir[] = "/tmp/kview-log-XXXXXX";
static char path[64];
static int listener = -1;
static struct kv_log_state a_state, *state = &a_state;
static struct kv_log to_daemon;

static int setup(void **unused)
{
	(void)unused;
	memset(state, 0, sizeof(*state));
	kv_log_to_daemon(&to_daemon, path, state);
	alarm(20); /* what waits ends the test */
	return to_daemon.fd < 0;
}

static void stop_listening(void)
{
	if (listener >= 0)
		close(listener);
	listener = -1;
	unlink(path);
}

static int teardown(void **unused)
{
	(void)unused;
	stop_listening();
	close(to_daemon.fd);
	return 0;
}

static void listen_there(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	stop_listening();
	memcpy(at.sun_path, path, sizeof(path));
	listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
}

/* The next message, behind its head of which is true what syslog(3) says. */
static const char *heard(void)
{
	static char got[2 * PIPE_BUF];
	ssize_t n = recv(listener, got, sizeof(got) - 1, 0);
	char head[64], *text;
	struct tm tm = {0};
	time_t now = time(NULL);

	assert_true(n > 0);
	got[n] = '\0';
	assert_memory_equal(got, "<27>", 4); /* 3 * 8 + 3: daemon, err */
	localtime_r(&now, &tm);
	text = strptime(got + 4, "%b %d %H:%M:%S ", &tm);
	assert_non_null(text);
	tm.tm_isdst = -1;
	assert_in_range(mktime(&tm) + 5, now, now + 10);
	assert_int_equal(text - got, strlen("<27>Nov  1 01:02:03 "));
	snprintf(head, sizeof(head), "kview[%d]: ", (int)getpid());
	assert_memory_equal(text, head, strlen(head));
	return text + strlen(head);
}

static void expect_silence(void)
{
	char byte;

	assert_int_equal(recv(listener, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

/* --- to a log daemon --- */

static void each_message_is_a_datagram_as_syslogs(void **unused)
{
	(void)unused;
	listen_there();
	kv_log_say(&to_daemon, "%s is %d", "one", 1);
	kv_log_say(&to_daemon, "two");
	assert_string_equal(heard(), "one is 1");
	assert_string_equal(heard(), "two");
	expect_silence();
}

static void no_name_forges_a_line(void **unused)
{
	(void)unused;
	listen_there();
	kv_log_say(&to_daemon, "a\nb\r\t\x1b[31m\x7f\x01");
	assert_string_equal(heard(), "a\\012b\\015\\011\\033[31m\\177\\001");
	/* UTF-8 stays, C1 controls and what is no UTF-8 do not. */
	kv_log_say(&to_daemon, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 \xc2\x9b \xc2\xa0 \xff\xc3");
	assert_string_equal(heard(), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 \\302\\233 \xc2\xa0 "
				     "\\377\\303");
	kv_log_say(&to_daemon, "<3>%%s");
	assert_string_equal(heard(), "<3>%s");
}

static void a_long_message_is_cut_behind_a_whole_character(void **unused)
{
	static char text[3 * PIPE_BUF];
	const char *got;
	size_t n;

	(void)unused;
	listen_there();
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'x', sizeof(text) - 1);
		for (size_t i = shift; i + 2 < sizeof(text); i += 2)
			memcpy(text + i, "\xc3\xa4", 2);
		state->dropped = UINT_MAX - 1;
		kv_log_say(&to_daemon, "%s", text);
		got = heard();
		n = strcspn(got, " ");
		assert_in_range(n, 3 * PIPE_BUF / 4, PIPE_BUF);
		assert_memory_equal(got, text, n);
		assert_int_equal((n - shift) % 2, 0);
		assert_string_equal(got + n, " (messages dropped before this one: 4294967294)");
	}
	memset(text, '\n', sizeof(text) - 1);
	kv_log_say(&to_daemon, "%s", text);
	assert_int_equal(strlen(heard()) % 4, 0);
}

/* As many as its queue takes, however many that is. */
static unsigned int fill(void)
{
	unsigned int n = 0;

	while (!state->dropped && n < 100000)
		kv_log_say(&to_daemon, "message %u", n++);
	assert_in_range(n, 2, 99999);
	return n - 1;
}

static void a_daemon_that_has_stopped_is_not_waited_for(void **unused)
{
	unsigned int n;
	char want[64];

	(void)unused;
	listen_there();
	n = fill();
	for (int i = 0; i < 41; i++)
		kv_log_say(&to_daemon, "lost");
	assert_int_equal(state->dropped, 42);
	for (unsigned int i = 0; i < n; i++) {
		snprintf(want, sizeof(want), "message %u", i);
		assert_string_equal(heard(), want);
	}
	expect_silence();
	kv_log_say(&to_daemon, "back");
	kv_log_say(&to_daemon, "again");
	assert_string_equal(heard(), "back (messages dropped before this one: 42)");
	assert_string_equal(heard(), "again");
}

static void a_daemon_that_is_not_there_is_found_later(void **unused)
{
	(void)unused;
	kv_log_say(&to_daemon, "to nobody");
	for (int i = 0; i < 3; i++) {
		listen_there(); /* another one, of the same name */
		kv_log_say(&to_daemon, "to somebody");
		assert_string_equal(heard(),
				    i ? "to somebody"
				      : "to somebody (messages dropped before this one: 1)");
	}
}

static void without_a_descriptor_messages_are_counted(void **unused)
{
	struct kv_log none = {.fd = -1, .state = state};

	(void)unused;
	kv_log_say(&none, "one");
	kv_log_complain(&none, "two");
	assert_int_equal(state->dropped, 2);
}

/* --- what readers bring about --- */

static unsigned int admitted(int64_t now, unsigned int times)
{
	unsigned int n = 0;

	while (times--)
		n += kv_log_admits(state, now);
	return n;
}

static void ten_get_through_and_then_one_a_minute(void **unused)
{
	(void)unused;
	for (int64_t begin = 0; begin < 1000 * SECOND; begin += 999 * SECOND) {
		state->full_at = 0;
		assert_int_equal(admitted(begin, 10000), 10);
		assert_int_equal(admitted(begin + MINUTE - 1, 10000), 0);
		assert_int_equal(admitted(begin + MINUTE, 10000), 1);
		assert_int_equal(admitted(begin + MINUTE + SECOND, 10000), 0);
		assert_int_equal(admitted(begin + 4 * MINUTE, 10000), 3);
	}
}

static void a_long_rest_is_worth_ten(void **unused)
{
	(void)unused;
	assert_int_equal(admitted(SECOND, 3), 3);
	assert_int_equal(admitted(SECOND + 100000 * MINUTE, 10000), 10);
	assert_int_equal(admitted(SECOND + 100009 * MINUTE, 10000), 9);
	assert_int_equal(admitted(SECOND + 200000 * MINUTE, 10000), 10);
}

static void a_year_of_flood_is_one_a_minute(void **unused)
{
	unsigned int n = 0;

	(void)unused;
	for (int64_t now = 0; now < 365 * 24 * 60 * MINUTE; now += 7 * SECOND)
		n += kv_log_admits(state, now);
	assert_in_range(n, 365 * 24 * 60, 365 * 24 * 60 + 10);
}

static void *take_many(void *taken)
{
	atomic_fetch_add((atomic_uint *)taken, admitted(SECOND, 10000));
	return NULL;
}

static void threads_share_the_ten(void **unused)
{
	static atomic_uint taken;
	pthread_t threads[8];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &taken), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(taken, 10);
}

static void complaints_that_are_left_out_are_counted(void **unused)
{
	(void)unused;
	listen_there();
	for (int i = 0; i < 10; i++) {
		kv_log_complain(&to_daemon, "100%s");
		assert_string_equal(heard(), "100%s");
	}
	for (int i = 0; i < 9990; i++)
		kv_log_complain(&to_daemon, "no");
	expect_silence();
	kv_log_say(&to_daemon, "the worker ended");
	assert_string_equal(heard(), "the worker ended (messages dropped before this one: 9990)");
	state->full_at -= MINUTE;
	kv_log_complain(&to_daemon, "a minute later");
	kv_log_complain(&to_daemon, "no");
	assert_string_equal(heard(), "a minute later");
	expect_silence();
}

/* What is counted is told once, whoever is quick enough to tell it. */
static void *say_or_complain(void *unused)
{
	for (int i = 0; i < 500; i++)
		kv_log_complain(&to_daemon, "no");
	kv_log_say(&to_daemon, "yes");
	return unused;
}

static void threads_lose_no_count(void **unused)
{
	static const char tail[] = " (messages dropped before this one: ";
	pthread_t threads[4];
	unsigned int lines = 0, told = 0;
	char got[256];

	(void)unused;
	listen_there();
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, say_or_complain, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	for (ssize_t n; (n = recv(listener, got, sizeof(got) - 1, 0)) >= 0; lines++) {
		const char *at;

		got[n] = '\0';
		at = strstr(got, tail);
		told += at ? (unsigned int)strtoul(at + strlen(tail), NULL, 10) : 0;
	}
	assert_int_equal(lines + told + state->dropped, 4 * 501);
}

static int make_dir(void **unused)
{
	(void)unused;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	return 0;
}

static int remove_dir(void **unused)
{
	(void)unused;
	return rmdir(dir);
}

#define LOGS(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOGS(each_message_is_a_datagram_as_syslogs),
		LOGS(no_name_forges_a_line),
		LOGS(a_long_message_is_cut_behind_a_whole_character),
		LOGS(a_daemon_that_has_stopped_is_not_waited_for),
		LOGS(a_daemon_that_is_not_there_is_found_later),
		LOGS(without_a_descriptor_messages_are_counted),
		LOGS(ten_get_through_and_then_one_a_minute),
		LOGS(a_long_rest_is_worth_ten),
		LOGS(a_year_of_flood_is_one_a_minute),
		LOGS(threads_share_the_ten),
		LOGS(complaints_that_are_left_out_are_counted),
		LOGS(threads_lose_no_count),
	};

	return cmocka_run_group_tests_name("log", tests, make_dir, remove_dir);
}
