/* SPDX-License-Identifier: GPL-2.0-only */
/* What a timerfd is set to: timerfd_show() in fs/timerfd.c. */
#ifndef KVIEW_TIMERFD_H
#define KVIEW_TIMERFD_H

#include "clock.h"
#include "words.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded" /* the real layout is the kernel's */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct timerqueue_node {
	long long expires;
};

struct hrtimer___node {
	struct timerqueue_node node;
	struct hrtimer_clock_base *base;
};

struct alarm {
	struct timerqueue_node node;
};

struct timerfd_timer {
	struct hrtimer___node tmr;
	struct alarm alarm;
};

struct timerfd_ctx {
	struct timerfd_timer t;
	long long tintv;
	__u64 ticks;
	int clockid;
	unsigned short settime_flags;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

#define CLOCK_MONOTONIC 1
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9

static __always_inline bool kv_is_alarm(__u64 clock)
{
	return clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
}

static __always_inline __u64 kv_clock_now(__u64 clock)
{
	const struct hrtimer_cpu_base *timers = kv_own_timers();

	if (clock == CLOCK_MONOTONIC)
		return bpf_ktime_get_ns();
	if (clock == CLOCK_BOOTTIME || clock == CLOCK_BOOTTIME_ALARM)
		return bpf_ktime_get_boot_ns();
	return bpf_ktime_get_ns() + BPF_CORE_READ(timers, clock_base[HRTIMER_BASE_REALTIME].offset);
}

static __always_inline void kv_say_clock(struct kv_words *w, __u64 clock)
{
	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM)
		kv_say(w, "clockid=realtime");
	else if (clock == CLOCK_MONOTONIC)
		kv_say(w, "clockid=monotonic");
	else if (clock == CLOCK_BOOTTIME || clock == CLOCK_BOOTTIME_ALARM)
		kv_say(w, "clockid=boottime");
	if (kv_is_alarm(clock))
		kv_say(w, "-alarm");
}

#define KV_NO_CLOCK (~0ULL)

/*
 * A timer of CLOCK_REALTIME that was not set to a time of day goes by CLOCK_MONOTONIC. One that is
 * being moved to another CPU goes by none for a moment.
 */
static __always_inline __u64 kv_timer_clock(const struct timerfd_ctx *ctx)
{
	const struct hrtimer_clock_base *base = BPF_CORE_READ(ctx, t.tmr.base);

	return kv_are_timers(BPF_CORE_READ(base, cpu_base)) ? BPF_CORE_READ(base, clockid)
							    : KV_NO_CLOCK;
}

static __always_inline void kv_timer_read(struct kv_timer *t, const struct timerfd_ctx *ctx)
{
	t->clock = BPF_CORE_READ(ctx, clockid);
	t->interval = BPF_CORE_READ(ctx, tintv);
	t->ticks = BPF_CORE_READ(ctx, ticks);
	t->flags = BPF_CORE_READ(ctx, settime_flags);
	if (kv_is_alarm(t->clock)) {
		t->by = t->clock;
		t->expires = BPF_CORE_READ(ctx, t.alarm.node.expires);
	} else {
		t->by = kv_timer_clock(ctx);
		t->expires = BPF_CORE_READ(ctx, t.tmr.node.expires);
	}
	kv_barrier();
}

static __always_inline bool kv_is_same_timer(const struct kv_timer *a, const struct kv_timer *b)
{
	return a->expires == b->expires && a->interval == b->interval && a->ticks == b->ticks &&
	       a->flags == b->flags && a->by == b->by && a->by != KV_NO_CLOCK;
}

static __always_inline bool kv_knows_timerfd(const struct timerfd_ctx *ctx)
{
	return bpf_core_field_exists(ctx->t.tmr.node.expires) &&
	       bpf_core_field_exists(ctx->t.tmr.base) &&
	       bpf_core_field_exists(ctx->t.alarm.node.expires) && kv_knows(timerfd_ctx, tintv) &&
	       kv_knows(timerfd_ctx, ticks) && kv_knows(timerfd_ctx, clockid) &&
	       kv_knows(timerfd_ctx, settime_flags);
}

#define KV_TIMER_TRIES 8

static long kv_timer_try(__u64 i, struct kv_words **words)
{
	struct kv_words *w = *words;

	w->timer = w->timer_again;
	kv_timer_read(&w->timer_again, (void *)w->watch.owner);
	w->lost = !kv_is_same_timer(&w->timer, &w->timer_again);
	return !w->lost;
}

/* timerfd_show(), which locks it: so it is read until two readings agree. */
static __always_inline void kv_say_timerfd(struct kv_words *w, const struct timerfd_ctx *ctx)
{
	const struct kv_timer *t = &w->timer;
	long long remaining;

	if (!kv_knows_timerfd(ctx))
		return;
	w->watch.owner = (__u64)ctx;
	w->lost = true;
	kv_timer_read(&w->timer_again, ctx);
	bpf_loop(KV_TIMER_TRIES, kv_timer_try, &w, 0);
	remaining = t->expires - kv_clock_now(t->by);
	kv_say_clock(w, t->clock);
	if (remaining > 0) {
		kv_say(w, " remaining=");
		kv_say_seconds(w, remaining);
	}
	if (t->interval) {
		kv_say(w, " interval=");
		kv_say_seconds(w, t->interval);
	}
	kv_say(w, " ticks=");
	kv_say_number(w, t->ticks);
	kv_say(w, " settime-flags=0");
	kv_say_number(w, t->flags & 7); /* octal */
}

#endif
