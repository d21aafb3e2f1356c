// SPDX-License-Identifier: GPL-2.0-only
/* Numbers of nodes as told outside: there and back, and nothing to be read in them. */
#include "fuse/fs/seal.h"
#include "fuse/fs/tree.h"
#include "row_schema.h"
#include "unit.h"

static struct kv_view list[] = {
	{.name = "kmem_cache", .schema = &row_schema, .is_loaded = true},
	{.name = "task", .schema = &row_schema, .is_loaded = true, .param = KV_PARAM_TASK},
};
static const struct kv_views views = {.list = list, .n = ARRAY_SIZE(list)};
static struct kv_tree tree;
static struct kv_seal seal;

static int setup(void **state)
{
	(void)state;
	return kv_tree_new(&tree, &views, kv_groups, 0400) ?: kv_seal_init(&seal, &tree);
}

static int teardown(void **state)
{
	(void)state;
	kv_tree_free(&tree);
	return 0;
}

static void a_sealed_number_comes_back(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < 200000; i++) {
		uint64_t ino =
			kv_ino(i * 7919 * 1024 % 0xffffffffffff + 1, (uint32_t)(i % 500) + 1);

		assert_true(kv_unseal_ino(&seal, kv_seal_ino(&seal, ino)) == ino);
	}
}

static void numbers_at_the_edges_come_back(void **state)
{
	static const uint64_t whos[] = {1, 2, 0xffffff, 0x1000000, 0xffffffffffff, 0xfffffffffffe};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(whos); i++) {
		uint64_t told = kv_seal_ino(&seal, kv_ino(whos[i], 9));

		assert_true(kv_ino_key(told) != 0);
		assert_true(kv_unseal_ino(&seal, told) == kv_ino(whos[i], 9));
	}
}

/* The kernel may send any number: it is no process's, and nothing breaks. */
static void any_number_can_be_unsealed(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t told = i * UINT64_C(0x9e3779b97f4a7c15);
		uint64_t ino = kv_unseal_ino(&seal, told);

		assert_true(ino ? kv_seal_ino(&seal, ino) == told
				: told >> 16 == 0 || (told & 0xffff) == KV_TOLD_INDEX);
	}
}

static void nodes_of_no_member_have_the_tree_s_numbers(void **state)
{
	(void)state;
	for (uint32_t i = KV_ROOT; i < tree.n && !tree.nodes[i].is_of_member; i++) {
		uint64_t told = kv_seal_ino(&seal, i);

		assert_true(told == kv_tree_told(&tree, i));
		assert_true(kv_unseal_ino(&seal, told) == i);
		/* Its number inside is none outside. */
		assert_true(i == KV_ROOT || !kv_tree_node(&tree, kv_unseal_ino(&seal, i)));
	}
	assert_true(kv_seal_ino(&seal, KV_ROOT) == KV_ROOT);
}

/* Another version, or --iter-dir: the views are others, or in another order. */
static void numbers_go_by_names_in_every_tree(void **state)
{
	struct kv_view others[] = {
		{.name = "aaa", .schema = &row_schema, .is_loaded = true},
		{.name = "bbb", .schema = &row_schema, .is_loaded = true},
		{.name = "task", .schema = &row_schema, .is_loaded = true, .param = KV_PARAM_TASK},
	};
	const struct kv_views v = {.list = others, .n = ARRAY_SIZE(others)};
	struct kv_tree other;
	uint64_t csv = kv_tree_lookup(&tree, KV_ROOT, "csv"), theirs;

	(void)state;
	assert_int_equal(kv_tree_new(&other, &v, kv_groups, 0400), 0);
	theirs = kv_tree_lookup(&other, KV_ROOT, "csv");
	assert_true(kv_tree_told(&tree, csv) == kv_tree_told(&other, theirs));
	csv = kv_tree_lookup(&tree, csv, "task.csv");
	theirs = kv_tree_lookup(&other, theirs, "task.csv");
	assert_true(csv && csv != theirs &&
		    kv_tree_told(&tree, csv) == kv_tree_told(&other, theirs));
	theirs = kv_tree_lookup(&other, KV_ROOT, "aaa");
	assert_int_equal(kv_tree_find(&tree, kv_tree_told(&other, theirs)), 0);
	kv_tree_free(&other);
}

/* A takeover: not another file of some process, but none. */
static void what_another_daemon_told_is_no_node(void **state)
{
	unsigned int nodes = 0;
	struct kv_seal other;

	(void)state;
	assert_int_equal(kv_seal_init(&other, &tree), 0);
	for (uint64_t key = 1; key <= 10000; key++) {
		uint64_t told = kv_seal_ino(&other, kv_ino(key << 22, tree.n - 1));

		nodes += kv_tree_node(&tree, kv_unseal_ino(&seal, told)) != NULL;
	}
	assert_in_range(nodes, 0, 20); /* of 65536 indexes some 10 are nodes */
}

/* Two mounts, or guesses at a key, tell nothing of each other. */
static void other_keys_give_other_numbers(void **state)
{
	struct kv_seal other;
	unsigned int same = 0;

	(void)state;
	assert_int_equal(kv_seal_init(&other, &tree), 0);
	for (uint64_t key = 1; key < 10000; key++) {
		uint64_t ino = kv_ino(key, 1);

		same += kv_seal_ino(&seal, ino) == kv_seal_ino(&other, ino);
	}
	assert_true(same < 3);
}

/* Neighbours in number do not lie together: about half of the bits differ. */
static void neighbours_are_told_apart(void **state)
{
	unsigned int bits = 0;

	(void)state;
	for (uint64_t key = 1; key < 10000; key++)
		bits += (unsigned int)__builtin_popcountll(kv_seal_ino(&seal, kv_ino(key, 1)) ^
							   kv_seal_ino(&seal, kv_ino(key + 1, 1)));
	assert_in_range(bits / 9999, 28, 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sealed_number_comes_back),
		cmocka_unit_test(numbers_at_the_edges_come_back),
		cmocka_unit_test(any_number_can_be_unsealed),
		cmocka_unit_test(nodes_of_no_member_have_the_tree_s_numbers),
		cmocka_unit_test(numbers_go_by_names_in_every_tree),
		cmocka_unit_test(what_another_daemon_told_is_no_node),
		cmocka_unit_test(other_keys_give_other_numbers),
		cmocka_unit_test(neighbours_are_told_apart),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
