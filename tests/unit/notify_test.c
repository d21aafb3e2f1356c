// SPDX-License-Identifier: GPL-2.0-only
/* What a service manager is told, through sockets of a test's own. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuse/daemon/notify.h"
#include "unit.h"

#define NAME_MAX_LEN (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static char dir[] = "/tmp/kview-notify-XXXXXX";
static char name[256]; /* as NOTIFY_SOCKET has it */
static int manager = -1;

/* @first is '/' or '@': a path, or an abstract name of @len characters. */
static void listen_at(size_t len, char first)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t n = (size_t)snprintf(name, sizeof(name), "%s/s-%d", dir, (int)getpid());

	name[0] = first;
	while (n < len)
		name[n++] = 'x';
	name[n] = '\0';
	memcpy(at.sun_path, name, n);
	if (first == '@')
		at.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(manager >= 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&at,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
			 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
}

/* One message, its bytes and nothing else. */
static void expect_message(const char *want)
{
	char got[256];
	ssize_t n = recv(manager, got, sizeof(got), 0);

	assert_true(n >= 0);
	assert_bytes(got, (size_t)n, want, strlen(want));
}

static void expect_silence(void)
{
	char got[256];

	assert_int_equal(recv(manager, got, sizeof(got), 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int forget(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	if (manager >= 0)
		close(manager);
	if (*name == '/')
		unlink(name);
	*name = '\0';
	manager = -1;
	return 0;
}

static void a_socket_with_a_path_is_told(void **state)
{
	(void)state;
	listen_at(0, '/');
	kv_notify("READY=1");
	expect_message("READY=1");
	expect_silence();
}

static void an_abstract_socket_is_told(void **state)
{
	(void)state;
	listen_at(0, '@');
	kv_notify("READY=1");
	expect_message("READY=1");
	expect_silence();
}

static void names_as_long_as_may_be_are_told(void **state)
{
	(void)state;
	listen_at(NAME_MAX_LEN, '/');
	kv_notify("STATUS=long");
	expect_message("STATUS=long");
	forget(NULL);
	listen_at(NAME_MAX_LEN, '@');
	kv_notify("STATUS=long");
	expect_message("STATUS=long");
}

static void each_state_is_a_message(void **state)
{
	(void)state;
	listen_at(0, '@');
	kv_notify("READY=1");
	kv_notify("STATUS=two\nlines");
	expect_message("READY=1");
	expect_message("STATUS=two\nlines");
	expect_silence();
}

static void without_a_name_nobody_is_told(void **state)
{
	(void)state;
	listen_at(0, '/');
	unsetenv("NOTIFY_SOCKET");
	kv_notify("READY=1");
	setenv("NOTIFY_SOCKET", "", 1);
	kv_notify("READY=1");
	expect_silence();
}

/* A name that is cut is another's. */
static void a_name_that_is_too_long_is_not_cut(void **state)
{
	char longer[512];

	(void)state;
	for (int abstract = 0; abstract < 2; abstract++) {
		listen_at(NAME_MAX_LEN, abstract ? '@' : '/');
		for (size_t n = strlen(name) + 1; n < sizeof(longer); n += 61) {
			memset(longer, 'x', n);
			memcpy(longer, name, strlen(name));
			longer[n] = '\0';
			setenv("NOTIFY_SOCKET", longer, 1);
			kv_notify("READY=1");
		}
		expect_silence();
		forget(NULL);
	}
}

/* A name below the directory that kview happens to run in is no one's. */
static void a_relative_path_is_not_told(void **state)
{
	int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(before >= 0);
	listen_at(0, '/');
	assert_int_equal(chdir(dir), 0);
	setenv("NOTIFY_SOCKET", name + strlen(dir) + 1, 1);
	kv_notify("READY=1");
	assert_int_equal(fchdir(before), 0);
	close(before);
	expect_silence();
}

static void nobody_there_is_no_failure(void **state)
{
	static const char *const names[] = {"@", "@kview-nobody-is-here", "/", "/dev/null",
					    "/no such directory/socket"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		kv_notify("READY=1");
	}
}

/* Other services have told so much that there is room for nobody. */
static int fill_queue(void)
{
	int n = 0, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at;
	socklen_t len = sizeof(at);

	assert_int_equal(getsockname(manager, (struct sockaddr *)&at, &len), 0);
	while (sendto(fd, "x", 1, 0, (struct sockaddr *)&at, len) == 1)
		n++;
	assert_int_equal(errno, EAGAIN);
	close(fd);
	return n;
}

static void a_manager_that_takes_nothing_is_not_waited_for(void **state)
{
	int n;

	(void)state;
	listen_at(0, '@');
	n = fill_queue();
	alarm(10);
	kv_notify("READY=1");
	alarm(0);
	while (n--)
		expect_message("x");
	expect_silence();
}

static void *take_one(void *unused)
{
	usleep(10000);
	expect_message("x");
	return unused;
}

/* What is left after one was taken, while kv_notify() waited or too late for it. */
static bool is_told_when_busy(void)
{
	pthread_t thread;
	char got[16];
	int n;

	listen_at(0, '@');
	n = fill_queue();
	assert_int_equal(pthread_create(&thread, NULL, take_one, NULL), 0);
	kv_notify("READY=1");
	pthread_join(thread, NULL);
	while (--n)
		expect_message("x");
	n = (int)recv(manager, got, sizeof(got), 0);
	forget(NULL);
	return n == (int)strlen("READY=1") && memcmp(got, "READY=1", (size_t)n) == 0;
}

static void a_manager_that_is_busy_is_told(void **state)
{
	int tries = 0;

	(void)state;
	/* On a machine that is busy too it may be late once. */
	while (!is_told_when_busy())
		assert_true(++tries < 20);
}

static void no_descriptor_stays_open(void **state)
{
	int before;

	(void)state;
	listen_at(0, '/');
	before = open_fds();
	kv_notify("READY=1");
	assert_int_equal(open_fds(), before);
	setenv("NOTIFY_SOCKET", "/no such directory/socket", 1);
	kv_notify("READY=1");
	assert_int_equal(open_fds(), before);
}

#define AFTERWARDS(f) cmocka_unit_test_teardown(f, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AFTERWARDS(a_socket_with_a_path_is_told),
		AFTERWARDS(an_abstract_socket_is_told),
		AFTERWARDS(names_as_long_as_may_be_are_told),
		AFTERWARDS(each_state_is_a_message),
		AFTERWARDS(without_a_name_nobody_is_told),
		AFTERWARDS(a_name_that_is_too_long_is_not_cut),
		AFTERWARDS(a_relative_path_is_not_told),
		AFTERWARDS(nobody_there_is_no_failure),
		AFTERWARDS(a_manager_that_takes_nothing_is_not_waited_for),
		AFTERWARDS(a_manager_that_is_busy_is_told),
		AFTERWARDS(no_descriptor_stays_open),
	};

	return cmocka_run_group_tests_name("notify", tests, make_dir, remove_dir);
}
