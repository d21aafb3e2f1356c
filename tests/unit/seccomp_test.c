// SPDX-License-Identifier: GPL-2.0-only
/* The worker's filter: each case is a process of its own that installs it. */
#include <bpf/bpf.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "fuse/daemon/seccomp.h"
#include "unit.h"

#define NO_FILTER 99

/* What the calls return: 0, or the errno. */
static int told(long rc)
{
	return rc < 0 ? errno : 0;
}

static int status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* @try under the filter: its result, or 128 and the signal that ended it. */
static int filtered(int (*try)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		bool is_there;

		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (kv_seccomp_worker(&is_there) != 0 || !is_there)
			_exit(NO_FILTER);
		_exit(try());
	}
	status = status_of(pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* --- what ends the process --- */

static int run_true(void)
{
	char *argv[] = {"true", NULL};

	return told(execve("/bin/true", argv, NULL));
}

static int trace(void)
{
	return told(ptrace(PTRACE_TRACEME, 0, 0, 0));
}

static int peek(void)
{
	return told(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static int mount_proc(void)
{
	return told(syscall(SYS_mount, "proc", "/nonesuch", "proc", 0, NULL));
}

static int new_namespace(void)
{
	return told(unshare(CLONE_NEWUSER));
}

static int load_module(void)
{
	return told(syscall(SYS_finit_module, -1, "", 0));
}

static int become_root(void)
{
	return told(setresuid(0, 0, 0));
}

static int set_up_uring(void)
{
	return told(syscall(SYS_io_uring_setup, 1, NULL));
}

static void what_only_an_intruder_does_ends_the_process(void **state)
{
	int (*const tries[])(void) = {run_true,	     trace,	  peek,	       mount_proc,
				      new_namespace, load_module, become_root, set_up_uring};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++)
		assert_int_equal(filtered(tries[i]), 128 + SIGSYS);
}

/* --- what fails as if the kernel did not have it --- */

static int fork_one(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return told(pid);
}

static int new_threads_namespace(void)
{
	return told(syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, NULL));
}

static int connect_out(void)
{
	return told(socket(AF_INET, SOCK_STREAM, 0));
}

/* As D-Bus has. */
static int connect_to_services(void)
{
	return told(socket(AF_UNIX, SOCK_STREAM, 0));
}

/* What the log has is made before. */
static int make_log_socket(void)
{
	return told(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static int connect_socket(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/nonesuch"};

	return told(connect(STDIN_FILENO, (struct sockaddr *)&to, sizeof(to)));
}

static int send_and_wait(void)
{
	return told(sendto(-1, "", 1, MSG_NOSIGNAL, NULL, 0));
}

static int send_out_of_band(void)
{
	return told(sendto(-1, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_OOB, NULL, 0));
}

static int create(void)
{
	return told(open("/nonesuch/file", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int truncate_file(void)
{
	return told(open("/nonesuch/file", O_RDONLY | O_TRUNC | O_CLOEXEC));
}

static int open_to_write(void)
{
	return told(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static int open_for_both(void)
{
	return told(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static int load_program(void)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER};

	return told(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
}

static int pin(void)
{
	union bpf_attr attr = {.bpf_fd = (uint32_t)-1};

	return told(syscall(SYS_bpf, BPF_OBJ_PIN, &attr, sizeof(attr)));
}

static int map_code(void)
{
	return told(
		(long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static int make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return told(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int signal_parent(void)
{
	return told(kill(getppid(), 0));
}

static int signal_threads_of_parent(void)
{
	return told(syscall(SYS_tgkill, getppid(), getppid(), SIGURG));
}

static int end_thread_of_parent(void)
{
	return told(syscall(SYS_tkill, getppid(), SIGURG));
}

static int set_limit(void)
{
	struct rlimit limit = {1, 1};

	return told(setrlimit(RLIMIT_CORE, &limit));
}

static int be_dumpable(void)
{
	return told(prctl(PR_SET_DUMPABLE, 1));
}

static int move_parent(void)
{
	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	return told(sched_setaffinity(getppid(), sizeof(cpus), &cpus));
}

static int unheard_of(void)
{
	return told(syscall(4000));
}

static void other_calls_are_as_if_the_kernel_lacked_them(void **state)
{
	int (*const tries[])(void) = {
		fork_one,
		new_threads_namespace,
		connect_out,
		connect_to_services,
		make_log_socket,
		connect_socket,
		send_and_wait,
		send_out_of_band,
		create,
		truncate_file,
		open_to_write,
		open_for_both,
		load_program,
		pin,
		map_code,
		make_code,
		signal_parent,
		set_limit,
		signal_threads_of_parent,
		end_thread_of_parent,
		be_dumpable,
		move_parent,
		unheard_of,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		int rc = filtered(tries[i]);

		if (rc != ENOSYS)
			print_message("# call %zu: %d\n", i, rc);
		assert_int_equal(rc, ENOSYS);
	}
}

/* Its upper bits are not what the kernel goes by. */
static int load_by_other_half(void)
{
	return told(syscall(SYS_bpf, 1UL << 32 | BPF_PROG_LOAD, NULL, 0));
}

static int iterate_by_other_half(void)
{
	return told(syscall(SYS_bpf, 1UL << 32 | BPF_MAP_LOOKUP_AND_DELETE_ELEM, NULL, 0));
}

static void arguments_are_compared_as_the_kernel_sees_them(void **state)
{
	(void)state;
	assert_int_equal(filtered(load_by_other_half), ENOSYS);
	assert_int_not_equal(filtered(iterate_by_other_half), ENOSYS);
}

/* --- what goes on --- */

static void *allocate(void *arg)
{
	void *p = malloc(1 << 20);

	memset(p, 1, 1 << 20);
	free(p);
	return arg;
}

static int use_threads(void)
{
	pthread_t threads[20];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		if (pthread_create(&threads[i], NULL, allocate, NULL) != 0)
			return 1;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	return pthread_kill(pthread_self(), 0) != 0;
}

static int use_files(void)
{
	char text[64];
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text)) <= 0 || lseek(fd, 0, SEEK_SET) != 0)
		return 1;
	close(fd);
	fd = open("/proc/self/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || close(fd) != 0;
}

static int use_clocks(void)
{
	static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
					   CLOCK_MONOTONIC_COARSE};
	struct timespec now;

	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++)
		if (syscall(SYS_clock_gettime, clocks[i], &now) < 0)
			return 1;
	return told(usleep(1));
}

static struct kv_log_state log_state;
static struct kv_log to_log;

/* To nobody, and to a pipe. */
static int use_logs(void)
{
	struct kv_log to_stderr = {.fd = -1, .state = &log_state};
	unsigned int dropped;

	kv_log_say(&to_log, "a message of kview's tests");
	dropped = log_state.dropped;
	to_stderr.fd = STDERR_FILENO;
	kv_log_say(&to_stderr, "a message of kview's tests");
	return dropped != 1 || log_state.dropped != 0;
}

static void logs_are_used_as_they_were_opened(void **state)
{
	char got[256];
	int fds[2], before = dup(STDERR_FILENO), rc;

	(void)state;
	kv_log_to_daemon(&to_log, "/nonesuch/log", &log_state);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	dup2(fds[1], STDERR_FILENO);
	rc = filtered(use_logs);
	dup2(before, STDERR_FILENO);
	assert_int_equal(rc, 0);
	rc = (int)read(fds[0], got, sizeof(got));
	assert_bytes(got, (size_t)rc,
		     BYTES("kview: a message of kview's tests "
			   "(messages dropped before this one: 1)\n"));
	close(fds[0]);
	close(fds[1]);
	close(before);
	close(to_log.fd);
}

static int probe_threads(void)
{
	int rc = told(syscall(SYS_tkill, gettid(), 0));

	return rc ? rc : told(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

/* Of a program, if there were one. */
static int call_programs(void)
{
	union bpf_attr attr = {.test.prog_fd = (uint32_t)-1};
	int rc = told(syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)));

	return rc == EBADF ? 0 : rc;
}

static void what_serving_takes_goes_on(void **state)
{
	int (*const tries[])(void) = {use_threads, use_files, use_clocks, probe_threads,
				      call_programs};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		int rc = filtered(tries[i]);

		if (rc)
			print_message("# use %zu: %d\n", i, rc);
		assert_int_equal(rc, 0);
	}
}

static int fail_badly(void)
{
	abort();
}

static void abort_is_still_an_abort(void **state)
{
	(void)state;
	assert_int_equal(filtered(fail_badly), 128 + SIGABRT);
}

/* --- where there is none --- */

/* What kv_seccomp_worker() says where another filter answers its own with @error. */
static int refused(int error, bool *is_there)
{
	scmp_filter_ctx outer = seccomp_init(SCMP_ACT_ALLOW);

	seccomp_rule_add(outer, SCMP_ACT_ERRNO((uint16_t)error), SCMP_SYS(prctl), 1,
			 SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0));
	seccomp_rule_add(outer, SCMP_ACT_ERRNO((uint16_t)error), SCMP_SYS(seccomp), 0);
	if (seccomp_load(outer) < 0)
		_exit(NO_FILTER);
	*is_there = true;
	return kv_seccomp_worker(is_there);
}

/* As one without CONFIG_SECCOMP_FILTER. */
static void a_kernel_without_filters_does_without(void **state)
{
	pid_t pid = fork();
	bool is_there;

	(void)state;
	if (!pid)
		_exit(refused(EINVAL, &is_there) != 0 || is_there);
	assert_int_equal(status_of(pid), 0);
}

static void a_filter_that_is_refused_is_an_error(void **state)
{
	pid_t pid = fork();
	bool is_there;

	(void)state;
	if (!pid)
		_exit(refused(EPERM, &is_there) == 0 || is_there);
	assert_int_equal(status_of(pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_only_an_intruder_does_ends_the_process),
		cmocka_unit_test(other_calls_are_as_if_the_kernel_lacked_them),
		cmocka_unit_test(arguments_are_compared_as_the_kernel_sees_them),
		cmocka_unit_test(what_serving_takes_goes_on),
		cmocka_unit_test(logs_are_used_as_they_were_opened),
		cmocka_unit_test(abort_is_still_an_abort),
		cmocka_unit_test(a_kernel_without_filters_does_without),
		cmocka_unit_test(a_filter_that_is_refused_is_an_error),
	};

	if (!KV_SECCOMP_IS_BUILT)
		return 0;
	return cmocka_run_group_tests_name("seccomp", tests, NULL, NULL);
}
