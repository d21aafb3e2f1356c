// SPDX-License-Identifier: GPL-2.0-only
#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

#define BURST 10
#define INTERVAL_NS (60 * INT64_C(1000000000))

/* A line that is no longer goes into a pipe whole or not at all. */
#define LINE PIPE_BUF
#define TAIL 64 /* of the line, for the number of dropped messages */

void kv_log_to_daemon(struct kv_log *log, const char *path, struct kv_log_state *state)
{
	tzset(); /* now: later there may be no descriptor for it */
	*log = (struct kv_log){
		.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
		.is_socket = true,
		.path = path,
		.state = state,
	};
}

/* In the place of descriptor 2, which libraries print to as well. */
static int open_stderr_anew(void)
{
	int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	rc = dup2(fd, STDERR_FILENO);
	close(fd);
	return rc;
}

void kv_log_to_stderr(struct kv_log *log, struct kv_log_state *state)
{
	struct stat st = {0};

	*log = (struct kv_log){.fd = STDERR_FILENO, .state = state};
	/* Some terminals stop a job of the background that writes. */
	signal(SIGTTOU, SIG_IGN);
	fstat(STDERR_FILENO, &st);
	log->is_socket = S_ISSOCK(st.st_mode);
	/* Regular files don't block, and opened again they would have another position. */
	if ((S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) && open_stderr_anew() < 0)
		kv_log_to_daemon(log, _PATH_LOG, state);
}

/* --- a line --- */

static size_t put_head(const struct kv_log *log, char *to, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;
	size_t n;

	if (!log->path)
		return (size_t)snprintf(to, size,
					"%skview: ", atomic_load(&log->state->is_cut) ? "\n" : "");
	n = (size_t)snprintf(to, size, "<%d>", LOG_DAEMON | LOG_ERR);
	n += strftime(to + n, size - n, "%b %e %T ", localtime_r(&now, &tm));
	return n + (size_t)snprintf(to + n, size - n, "kview[%d]: ", (int)getpid());
}

static bool put_line(struct kv_log *log, const char *line, size_t len)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	ssize_t n;

	if (log->path)
		strncpy(to.sun_path, log->path, sizeof(to.sun_path) - 1);
	/* As sendto() with these flags alone, which the worker's filter allows. */
	if (log->is_socket)
		n = sendto(log->fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			   log->path ? (struct sockaddr *)&to : NULL, log->path ? sizeof(to) : 0);
	else
		n = write(log->fd, line, len);
	if (n > 0)
		atomic_store(&log->state->is_cut, (size_t)n < len);
	return n + 1 >= (ssize_t)len; /* the next line begins with the newline */
}

void kv_log_say(struct kv_log *log, const char *fmt, ...)
{
	unsigned int dropped = atomic_exchange(&log->state->dropped, 0);
	char text[LINE], line[LINE];
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = put_head(log, line, sizeof(line) - TAIL);
	n += kv_utf8_plain(line + n, sizeof(line) - TAIL - n, text);
	if (dropped)
		n += (size_t)snprintf(line + n, TAIL - 1, " (messages dropped before this one: %u)",
				      dropped);
	if (!log->path)
		line[n++] = '\n';
	if (log->fd < 0 || !put_line(log, line, n))
		atomic_fetch_add(&log->state->dropped, dropped + 1);
}

/* --- messages that readers can cause --- */

/*
 * The bucket is one number, the time at which it will be full. Each token that is taken puts
 * that time off by one interval.
 */
bool kv_log_admits(struct kv_log_state *state, int64_t now)
{
	long long full_at = atomic_load(&state->full_at), later;

	do {
		later = (full_at > now ? full_at : now) + INTERVAL_NS;
		if (later - now > BURST * INTERVAL_NS)
			return false;
	} while (!atomic_compare_exchange_weak(&state->full_at, &full_at, later));
	return true;
}

void kv_log_complain(struct kv_log *log, const char *what)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (kv_log_admits(log->state, now.tv_sec * INT64_C(1000000000) + now.tv_nsec))
		kv_log_say(log, "%s", what);
	else
		atomic_fetch_add(&log->state->dropped, 1);
}
