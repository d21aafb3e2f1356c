// SPDX-License-Identifier: GPL-2.0-only
#include "fuse/daemon/notify.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"

/* A service whose word is lost is taken for one that never started. */
#define PATIENCE_MS 100

static bool send_now(int fd, const char *state)
{
	return send(fd, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

void kv_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct pollfd writable = {.fd = -1, .events = POLLOUT};
	_cleanup_close_ int fd = -1;
	socklen_t len;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@') /* an abstract name */
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, len) < 0 || send_now(fd, state))
		return;
	writable.fd = fd;
	if (poll(&writable, 1, PATIENCE_MS) == 1)
		send_now(fd, state);
}
