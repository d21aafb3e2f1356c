/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libbpf and the verifier have said of an object since kv_said_clear(). Each thread has its
 * own answers, valid until it clears them; "" where nothing was said.
 */
#ifndef KVIEW_LOAD_SAID_H
#define KVIEW_LOAD_SAID_H

/* kv_libbpf_log_init() - keep libbpf from printing; errors carry its words */
void kv_libbpf_log_init(void);

void kv_said_clear(void);

/* kv_said_warning() - the first line of libbpf's first warning, which tells the cause of a failure */
const char *kv_said_warning(void);

/*
 * kv_said_lacks() - the type or struct member for whose lack the kernel refused a program:
 * "task_struct.nvcsw"
 */
const char *kv_said_lacks(void);

/* kv_said_verdict() - the verifier's message, with the source line that it is about */
const char *kv_said_verdict(void);

/* kv_said_log() - the verifier's log of a program that it refused; "" where there is none */
const char *kv_said_log(void);

#endif
