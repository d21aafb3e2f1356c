/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A short text that a program makes of words and numbers, such as `id=5 count=3`. Not by
 * bpf_snprintf(), whose buffers are those of the CPU: where programs can be preempted, several
 * may use one of them.
 */
#ifndef KVIEW_WORDS_H
#define KVIEW_WORDS_H

#include "kview.h"

#define KV_WORD_MAX 64
#define KV_DIGITS_MAX 24
#define KV_WATCH_MAX 128

struct kv_element {
	__u64 nr;
	__u64 dev;
};

/* A walk through elements that come and go: see watched.h. */
struct kv_watch {
	__u64 owner;	      /* address of what has the elements */
	__u64 node, from;     /* where the walk is, and where it came from */
	__u64 seen, most;     /* elements */
	__u64 again;	      /* this is the second walk */
	__u64 more;	      /* there are elements behind the last one that was taken */
	__u64 done;	      /* the walk came to its end */
	__u64 sum, first_sum; /* kv_mix() of all that was met */
	__u64 steady;	      /* two walks met the same */
	__u64 steps;	      /* of all walks */
	__u64 members[16];    /* of an element */
	struct kv_element elements[KV_WATCH_MAX];
};

/* What a timerfd is set to, as read at once: see timerfd.h. */
struct kv_timer {
	__u64 expires, interval, ticks, flags, clock;
	__u64 by; /* the clock that @expires is a time of */
};

struct kv_words {
	__u64 len;
	__u64 lost;	   /* there was no room */
	__u64 value, base; /* digits that are still to be made */
	__u64 used;	   /* of @digits */
	__u64 mask;	   /* signals or seals */
	char name[16];	   /* of the file */
	__u64 ends[7];	   /* struct kv_ends, of a socket */
	__u64 groups[8];   /* of an IPv6 address */
	__u64 run, zeros,
		zeros_end; /* groups that are 0: up to here, the most, and where those end */
	char digits[KV_DIGITS_MAX];
	char text[KV_PATH_MAX];
	struct kv_watch watch;
	struct kv_timer timer, timer_again;
};

KV_THREAD_MAP(kv_words, kv_words);

static __always_inline char *kv_words_room_for(struct kv_words *w, __u64 most)
{
	__u64 at = w->len;

	kv_opaque(at);
	if (at > sizeof(w->text) - most) {
		w->lost = true;
		return NULL;
	}
	return w->text + at;
}

static __always_inline char *kv_words_room(struct kv_words *w)
{
	return kv_words_room_for(w, KV_WORD_MAX);
}

/* kv_say() - append a string constant */
#define kv_say(w, word)                                                  \
	do {                                                             \
		char *_to = kv_words_room(w);                            \
		_Static_assert(sizeof(word) <= KV_WORD_MAX, "too long"); \
		if (_to) {                                               \
			__builtin_memcpy(_to, word, sizeof(word) - 1);   \
			(w)->len += sizeof(word) - 1;                    \
		}                                                        \
	} while (0)

/* kv_say_string() - append a string of at most 31 bytes that does not change */
static __always_inline void kv_say_string(struct kv_words *w, const char *s)
{
	char *to = kv_words_room(w);
	long n = to ? bpf_probe_read_kernel_str(to, 32, s) : 0;

	if (n > 1)
		w->len += n - 1;
}

/* The last digit that is left to make. 1: there is none. */
static long kv_make_digit(__u64 i, struct kv_words **words)
{
	struct kv_words *w = *words;
	__u64 digit = w->value % w->base, at = KV_DIGITS_MAX - 1 - i;

	kv_opaque(at);
	if (at >= KV_DIGITS_MAX || (!w->value && i >= w->used))
		return 1;
	w->value /= w->base;
	w->digits[at] = '0' + digit + ((digit + 6) >> 4) * ('a' - '9' - 1);
	if (i >= w->used)
		w->used = i + 1;
	return 0;
}

/*
 * Append a number with at least so many digits. Not static, so that it is verified once (see
 * kv_find_pid()), and returns a number since it must.
 */
__noinline int kv_say_digits(struct kv_words *w, __u64 v, __u32 base, __u32 least)
{
	__u64 n;
	char *to;

	if (!w)
		return 0;
	w->value = v;
	w->base = base;
	w->used = least;
	bpf_loop(KV_DIGITS_MAX, kv_make_digit, &w, 0);
	to = kv_words_room(w);
	n = w->used;
	kv_opaque(n);
	if (!to || n > KV_DIGITS_MAX)
		return 0;
	bpf_probe_read_kernel(to, n, w->digits + KV_DIGITS_MAX - n);
	w->len += n;
	return 0;
}

static __always_inline void kv_say_number(struct kv_words *w, __u64 v)
{
	kv_say_digits(w, v, 10, 1);
}

static __always_inline void kv_say_hex(struct kv_words *w, __u64 v, __u32 least)
{
	kv_say_digits(w, v, 16, least);
}

static __always_inline void kv_say_signed(struct kv_words *w, long long v)
{
	if (v < 0)
		kv_say(w, "-");
	kv_say_number(w, v < 0 ? -v : v);
}

/* Nanoseconds as seconds. */
static __always_inline void kv_say_seconds(struct kv_words *w, __u64 ns)
{
	kv_say_number(w, ns / 1000000000);
	kv_say(w, ".");
	kv_say_digits(w, ns % 1000000000, 10, 9);
}

#endif
