/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many descriptors a worker can need, and that it may have them: with fewer
 * some users' open files would cost all others, root among them, theirs.
 */
#ifndef KVIEW_DAEMON_DESCRIPTORS_H
#define KVIEW_DAEMON_DESCRIPTORS_H

#include <stdint.h>

#include "base/err.h"

/**
 * kv_descriptors_for() - what it takes at the worst
 * @open: that are open already
 * @files: open files, and as many listings of pid/
 *
 * Each belongs to a reader with namespaces and a root directory of its own, and
 * there are as many threads as there may be.
 */
uint64_t kv_descriptors_for(unsigned int open, unsigned int files);

/* kv_descriptors_enough_for() - the most files for which a limit is enough */
unsigned int kv_descriptors_enough_for(unsigned int open, uint64_t limit);

/**
 * kv_descriptors_provide() - limit this process and those that it forks to what it takes
 * @least: files that there must be
 * @files: that there are to be; on success lowered to what there can be
 *
 * Above the hard limit it takes CAP_SYS_RESOURCE, and above fs.nr_open nothing helps.
 *
 * Return: 0, or -EMFILE or another -errno with @err set.
 */
int kv_descriptors_provide(unsigned int least, unsigned int *files, struct kv_err *err);

#endif
