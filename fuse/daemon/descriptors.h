/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RLIMIT_NOFILE of a worker. The limit suffices for as many open files as max_files admits. If it
 * were lower, a few users could take all descriptors, and nobody else, not even root, could open
 * a file.
 */
#ifndef KVIEW_DAEMON_DESCRIPTORS_H
#define KVIEW_DAEMON_DESCRIPTORS_H

#include "base/err.h"

/**
 * kv_descriptors_provide() - set the limit of this process and of those that it forks
 * @least: files that there must be
 * @files: that there are to be, and as many listings of pid/; on success lowered to what there
 *	   can be
 *
 * Each file and listing may be of a reader with namespaces and a root directory of its own,
 * while there are as many threads as there may be.
 *
 * Above the hard limit it takes CAP_SYS_RESOURCE, and above fs.nr_open nothing helps.
 *
 * Return: 0, or -EMFILE or another -errno with @err set.
 */
int kv_descriptors_provide(unsigned int least, unsigned int *files, struct kv_err *err);

#endif
