/* SPDX-License-Identifier: GPL-2.0-only */
/* What every fuzz target needs: its bytes as numbers and words, and how to fail. */
#ifndef KVIEW_FUZZ_H
#define KVIEW_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The sanitizers and libFuzzer turn it into a finding, with the input kept. */
#define MUST(cond)                                                                         \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct input {
	const uint8_t *at, *end;
};

static inline size_t in_left(const struct input *in)
{
	return (size_t)(in->end - in->at);
}

/* Zeros behind the end: every input is a whole one. */
static inline uint64_t in_bytes(struct input *in, size_t n)
{
	uint64_t v = 0;
	size_t have = in_left(in) < n ? in_left(in) : n;

	if (have)
		memcpy(&v, in->at, have);
	in->at += have;
	return v;
}

static inline uint8_t in_8(struct input *in)
{
	return (uint8_t)in_bytes(in, 1);
}

static inline uint16_t in_16(struct input *in)
{
	return (uint16_t)in_bytes(in, 2);
}

static inline uint64_t in_64(struct input *in)
{
	return in_bytes(in, 8);
}

/* Up to @max bytes that are no NUL; what ends them is passed over. Ends with a NUL. */
static inline size_t in_word(struct input *in, char *to, size_t max)
{
	size_t n = 0;

	while (in->at < in->end && n < max && *in->at)
		to[n++] = (char)*in->at++;
	if (in->at < in->end && !*in->at)
		in->at++;
	to[n] = '\0';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
