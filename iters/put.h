/* SPDX-License-Identifier: GPL-2.0-only */
/* Strings of a record: kv_put_*() and kv_add_*(). Included by kview.h. */
#ifndef KVIEW_PUT_H
#define KVIEW_PUT_H

/*
 * Strings are appended after the fixed part. Each may be KV_PATH_MAX long, and
 * the record must have room for one such string where it starts: put short
 * ones first. What does not fit or cannot be read is marked as such and shown
 * to the reader, never left out.
 */

/* kv_put_bytes() - append @len bytes at kernel address @src */
static __always_inline void kv_put_bytes(struct kv_call *c, struct kv_str *s, const void *src,
					 __u64 len)
{
	__u64 off = c->scratch->len;

	kv_opaque(off);
	kv_opaque(len);
	s->len = 0;
	s->off = KV_STR_TOO_LONG;
	if (off > KV_RECORD_MAX - KV_PATH_MAX || len > KV_PATH_MAX)
		return;
	s->off = KV_STR_UNREADABLE;
	if (bpf_probe_read_kernel(c->record->bytes + off, len, src))
		return;
	s->off = off;
	s->len = len;
	c->scratch->len = off + len;
}

/**
 * kv_put_string() - append the NUL-terminated string at kernel address @src
 *
 * For strings that stay as they are for the whole call. Of an array that is
 * written to there is kv_put_chars().
 */
static __always_inline void kv_put_string(struct kv_call *c, struct kv_str *s, const void *src)
{
	__u64 off = c->scratch->len;
	long n;

	kv_opaque(off);
	s->len = 0;
	s->off = KV_STR_TOO_LONG;
	if (off > KV_RECORD_MAX - KV_PATH_MAX)
		return;
	n = bpf_probe_read_kernel_str(c->record->bytes + off, KV_PATH_MAX, src);
	s->off = KV_STR_UNREADABLE;
	if (n <= 0)
		return;
	s->off = off;
	s->len = n - 1;
	c->scratch->len = off + n - 1;
}

/* Some of the characters that were read. */
static __always_inline void kv_put_read_chars(struct kv_call *c, struct kv_str *s, __u64 from,
					      long n)
{
	s->len = 0;
	s->off = KV_STR_UNREADABLE;
	if (n < 0 || from > KV_CHARS_MAX)
		return;
	kv_put_bytes(c, s, (char *)c->scratch->chars + from, n > (long)from ? n - from : 0);
}

/**
 * kv_put_chars() - append what an array of characters in the kernel holds
 * @array: a member, of any size up to KV_CHARS_MAX on the running kernel
 *
 * It ends at the first NUL, or where the array ends. It is read until two
 * readings are the same, since it may be written to meanwhile.
 */
#define kv_put_chars(c, s, array) \
	kv_put_read_chars(c, s, 0, kv_read_chars(kv_address(&(array)), bpf_core_field_size(array)))

/* kv_put_literal() - append a string constant of at most 64 bytes */
#define kv_put_literal(c, s, text)                                                           \
	do {                                                                                 \
		__u64 _off = (c)->scratch->len;                                              \
		kv_opaque(_off);                                                             \
		(s)->len = 0;                                                                \
		(s)->off = KV_STR_TOO_LONG;                                                  \
		if (_off <= KV_RECORD_MAX - KV_PATH_MAX) {                                   \
			__builtin_memcpy((c)->record->bytes + _off, text, sizeof(text) - 1); \
			(s)->off = _off;                                                     \
			(s)->len = sizeof(text) - 1;                                         \
			(c)->scratch->len = _off + sizeof(text) - 1;                         \
		}                                                                            \
	} while (0)

/* The string put last goes on with the one put now. */
static __always_inline void kv_join(struct kv_str *s, const struct kv_str *more)
{
	s->len += more->len;
	if (more->off >= KV_STR_UNREADABLE)
		s->off = more->off;
}

/* kv_add_string(), kv_add_chars(), kv_add_literal() - the same, lengthening the string put last */
static __always_inline void kv_add_string(struct kv_call *c, struct kv_str *s, const void *src)
{
	struct kv_str more;

	kv_put_string(c, &more, src);
	kv_join(s, &more);
}

#define kv_add_chars(c, s, array)               \
	do {                                    \
		struct kv_str _more;            \
		kv_put_chars(c, &_more, array); \
		kv_join(s, &_more);             \
	} while (0)

#define kv_add_literal(c, s, text)               \
	do {                                     \
		struct kv_str _more;             \
		kv_put_literal(c, &_more, text); \
		kv_join(s, &_more);              \
	} while (0)

#endif
