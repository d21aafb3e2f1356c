// SPDX-License-Identifier: GPL-2.0-only
/* How many handles there may be: of one user, of all, and what is kept for who mounted. */
#include <pthread.h>

#include "fuse/fs/handles.h"
#include "unit.h"

#define EPOCH 7u
#define HOST 500u
#define MOST 65536u

static int objects[MOST];
static struct kv_handles h;
static unsigned int released;

static void release(void *object)
{
	(void)object;
	released++;
}

static void begin(uint32_t all, uint32_t each)
{
	const struct kv_handle_limits limits = {.all = all, .each = each, .host = HOST};

	kv_handles_init(&h, EPOCH, &limits);
}

/* There are so many left at the end. */
static void end(unsigned int n)
{
	assert_int_equal(kv_handles_count(&h), n);
	released = 0;
	kv_handles_free(&h, release);
	assert_int_equal(released, n);
}

static uint64_t add(uid_t uid)
{
	uint64_t handle = 0;

	assert_int_equal(kv_handles_add(&h, &objects[uid % MOST], uid, &handle), 0);
	return handle;
}

static void add_many(uid_t uid, unsigned int n)
{
	while (n--)
		add(uid);
}

static void drop(uint64_t handle)
{
	assert_non_null(kv_handles_drop(&h, handle));
}

/* A refusal changes nothing. */
static void refuse(uid_t uid, int want)
{
	uint32_t before = kv_handles_count(&h);
	uint64_t handle = 77;

	assert_int_equal(kv_handles_add(&h, &objects[0], uid, &handle), want);
	assert_int_equal(handle, 77);
	assert_int_equal(kv_handles_count(&h), before);
}

/* --- who may have how many --- */

static void the_smallest_limits_hold(void **state)
{
	(void)state;
	begin(2, 1);
	add(1);
	refuse(1, -EMFILE);
	refuse(2, -ENFILE);
	add(HOST);
	refuse(HOST, -ENFILE);
	end(2);
	begin(1, 0); /* as half of one is */
	refuse(1, -EMFILE);
	add(HOST);
	refuse(HOST, -ENFILE);
	end(1);
}

static void a_reserve_of_all_or_more_leaves_others_none(void **state)
{
	(void)state;
	for (uint32_t each = 4; each < 7; each++) {
		begin(4, each);
		refuse(1, -ENFILE);
		add_many(HOST, 4);
		refuse(HOST, -ENFILE);
		end(4);
	}
	begin(4, UINT32_MAX);
	refuse(1, -ENFILE);
	end(0);
}

/* A read that is under way keeps its file, and its file counts. */
static void a_handle_counts_until_its_last_reference(void **state)
{
	uint64_t handle;

	(void)state;
	begin(100, 1);
	handle = add(1);
	assert_non_null(kv_handles_get(&h, handle));
	assert_non_null(kv_handles_get(&h, handle));
	assert_int_equal(kv_handles_count(&h), 1); /* references are no handles */
	assert_null(kv_handles_drop(&h, handle));
	assert_null(kv_handles_drop(&h, handle));
	refuse(1, -EMFILE);
	drop(handle);
	add(1);
	end(1);
}

static void what_is_dropped_twice_is_given_back_once(void **state)
{
	uint64_t a;

	(void)state;
	begin(100, 2);
	a = add(1);
	add(1);
	drop(a);
	for (int i = 0; i < 5; i++)
		assert_null(kv_handles_drop(&h, a));
	assert_int_equal(kv_handles_count(&h), 1);
	add(1);
	refuse(1, -EMFILE);
	end(2);
}

/* --- as many as mount options allow --- */

static uint64_t all[MOST];

static void add_until_full(void)
{
	for (unsigned int i = 0; i < MOST; i++) {
		uid_t uid = i < MOST - 256 ? 1000 + i / 256 : HOST;

		assert_int_equal(kv_handles_add(&h, &objects[i], uid, &all[i]), 0);
	}
}

static void a_table_of_65536_is_filled_and_emptied(void **state)
{
	(void)state;
	begin(MOST, 256);
	for (int round = 0; round < 2; round++) {
		add_until_full();
		refuse(HOST, -ENFILE);
		refuse(1, -ENFILE);
		refuse(1000, -EMFILE);
		assert_int_equal(kv_handles_count(&h), MOST);
		assert_int_equal(h.cap, MOST);
		/* an odd step reaches all of them, in disorder */
		for (unsigned int i = 0; i < MOST; i++) {
			unsigned int at = i * 40503u % MOST;

			assert_ptr_equal(kv_handles_drop(&h, all[at]), &objects[at]);
		}
		assert_int_equal(kv_handles_count(&h), 0);
	}
	assert_int_equal(h.cap, MOST);
	end(0);
}

/* --- whatever comes, in whatever order --- */

#define USERS 8
#define ALL 40
#define EACH 10

struct had {
	uint64_t handles[USERS][ALL];
	unsigned int n[USERS], sum;
};

static int expected(const struct had *had, uid_t uid)
{
	if (uid == HOST % USERS)
		return had->sum < ALL ? 0 : -ENFILE;
	if (had->n[uid] >= EACH)
		return -EMFILE;
	return had->sum < ALL - EACH ? 0 : -ENFILE;
}

static void add_as_expected(struct had *had, uid_t uid)
{
	uid_t told = uid == HOST % USERS ? HOST : uid;
	uint64_t handle = 0;
	int want = expected(had, uid);

	assert_int_equal(kv_handles_add(&h, &objects[uid], told, &handle), want);
	if (!want) {
		had->handles[uid][had->n[uid]++] = handle;
		had->sum++;
	}
}

static void drop_any(struct had *had, uid_t uid, uint64_t n)
{
	uint64_t *handle;

	if (!had->n[uid])
		return;
	handle = &had->handles[uid][n % had->n[uid]];
	assert_ptr_equal(kv_handles_drop(&h, *handle), &objects[uid]);
	*handle = had->handles[uid][--had->n[uid]];
	had->sum--;
}

static void the_limits_hold_in_any_order(void **state)
{
	struct had had = {0};
	uint64_t seed = 3;

	(void)state;
	begin(ALL, EACH);
	for (int i = 0; i < 200000; i++) {
		uid_t uid = (uid_t)(noise(&seed) % USERS);

		/* Ebb and flow: now more come, now more go. */
		if (noise(&seed) % 100 < (i / 1000 % 2 ? 60 : 40))
			add_as_expected(&had, uid);
		else
			drop_any(&had, uid, noise(&seed));
		assert_int_equal(kv_handles_count(&h), had.sum);
	}
	end(had.sum);
}

/* --- many threads --- */

static int held, most_held, refusals, wrong;

static void hold_and_drop(uint64_t handle)
{
	int now = __atomic_add_fetch(&held, 1, __ATOMIC_RELAXED);
	int most = __atomic_load_n(&most_held, __ATOMIC_RELAXED);

	while (now > most && !__atomic_compare_exchange_n(&most_held, &most, now, true,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	__atomic_sub_fetch(&held, 1, __ATOMIC_RELAXED);
	if (kv_handles_drop(&h, handle) != &objects[1])
		__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
}

/* All are one user, and as many at a time as are held may be. */
static void *hammer(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++) {
		uint64_t handle;
		int rc = kv_handles_add(&h, &objects[1], 1, &handle);

		if (!rc)
			hold_and_drop(handle);
		else if (rc == -EMFILE)
			__atomic_add_fetch(&refusals, 1, __ATOMIC_RELAXED);
		else
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
		if (kv_handles_count(&h) > 3)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void threads_of_one_user_share_the_limit(void **state)
{
	pthread_t threads[8];

	(void)state;
	begin(100, 3);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, NULL), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	assert_in_range(most_held, 1, 3);
	add_many(1, 3);
	refuse(1, -EMFILE);
	end(3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_limits_hold),
		cmocka_unit_test(a_reserve_of_all_or_more_leaves_others_none),
		cmocka_unit_test(a_handle_counts_until_its_last_reference),
		cmocka_unit_test(what_is_dropped_twice_is_given_back_once),
		cmocka_unit_test(a_table_of_65536_is_filled_and_emptied),
		cmocka_unit_test(the_limits_hold_in_any_order),
		cmocka_unit_test(threads_of_one_user_share_the_limit),
	};

	return cmocka_run_group_tests_name("limits of handles", tests, NULL, NULL);
}
