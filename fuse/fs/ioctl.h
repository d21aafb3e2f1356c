/* SPDX-License-Identifier: GPL-2.0-only */
/* What the file system answers beyond files: included by who asks it, from outside. */
#ifndef KVIEW_FS_IOCTL_H
#define KVIEW_FS_IOCTL_H

#include <sys/ioctl.h>

/*
 * On the root directory, for the user who mounted, in kview's own pid namespace: the process
 * that keeps the mount, and ends with it.
 */
#define KV_IOC_PID _IOR('k', 1, int)

#endif
