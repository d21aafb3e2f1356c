// SPDX-License-Identifier: GPL-2.0-only
/* Handles: stale ones are refused, the last reference gives the object back. */
#include <pthread.h>

#include "fuse/fs/handles.h"
#include "unit.h"

#define EPOCH 0xdeadbeefu
#define FULL 65536
#define HOST 4

static const struct kv_handle_limits plenty = {.all = FULL, .each = 256, .host = HOST};

static int objects[FULL + 1];
static unsigned int released;

static void release(void *object)
{
	(void)object;
	released++;
}

static uint64_t add(struct kv_handles *h, void *object)
{
	uint64_t handle = 0;

	assert_int_equal(kv_handles_add(h, object, HOST, &handle), 0);
	return handle;
}

static void a_handle_leads_to_its_object(void **state)
{
	struct kv_handles h;
	uint64_t a, b;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	a = add(&h, &objects[0]);
	b = add(&h, &objects[1]);
	assert_true(a != b);
	assert_ptr_equal(kv_handles_get(&h, a), &objects[0]);
	assert_ptr_equal(kv_handles_get(&h, b), &objects[1]);
	kv_handles_free(&h, release);
}

static void a_handle_carries_its_epoch(void **state)
{
	struct kv_handles h;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	assert_true(add(&h, &objects[0]) >> 32 == EPOCH);
	kv_handles_free(&h, release);
}

static void that_there_were_many_is_said_once_when_all_are_gone(void **state)
{
	struct kv_handles h;
	uint64_t a, b;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	assert_false(kv_handles_were(&h, 1));
	for (int round = 0; round < 2; round++) {
		a = add(&h, &objects[0]);
		b = add(&h, &objects[1]);
		kv_handles_drop(&h, a);
		assert_false(kv_handles_were(&h, 2)); /* one is left */
		kv_handles_drop(&h, b);
		assert_true(kv_handles_were(&h, 2));
		assert_false(kv_handles_were(&h, 2));
		a = add(&h, &objects[0]);
		kv_handles_drop(&h, a);
		assert_false(kv_handles_were(&h, 2)); /* not so many this time */
	}
	kv_handles_free(&h, release);
}

static void an_empty_table_knows_no_handle(void **state)
{
	struct kv_handles h;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	assert_null(kv_handles_get(&h, (uint64_t)EPOCH << 32));
	assert_null(kv_handles_drop(&h, (uint64_t)EPOCH << 32));
	kv_handles_free(&h, release);
}

static void a_handle_of_another_epoch_is_refused(void **state)
{
	struct kv_handles h;
	uint64_t a;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	a = add(&h, &objects[0]);
	assert_null(kv_handles_get(&h, a + (UINT64_C(1) << 32)));
	assert_null(kv_handles_get(&h, a - (UINT64_C(1) << 32)));
	assert_null(kv_handles_get(&h, (uint32_t)a));
	assert_null(kv_handles_drop(&h, (uint32_t)a));
	assert_ptr_equal(kv_handles_get(&h, a), &objects[0]);
	kv_handles_free(&h, release);
}

static void numbers_that_were_never_given_are_refused(void **state)
{
	struct kv_handles h;
	uint64_t a;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	a = add(&h, &objects[0]);
	for (uint32_t i = 1; i < 100; i++)
		assert_null(kv_handles_get(&h, a + i));
	assert_null(kv_handles_get(&h, a | 0xffffffff));
	assert_null(kv_handles_get(&h, a | 0x80000000));
	assert_null(kv_handles_get(&h, 0));
	assert_null(kv_handles_get(&h, UINT64_MAX));
	kv_handles_free(&h, release);
}

static void the_last_drop_gives_the_object_back(void **state)
{
	struct kv_handles h;
	uint64_t a;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	a = add(&h, &objects[0]);
	assert_ptr_equal(kv_handles_drop(&h, a), &objects[0]);
	assert_null(kv_handles_get(&h, a));
	assert_null(kv_handles_drop(&h, a));
	kv_handles_free(&h, release);
}

/* RELEASE overtakes the end of a READ: the object must live until both are done. */
static void a_release_during_a_read_frees_after_it(void **state)
{
	struct kv_handles h;
	uint64_t a;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	a = add(&h, &objects[0]);
	assert_ptr_equal(kv_handles_get(&h, a), &objects[0]);
	assert_null(kv_handles_drop(&h, a));
	assert_ptr_equal(kv_handles_drop(&h, a), &objects[0]);
	assert_null(kv_handles_drop(&h, a));
	kv_handles_free(&h, release);
}

static void slots_are_used_again(void **state)
{
	struct kv_handles h;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	for (int i = 0; i < 10000; i++) {
		uint64_t a = add(&h, &objects[i]), b = add(&h, &objects[i + 1]);

		assert_ptr_equal(kv_handles_drop(&h, a), &objects[i]);
		assert_ptr_equal(kv_handles_drop(&h, b), &objects[i + 1]);
	}
	assert_true(h.cap <= 16);
	kv_handles_free(&h, release);
}

static void handles_survive_growth(void **state)
{
	static uint64_t handle[1000];
	struct kv_handles h;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	for (int i = 0; i < 1000; i++)
		handle[i] = add(&h, &objects[i]);
	for (int i = 0; i < 1000; i++)
		assert_ptr_equal(kv_handles_drop(&h, handle[i]), &objects[i]);
	kv_handles_free(&h, release);
}

static void a_full_table_refuses_one_more(void **state)
{
	uint64_t handle = 77, first = 0;
	struct kv_handles h;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	for (int i = 0; i < FULL; i++) {
		uint64_t a = add(&h, &objects[i]);

		first = i ? first : a;
	}
	assert_int_equal(kv_handles_add(&h, &objects[FULL], HOST, &handle), -ENFILE);
	assert_int_equal(handle, 77);
	assert_ptr_equal(kv_handles_drop(&h, first), &objects[0]);
	assert_int_equal(kv_handles_add(&h, &objects[FULL], HOST, &handle), 0);
	assert_ptr_equal(kv_handles_get(&h, handle), &objects[FULL]);
	released = 0;
	kv_handles_free(&h, release);
	assert_int_equal(released, FULL);
}

static void the_end_releases_what_is_left_once(void **state)
{
	struct kv_handles h;
	uint64_t a;

	(void)state;
	kv_handles_init(&h, EPOCH, &plenty);
	a = add(&h, &objects[0]);
	add(&h, &objects[1]);
	add(&h, &objects[2]);
	kv_handles_drop(&h, a);
	released = 0;
	kv_handles_free(&h, release);
	assert_int_equal(released, 2);
}

/* --- many threads --- */

static struct kv_handles shared;
static int wrong;

static void *hammer(void *arg)
{
	int *mine = arg;
	uid_t uid = (uid_t)(mine - objects) / 2; /* two threads each */

	for (int i = 0; i < 20000; i++) {
		uint64_t handle;

		if (kv_handles_add(&shared, mine, uid, &handle) != 0 ||
		    kv_handles_get(&shared, handle) != mine ||
		    kv_handles_drop(&shared, handle) != NULL ||
		    kv_handles_drop(&shared, handle) != mine)
			__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	pthread_t threads[8];

	(void)state;
	kv_handles_init(&shared, EPOCH, &plenty);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, &objects[i]), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(kv_handles_count(&shared), 0);
	kv_handles_free(&shared, release);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handle_leads_to_its_object),
		cmocka_unit_test(a_handle_carries_its_epoch),
		cmocka_unit_test(an_empty_table_knows_no_handle),
		cmocka_unit_test(a_handle_of_another_epoch_is_refused),
		cmocka_unit_test(numbers_that_were_never_given_are_refused),
		cmocka_unit_test(the_last_drop_gives_the_object_back),
		cmocka_unit_test(a_release_during_a_read_frees_after_it),
		cmocka_unit_test(slots_are_used_again),
		cmocka_unit_test(handles_survive_growth),
		cmocka_unit_test(that_there_were_many_is_said_once_when_all_are_gone),
		cmocka_unit_test(a_full_table_refuses_one_more),
		cmocka_unit_test(the_end_releases_what_is_left_once),
		cmocka_unit_test(threads_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests_name("handles", tests, NULL, NULL);
}
