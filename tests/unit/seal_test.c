// SPDX-License-Identifier: GPL-2.0-only
/* Numbers of nodes as told outside: there and back, and nothing to be read in them. */
#include "fuse/seal.h"
#include "fuse/tree.h"
#include "unit.h"

static struct kv_seal seal;

static int setup(void **state)
{
	(void)state;
	return kv_seal_init(&seal);
}

static void a_sealed_number_comes_back(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < 200000; i++) {
		uint64_t ino = kv_ino(kv_who((pid_t)(i % 4194303) + 1, i * 7919 * 1024),
				      (uint32_t)(i % 500) + 1);

		assert_true(kv_unseal_ino(&seal, kv_seal_ino(&seal, ino)) == ino);
	}
}

static void numbers_at_the_edges_come_back(void **state)
{
	static const uint64_t whos[] = {1, 2, 0xffffff, 0x1000000, 0xffffffffffff, 0xfffffffffffe};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(whos); i++) {
		uint64_t told = kv_seal_ino(&seal, kv_ino(whos[i], 9));

		assert_true(kv_ino_who(told) != 0);
		assert_true(kv_unseal_ino(&seal, told) == kv_ino(whos[i], 9));
	}
}

/* The kernel may send any number: it is no process's, and nothing breaks. */
static void any_number_can_be_unsealed(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t told = i * UINT64_C(0x9e3779b97f4a7c15);

		assert_true(kv_seal_ino(&seal, kv_unseal_ino(&seal, told)) == told);
	}
}

static void nodes_of_no_process_keep_their_numbers(void **state)
{
	(void)state;
	for (uint32_t i = 0; i <= 0xffff; i++) {
		assert_true(kv_seal_ino(&seal, i) == i);
		assert_true(kv_unseal_ino(&seal, i) == i);
	}
}

static void the_index_stays(void **state)
{
	(void)state;
	assert_int_equal(kv_ino_index(kv_seal_ino(&seal, kv_ino(kv_who(4711, 99999), 17))), 17);
}

/* Two mounts, or guesses at a key, tell nothing of each other. */
static void other_keys_give_other_numbers(void **state)
{
	struct kv_seal other;
	unsigned int same = 0;

	(void)state;
	assert_int_equal(kv_seal_init(&other), 0);
	for (pid_t pid = 1; pid < 10000; pid++) {
		uint64_t ino = kv_ino(kv_who(pid, 0), 1);

		same += kv_seal_ino(&seal, ino) == kv_seal_ino(&other, ino);
	}
	assert_true(same < 3);
}

/* Neighbours in number do not lie together: about half of the bits differ. */
static void neighbours_are_told_apart(void **state)
{
	unsigned int bits = 0;

	(void)state;
	for (pid_t pid = 1; pid < 10000; pid++)
		bits += (unsigned int)__builtin_popcountll(
			kv_seal_ino(&seal, kv_ino(kv_who(pid, 0), 1)) ^
			kv_seal_ino(&seal, kv_ino(kv_who(pid + 1, 0), 1)));
	assert_in_range(bits / 9999, 20, 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sealed_number_comes_back),
		cmocka_unit_test(numbers_at_the_edges_come_back),
		cmocka_unit_test(any_number_can_be_unsealed),
		cmocka_unit_test(nodes_of_no_process_keep_their_numbers),
		cmocka_unit_test(the_index_stays),
		cmocka_unit_test(other_keys_give_other_numbers),
		cmocka_unit_test(neighbours_are_told_apart),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
