/* SPDX-License-Identifier: GPL-2.0-only */
/* Strings of a record: kv_put_*() and kv_add_*(). Included by kview.h. */
#ifndef KVIEW_PUT_H
#define KVIEW_PUT_H

/*
 * Strings are appended behind the fixed part. Each may have KV_PATH_MAX bytes, and the record
 * must have that much room where the string begins: so put short strings first. A string that
 * does not fit or cannot be read is shown as (too long) or (unreadable), never left out.
 */

/* Room for @most bytes more in the first buffer; NULL: they go into the second buffer. */
static __always_inline char *kv_room(struct kv_call *c, __u64 most)
{
	__u64 off = c->scratch->len;

	kv_opaque(off);
	if (c->scratch->split || off > sizeof(c->record->bytes) - most)
		return NULL;
	return c->record->bytes + off;
}

#define KV_TO_NUL (~0ULL)

/* @len bytes, or up to a NUL; below 0: they can't be read. */
static __always_inline long kv_read_bytes(char *to, const void *src, __u64 len)
{
	if (len == KV_TO_NUL)
		return bpf_probe_read_kernel_str(to, KV_PATH_MAX, src) - 1;
	kv_opaque(len);
	if (len > KV_PATH_MAX) /* never */
		return -1;
	return bpf_probe_read_kernel(to, len, src) ? -1 : (long)len;
}

union kv_far {
	struct kv_str s;
	int number;
};

static __always_inline long kv_read_far(struct kv_scratch *scratch, __u64 len)
{
	struct kv_buffer *second = kv_second_buffer();
	__u64 off = scratch->len - scratch->split;

	if (!second)
		scratch->lost = true;
	kv_opaque(off);
	if (!second || off > sizeof(second->bytes) - KV_PATH_MAX)
		return -1; /* the latter never: kv_put_far() has looked */
	return kv_read_bytes(second->bytes + off, scratch->src, len);
}

/*
 * Append bytes that do not fit into the first buffer to the second, as all that follow. Not
 * static, so that it is verified once (see kv_find_pid()): few rows have so much.
 *
 * Return: a struct kv_str as a number, so that callers need no branch.
 */
__noinline int kv_put_far(__u64 len)
{
	struct kv_scratch *scratch = kv_of_thread(kv_scratch, bpf_get_current_task_btf());
	union kv_far far = {.s = {.off = KV_STR_TOO_LONG}};
	long n;

	if (!scratch || scratch->len > KV_RECORD_MAX - KV_PATH_MAX ||
	    (len > KV_PATH_MAX && len != KV_TO_NUL))
		return far.number;
	if (!scratch->split)
		scratch->split = scratch->len;
	n = kv_read_far(scratch, len);
	far.s.off = n < 0 ? KV_STR_UNREADABLE : scratch->len;
	far.s.len = n < 0 ? 0 : n;
	scratch->len += far.s.len;
	return far.number;
}

/* The @len bytes just written at the end of the first buffer are string @s. */
static __always_inline void kv_took(struct kv_call *c, struct kv_str *s, __u64 len)
{
	s->off = c->scratch->len;
	s->len = len;
	c->scratch->len += len;
}

static __always_inline void kv_took_far(struct kv_call *c, struct kv_str *s, const void *src,
					__u64 len)
{
	union kv_far far;

	c->scratch->src = src;
	far.number = kv_put_far(len);
	*s = far.s;
}

/* kv_put_bytes() - append @len bytes at kernel address @src */
static __always_inline void kv_put_bytes(struct kv_call *c, struct kv_str *s, const void *src,
					 __u64 len)
{
	char *to = kv_room(c, KV_PATH_MAX);
	long n;

	if (!to) {
		kv_took_far(c, s, src, len);
		return;
	}
	s->len = 0;
	s->off = len > KV_PATH_MAX && len != KV_TO_NUL ? KV_STR_TOO_LONG : KV_STR_UNREADABLE;
	n = kv_read_bytes(to, src, len);
	if (n >= 0)
		kv_took(c, s, n);
}

/**
 * kv_put_string() - append the NUL-terminated string at kernel address @src
 *
 * For strings that do not change during the call. For an array that may be written to
 * meanwhile there is kv_put_chars().
 */
static __always_inline void kv_put_string(struct kv_call *c, struct kv_str *s, const void *src)
{
	kv_put_bytes(c, s, src, KV_TO_NUL);
}

/* Append the characters that kv_read_chars() has read, without the first @from. */
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
 * It ends at the first NUL, or where the array ends. It is read until two readings agree,
 * since it may be written to meanwhile.
 */
#define kv_put_chars(c, s, array) \
	kv_put_read_chars(c, s, 0, kv_read_chars(kv_address(&(array)), bpf_core_field_size(array)))

/* kv_put_literal() - append a string constant of at most 64 bytes */
#define kv_put_literal(c, s, text)                                     \
	do {                                                           \
		static const char _text[] = text;                      \
		char *_to = kv_room(c, 64);                            \
		_Static_assert(sizeof(text) <= 65, "too long");        \
		if (_to) {                                             \
			__builtin_memcpy(_to, text, sizeof(text) - 1); \
			kv_took(c, s, sizeof(text) - 1);               \
		} else {                                               \
			kv_took_far(c, s, _text, sizeof(text) - 1);    \
		}                                                      \
	} while (0)

/* Lengthen @s, the string before the last one, by @more, the last one. */
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
