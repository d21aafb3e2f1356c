/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctl of the root directory, by which `kview umount` and a takeover find the daemon. */
#ifndef KVIEW_FS_IOCTL_H
#define KVIEW_FS_IOCTL_H

#include <sys/ioctl.h>

/*
 * On the root directory, for the user who mounted, in kview's own pid namespace: the process
 * that keeps the mount, and ends with it.
 */
#define KV_IOC_PID _IOR('k', 1, int)

#endif
