/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KVIEW_DAEMON_NOTIFY_H
#define KVIEW_DAEMON_NOTIFY_H

/**
 * kv_notify() - tell the service manager something, by the protocol of sd_notify(3)
 * @state: such as "READY=1"
 *
 * Nothing is done without NOTIFY_SOCKET in the environment. A manager that takes no message
 * within 100 ms does not get it.
 */
void kv_notify(const char *state);

#endif
