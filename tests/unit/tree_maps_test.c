// SPDX-License-Identifier: GPL-2.0-only
/* A group whose members are files. */
#include "fuse/fs/tree.h"
#include "unit.h"

static const struct kv_group maps = {.name = "map", .of_files = true};
static const struct kv_group *const groups[] = {&maps, NULL};
static const struct kv_views none;
static struct kv_tree tree;
static uint64_t map; /* the group's directory */

static const struct kv_node *make_tree(mode_t mode)
{
	assert_int_equal(kv_tree_new(&tree, &none, groups, mode), 0);
	map = kv_tree_lookup(&tree, KV_ROOT, "map");
	assert_true(map);
	return kv_tree_node(&tree, map);
}

/* Members that are files: one per format, and a link; which one a name means the group knows. */
static void members_may_be_files(void **state)
{
	const struct kv_node *dir = make_tree(0400);
	const struct kv_node *file;
	uint32_t n = 0;

	(void)state;
	assert_int_equal(kv_tree_child(&tree, map, 0), 0);
	assert_int_equal(dir->type, KV_NODE_GROUP);
	assert_int_equal(dir->mode, S_IFDIR | 0500);
	assert_true(dir->is_wide);
	for (; kv_formats[n]; n++) {
		file = kv_tree_node(&tree, kv_ino(12, dir->member + n));
		assert_int_equal(file->type, KV_NODE_MAP);
		assert_int_equal(file->mode, S_IFREG | 0400);
		assert_ptr_equal(file->format, kv_formats[n]);
		assert_ptr_equal(file->group, &maps);
		assert_true(file->is_wide);
		assert_int_equal(kv_tree_parent(&tree, kv_ino(12, dir->member + n)), map);
	}
	file = kv_tree_node(&tree, kv_ino(12, dir->member + n));
	assert_int_equal(file->type, KV_NODE_ALIAS);
	assert_int_equal(file->mode, S_IFLNK | 0777);
	assert_null(kv_tree_node(&tree, dir->member)); /* of no member */
	kv_tree_free(&tree);
}

/* Who may read the files may enter the directory. */
static void their_directory_has_the_mode_of_the_files(void **state)
{
	(void)state;
	assert_int_equal(make_tree(0440)->mode, S_IFDIR | 0550);
	kv_tree_free(&tree);
	assert_int_equal(make_tree(0444)->mode, S_IFDIR | 0555);
	kv_tree_free(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_may_be_files),
		cmocka_unit_test(their_directory_has_the_mode_of_the_files),
	};

	return cmocka_run_group_tests_name("tree of maps", tests, NULL, NULL);
}
