// SPDX-License-Identifier: GPL-2.0-only
/* Messages to a standard error that is made here, and takes nothing. */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "unit.h"

static char dir[] = "/tmp/kview-log-XXXXXX";
static struct kv_log_state *state; /* as the processes of a mount share it */

static int setup(void **unused)
{
	(void)unused;
	memset(state, 0, sizeof(*state));
	return 0;
}

#define TIMES 20000u

/* In a child whose standard error is @fd: so many messages, numbered, and 0 if none waits. */
static int say_to(int fd, unsigned int n)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct kv_log log;

		alarm(20);
		dup2(fd, STDERR_FILENO);
		kv_log_to_stderr(&log, state);
		for (unsigned int i = 0; i < n; i++)
			kv_log_say(&log, "message %u\n", i);
		_exit(log.fd != STDERR_FILENO);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void expect_blocking(int fd)
{
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

/* All that has come. */
static char *drain(int fd)
{
	static char got[1 << 21];
	size_t n = 0;
	ssize_t rc;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((rc = read(fd, got + n, sizeof(got) - 1 - n)) > 0)
		n += (size_t)rc;
	got[n] = '\0';
	return got;
}

/* The lines "kview: message 0" and so on; how many. */
static unsigned int count_lines(char *text, const char *end)
{
	char *save = NULL, want[64];
	unsigned int n = 0;

	for (char *l = strtok_r(text, end, &save); l; l = strtok_r(NULL, end, &save), n++) {
		snprintf(want, sizeof(want), "kview: message %u\\012", n);
		if (strcmp(l, want) != 0)
			break;
	}
	return n;
}

/* @in is what comes of standard error @out; it takes a part of them, the next has the rest. */
static void check_full(int in, int out)
{
	unsigned int n;
	char want[80], *got;

	assert_int_equal(say_to(out, TIMES), 0);
	expect_blocking(out);
	n = count_lines(drain(in), "\n");
	assert_in_range(n, 10, TIMES - 1);
	assert_int_equal(state->dropped, TIMES - n);
	assert_int_equal(say_to(out, 1), 0);
	got = drain(in);
	snprintf(want, sizeof(want),
		 "kview: message 0\\012 (messages dropped before this one: %u)\n", TIMES - n);
	assert_string_equal(got, want);
	close(in);
	close(out);
}

static void a_pipe_that_nobody_reads_is_not_waited_for(void **unused)
{
	int fds[2];

	(void)unused;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	check_full(fds[0], fds[1]);
}

static void a_socket_that_nobody_reads_is_not_waited_for(void **unused)
{
	int fds[2];

	(void)unused;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	check_full(fds[0], fds[1]);
}

/* Of its lines: those that are whole, and the messages that they say were dropped. */
static unsigned int count_told(char *text, unsigned int *cut)
{
	unsigned int number, dropped, whole = 0, told = 0;
	char *save = NULL;

	for (char *l = strtok_r(text, "\r\n", &save); l; l = strtok_r(NULL, "\r\n", &save)) {
		int n = 0, m = 0;

		assert_null(strstr(l + 1, "kview")); /* nothing begins amid a line */
		dropped = 0;
		sscanf(l, "kview: message %u\\012%n (messages dropped before this one: %u)%n",
		       &number, &n, &dropped, &m);
		if (n && (!l[n] || (m && !l[m]))) {
			whole++;
			told += dropped;
		} else {
			*cut += 1;
		}
	}
	return whole + told;
}

/* It takes a part of a line: the next one begins a line all the same. */
static void a_terminal_that_nobody_reads_is_not_waited_for(void **unused)
{
	int in = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), out;
	unsigned int n, cut = 0;

	(void)unused;
	assert_true(in >= 0 && grantpt(in) == 0 && unlockpt(in) == 0);
	out = open(ptsname(in), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(out >= 0);
	assert_int_equal(say_to(out, TIMES), 0);
	expect_blocking(out);
	n = count_told(drain(in), &cut);
	assert_int_equal(n + state->dropped, TIMES);
	assert_in_range(state->dropped, 1, TIMES);
	assert_true(state->is_cut || cut); /* or this tests less than it says */
	assert_int_equal(say_to(out, 1), 0);
	n += count_told(drain(in), &cut);
	assert_int_equal(n, TIMES + 1);
	assert_int_equal(state->dropped, 0);
	close(in);
	close(out);
}

/* In the background of a terminal that stops who writes from there. */
static int say_from_the_background(int terminal)
{
	struct termios how;
	struct kv_log log;

	if (setsid() < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0 || tcgetattr(terminal, &how) < 0)
		return 1;
	how.c_lflag |= TOSTOP;
	if (tcsetattr(terminal, TCSANOW, &how) < 0 || dup2(terminal, STDERR_FILENO) < 0)
		return 2;
	if (fork() == 0) {
		setpgid(0, 0);
		kv_log_to_stderr(&log, state);
		kv_log_say(&log, "from behind");
		_exit(0);
	}
	waitpid(-1, NULL, WUNTRACED);
	return 0;
}

static void a_terminal_stops_nobody_in_the_background(void **unused)
{
	int in = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), out, status;
	pid_t pid;

	(void)unused;
	assert_true(in >= 0 && grantpt(in) == 0 && unlockpt(in) == 0);
	out = open(ptsname(in), O_RDWR | O_NOCTTY | O_CLOEXEC);
	pid = fork();
	if (!pid)
		_exit(say_from_the_background(out));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(drain(in), "kview: from behind\r\n");
	close(in);
	close(out);
}

/* Who writes to it as well goes on behind us, and we behind him. */
static void a_file_is_shared_with_others(void **unused)
{
	char name[80], got[128];
	int fd;

	(void)unused;
	snprintf(name, sizeof(name), "%s/file", dir);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "before\n", 7), 7);
	assert_int_equal(say_to(fd, 1), 0);
	assert_int_equal(write(fd, "behind\n", 7), 7);
	assert_int_equal(say_to(fd, 1), 0);
	got[pread(fd, got, sizeof(got) - 1, 0)] = '\0';
	assert_string_equal(got, "before\nkview: message 0\\012\nbehind\nkview: message 0\\012\n");
	close(fd);
	unlink(name);
}

static void whose_reader_has_gone_ends_nobody(void **unused)
{
	int fds[2];

	(void)unused;
	signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	close(fds[0]);
	assert_int_equal(say_to(fds[1], 3), 0);
	assert_int_equal(state->dropped, 3);
	close(fds[1]);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	assert_int_equal(say_to(fds[1], 3), 0);
	assert_int_equal(state->dropped, 6);
	close(fds[1]);
	signal(SIGPIPE, SIG_DFL);
}

/* A FIFO without a reader. */
static void what_cannot_be_opened_anew_is_the_log_daemons(void **unused)
{
	char name[80];
	int in, out;

	(void)unused;
	snprintf(name, sizeof(name), "%s/fifo", dir);
	assert_int_equal(mkfifo(name, 0600), 0);
	in = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	out = open(name, O_WRONLY | O_CLOEXEC);
	assert_int_equal(say_to(out, 1), 0);
	close(in);
	assert_int_equal(say_to(out, 1), 1);
	expect_blocking(out);
	close(out);
	unlink(name);
}

static int make_dir(void **unused)
{
	(void)unused;
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	return state == MAP_FAILED || !mkdtemp(dir) ? -1 : 0;
}

static int remove_dir(void **unused)
{
	(void)unused;
	return rmdir(dir);
}

#define LOGS(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOGS(a_pipe_that_nobody_reads_is_not_waited_for),
		LOGS(a_socket_that_nobody_reads_is_not_waited_for),
		LOGS(a_terminal_that_nobody_reads_is_not_waited_for),
		LOGS(a_terminal_stops_nobody_in_the_background),
		LOGS(a_file_is_shared_with_others),
		LOGS(whose_reader_has_gone_ends_nobody),
		LOGS(what_cannot_be_opened_anew_is_the_log_daemons),
	};

	return cmocka_run_group_tests_name("log on stderr", tests, make_dir, remove_dir);
}
