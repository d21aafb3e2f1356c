// SPDX-License-Identifier: GPL-2.0-only
/* A group whose members are files. */
#include "fuse/fs/tree.h"
#include "unit.h"

static struct kv_view list[] = {
	{.name = "ours.pids", .program = "pids", .is_loaded = true},
	{.name = "ours.some", .program = "some", .is_loaded = true, .param = KV_PARAM_MAP},
	{.name = "ours.not", .program = "not", .param = KV_PARAM_MAP}, /* not loaded */
	{.name = "ours.others", .program = "others", .is_loaded = true, .param = KV_PARAM_MAP},
};
static const struct kv_views views = {.list = list, .n = ARRAY_SIZE(list)};

static bool has(const struct kv_view *view)
{
	return view->param == KV_PARAM_MAP;
}

/* Of the type 0 are maps with nothing, of 1 with elements in formats, of 2 and 3 with a raw view too. */
static bool has_file(const struct kv_member *m, const struct kv_view *view)
{
	return view ? m->type >= 2 && view == &list[m->type == 2 ? 1 : 3] : m->type > 0;
}

static const struct kv_group maps = {
	.name = "map", .has = has, .of_files = true, .has_file = has_file};
static const struct kv_group *const groups[] = {&maps, NULL};
static struct kv_tree tree;
static uint64_t map; /* the group's directory */

static const struct kv_node *make_tree(mode_t mode)
{
	assert_int_equal(kv_tree_new(&tree, &views, groups, mode), 0);
	map = kv_tree_lookup(&tree, KV_ROOT, "map");
	assert_true(map);
	return kv_tree_node(&tree, map);
}

/* Members that are files: one per format, one per raw view of maps that is loaded, and a link. */
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
	for (const struct kv_view *view = &list[1]; view <= &list[3]; view += 2, n++) {
		file = kv_tree_node(&tree, kv_ino(12, dir->member + n));
		assert_int_equal(file->type, KV_NODE_MAP);
		assert_int_equal(file->mode, S_IFREG | 0400);
		assert_null(file->format);
		assert_ptr_equal(file->view, view);
		assert_true(file->is_wide && file->is_bpf);
	}
	file = kv_tree_node(&tree, kv_ino(12, dir->member + n));
	assert_int_equal(dir->nfiles, n + 1);
	assert_int_equal(file->type, KV_NODE_ALIAS);
	assert_int_equal(file->mode, S_IFLNK | 0777);
	assert_null(kv_tree_node(&tree, dir->member)); /* of no member */
	kv_tree_free(&tree);
}

static void assert_names(uint32_t type, const char *alias, const char *want)
{
	struct kv_member m = {.key = 12, .name = "12", .type = type};
	const struct kv_node *dir = kv_tree_node(&tree, map);
	char name[KV_NAME_SIZE], got[256] = "";

	snprintf(m.alias, sizeof(m.alias), "%s", alias);
	for (uint32_t i = dir->member; i < dir->member + dir->nfiles; i++)
		if (kv_tree_name(&tree.nodes[i], &m, name)) {
			strcat(got, *got ? " " : "");
			strcat(got, name);
		}
	assert_string_equal(got, want);
}

/* A link is there if it has a name of its own, and leads to a file. */
static void each_member_has_the_files_that_fit(void **state)
{
	(void)state;
	make_tree(0400);
	assert_names(0, "name", "");
	assert_names(1, "name", "12 12.json 12.csv 12-name");
	assert_names(1, "", "12 12.json 12.csv");
	assert_names(2, "a.json", "12 12.json 12.csv 12.ours.some 12-a.json");
	assert_names(3, "", "12 12.json 12.csv 12.ours.others");
	assert_int_equal(kv_tree_lookup(&tree, map, ".json"), 0);
	assert_int_equal(kv_tree_lookup(&tree, map, ""), 0);
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
		cmocka_unit_test(each_member_has_the_files_that_fit),
		cmocka_unit_test(their_directory_has_the_mode_of_the_files),
	};

	return cmocka_run_group_tests_name("tree of maps", tests, NULL, NULL);
}
