/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows of keys that come without end: a table of places, of which the first is for what finds no
 * other. A key has its place until another one needs it. Then a hand goes through the places, as in
 * the page replacement that is called CLOCK: a key that nobody has used since the hand passed it
 * gives way.
 *
 * The includer says what a key and a row are, and how many places there are:
 *	#define KV_PLACE_KEY struct end_key
 *	#define KV_PLACE_DATA struct events
 *	#define KV_PLACES 8192
 * and defines kv_give_way().
 */
#ifndef KVIEW_PLACES_H
#define KVIEW_PLACES_H

#include "collect.h"

enum kv_place_state {
	KV_PLACE_FREE,
	KV_PLACE_TAKEN, /* by who writes to it */
	KV_PLACE_SHOWN,
};

struct kv_place {
	__u64 state;
	__u64 turn; /* how many keys have had it */
	__u64 used; /* since the hand has passed */
	KV_PLACE_KEY key;
	KV_PLACE_DATA data;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KV_PLACES);
	__type(key, __u32);
	__type(value, struct kv_place);
} kv_places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KV_PLACES);
	__type(key, KV_PLACE_KEY);
	__type(value, __u32);
} kv_place_of SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} kv_hand SEC(".maps");

/* kv_give_way() - a key loses its place: what it has counted is added to the first one */
static __always_inline void kv_give_way(struct kv_place *p);

static __always_inline struct kv_place *kv_place_at(__u32 place)
{
	return bpf_map_lookup_elem(&kv_places, &place);
}

/* kv_place_find() - of a key, 0: it has none */
static __always_inline __u32 kv_place_find(const KV_PLACE_KEY *key)
{
	__u32 *known = bpf_map_lookup_elem(&kv_place_of, key);

	return known ? *known : 0;
}

struct kv_taking {
	__u32 place;
	bool presses;
	__u8 _pad[3];
};

static long kv_hand_step(__u64 i, struct kv_taking *taking)
{
	__u32 zero = 0, place;
	__u64 *hand = bpf_map_lookup_elem(&kv_hand, &zero), state;
	struct kv_place *p;
	KV_PLACE_KEY key;

	if (!hand)
		return 1;
	place = __sync_fetch_and_add(hand, 1) % (KV_PLACES - 1) + 1;
	p = kv_place_at(place);
	if (!p)
		return 1;
	state = p->state;
	if (state == KV_PLACE_TAKEN)
		return 0;
	if (state == KV_PLACE_SHOWN && p->used) {
		if (taking->presses)
			p->used = 0;
		return 0;
	}
	if (__sync_val_compare_and_swap(&p->state, state, KV_PLACE_TAKEN) != state)
		return 0;
	if (state == KV_PLACE_SHOWN) {
		key = p->key;
		bpf_map_delete_elem(&kv_place_of, &key);
		kv_give_way(p);
		kv_dropped();
	}
	p->turn++;
	taking->place = place;
	return 1;
}

#define KV_PLACE_LOOKS 64

/**
 * kv_place_take() - a place to write to
 * @presses: it may make keys give way that were used before the hand passed, not just those that
 *	     are not used at all
 *
 * Return: 0: there is none.
 */
static __always_inline __u32 kv_place_take(bool presses)
{
	struct kv_taking taking = {.presses = presses};

	/* Once round is enough, since marks are cleared on the way; and that is seldom the case. */
	bpf_loop(presses ? KV_PLACES : KV_PLACE_LOOKS, kv_hand_step, &taking, 0);
	return taking.place;
}

/**
 * kv_place_show() - the place that was taken is written to: it is that of its key
 *
 * Return: the key's place, which is another one if another processor was first.
 */
static __always_inline __u32 kv_place_show(__u32 place, struct kv_place *p, const KV_PLACE_KEY *key)
{
	p->key = *key;
	if (bpf_map_update_elem(&kv_place_of, key, &place, BPF_NOEXIST)) {
		__sync_lock_test_and_set(&p->state, KV_PLACE_FREE);
		return kv_place_find(key);
	}
	kv_take_number();
	__sync_lock_test_and_set(&p->state, KV_PLACE_SHOWN);
	return place;
}

/* kv_place_use() - note that something is counted there; the first place is shown then */
static __always_inline void kv_place_use(struct kv_place *p, __u32 place, bool lasts)
{
	if (!place) {
		p->state = KV_PLACE_SHOWN;
		kv_dropped();
	} else if (lasts && !p->used) {
		p->used = 1;
	}
}

/* --- the view --- */

/* kv_place_begin() - is it to be shown? @turn: as kv_place_stays() needs it */
static __always_inline bool kv_place_begin(const struct kv_place *p, __u64 *turn)
{
	bool is_shown = p->state == KV_PLACE_SHOWN;

	kv_barrier();
	*turn = p->turn;
	return is_shown;
}

/* kv_place_stays() - was it that of the same key, all the while that it was read? */
static __always_inline bool kv_place_stays(const struct kv_place *p, __u64 turn)
{
	kv_barrier();
	return p->state == KV_PLACE_SHOWN && p->turn == turn;
}

#endif
