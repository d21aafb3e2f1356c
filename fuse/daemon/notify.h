/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVIEW_DAEMON_NOTIFY_H
#define KVIEW_DAEMON_NOTIFY_H

/**
 * kv_notify() - tell the service manager, where one asked to be told
 * @state: as "READY=1"; see sd_notify(3), whose protocol this is
 *
 * Nobody listens unless NOTIFY_SOCKET is in the environment. One that takes no
 * messages is waited for once, for 100 ms.
 */
void kv_notify(const char *state);

#endif
