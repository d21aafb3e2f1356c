/* SPDX-License-Identifier: GPL-2.0-only */
/* What couriers (access/courier.h) and their keeper may do. */
#ifndef KVIEW_DAEMON_CONFINE_H
#define KVIEW_DAEMON_CONFINE_H

/**
 * kv_confine_courier() - for kv_courier_start()
 *
 * The user id of workers, no capability, or where /proc hides processes CAP_SYS_PTRACE, and a
 * filter that allows to read files, and to fork and kill.
 *
 * Return: 0 or -errno.
 */
int kv_confine_courier(void);

#endif
