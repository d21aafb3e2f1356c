// SPDX-License-Identifier: GPL-2.0-only
/* same_pid PID COMMAND [ARG...]: run the command under that number, if it is free. */
#include <err.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	pid_t number, pid;
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&number,
		.set_tid_size = 1,
	};
	int status;

	if (argc < 3)
		errx(2, "PID COMMAND [ARG...]");
	number = atoi(argv[1]);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		err(127, "%s", argv[2]);
	}
	if (pid != number || waitpid(pid, &status, 0) < 0)
		err(1, "no process %s", argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
