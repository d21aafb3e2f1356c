// SPDX-License-Identifier: GPL-2.0-only
/* The names under the mount, for views that are made here. */
#include "fuse/fs/tree.h"
#include "row_schema.h"
#include "unit.h"

static struct kv_collector off = {.link_fd = -1}; /* nobody asks for it: the view is there */

static struct kv_view list[] = {
	{.name = "broken"},
	{.name = "kmem_cache", .schema = &row_schema, .is_loaded = true},
	{.name = "task", .schema = &row_schema, .is_loaded = true, .param = KV_PARAM_TASK},
	{.name = "task_file", .schema = &row_schema, .is_loaded = true, .param = KV_PARAM_TASK},
	{.name = "task_vma", .param = KV_PARAM_TASK}, /* not loaded: this kernel lacks it */
	{.name = "exits", .schema = &row_schema, .collectors = {.n = 1, .list = &off}},
};

static const struct kv_views views = {.list = list, .n = ARRAY_SIZE(list)};
static struct kv_tree tree;

static bool is_of_tasks(const struct kv_view *view)
{
	return view->param == KV_PARAM_TASK;
}

static bool is_of_slabs(const struct kv_view *view)
{
	return strcmp(view->name, "kmem_cache") == 0;
}

static bool is_of_none(const struct kv_view *view)
{
	(void)view;
	return false;
}

/* The tree asks a group for no member: whoever serves does. */
static const struct kv_group pids = {.name = "pid", .has = is_of_tasks, .self = "self"};
static const struct kv_group slabs = {.name = "slab", .has = is_of_slabs};
static const struct kv_group nothing = {.name = "nothing", .has = is_of_none};
static const struct kv_group *const groups[] = {&pids, &nothing, &slabs, NULL};
static const struct kv_group *const just_pids[] = {&pids, NULL};

static int make_tree(void **state)
{
	(void)state;
	return kv_tree_new(&tree, &views, groups, 0400);
}

static int free_tree(void **state)
{
	(void)state;
	kv_tree_free(&tree);
	return 0;
}

/* A name in a directory; of a group's members, as its own find() would say, the key is the number. */
static uint64_t walk_to(uint64_t dir, const char *name)
{
	const struct kv_node *node = kv_tree_node(&tree, dir);
	uint64_t ino = kv_tree_lookup(&tree, dir, name);

	if (!ino && node->type == KV_NODE_GROUP && atoll(name))
		ino = kv_ino((uint64_t)atoll(name), node->member);
	return ino;
}

/* A path of names below the root; 0 where one is missing. */
static uint64_t walk(const char *path)
{
	uint64_t ino = KV_ROOT;
	char copy[256], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *name = strtok_r(copy, "/", &save); name && ino;
	     name = strtok_r(NULL, "/", &save))
		ino = walk_to(ino, name);
	return ino;
}

static const struct kv_node *node_at(const char *path)
{
	const struct kv_node *node = kv_tree_node(&tree, walk(path));

	assert_true(walk(path) != 0);
	assert_non_null(node);
	return node;
}

static void assert_names(const char *path, const char *want)
{
	uint64_t dir = walk(path);
	char got[512] = "";

	assert_true(dir != 0);
	for (uint32_t i = kv_tree_child(&tree, dir, 0); i; i = kv_tree_child(&tree, dir, i + 1)) {
		strcat(got, *got ? " " : "");
		strcat(got, tree.nodes[i].name);
	}
	assert_string_equal(got, want);
}

/* --- names --- */

static void the_root_has_what_is_loaded_or_off(void **state)
{
	(void)state;
	assert_names("", "kmem_cache task task_file exits json csv status schema pid slab");
}

static void formats_have_directories_with_suffixes(void **state)
{
	(void)state;
	assert_names("json", "kmem_cache.json task.json task_file.json exits.json");
	assert_names("csv", "kmem_cache.csv task.csv task_file.csv exits.csv");
}

static void every_view_that_is_loaded_or_off_has_a_schema(void **state)
{
	(void)state;
	assert_names("schema", "kmem_cache task task_file exits");
}

static void processes_have_views_of_tasks_only(void **state)
{
	(void)state;
	assert_names("pid/1", "task task_file json csv");
	assert_names("pid/1/json", "task.json task_file.json");
	assert_names("pid/1/csv", "task.csv task_file.csv");
}

static void pid_itself_lists_only_self(void **state)
{
	(void)state;
	assert_names("pid", "self");
}

static void views_that_are_not_loaded_are_absent(void **state)
{
	(void)state;
	assert_int_equal(walk("broken"), 0);
	assert_int_equal(walk("task_vma"), 0);
	assert_int_equal(walk("json/task_vma.json"), 0);
	assert_int_equal(walk("schema/task_vma"), 0);
	assert_int_equal(walk("pid/1/task_vma"), 0);
	assert_int_equal(walk("pid/1/kmem_cache"), 0);
}

static void names_are_taken_whole(void **state)
{
	(void)state;
	assert_int_equal(walk("tas"), 0);
	assert_int_equal(walk("task.json"), 0);
	assert_int_equal(walk("json/task"), 0);
	assert_int_equal(walk("pid/1/status"), 0);
	assert_int_equal(walk("TASK"), 0);
	assert_int_equal(kv_tree_lookup(&tree, KV_ROOT, ""), 0);
	assert_int_equal(kv_tree_lookup(&tree, KV_ROOT, "."), 0);
	assert_int_equal(kv_tree_lookup(&tree, KV_ROOT, ".."), 0);
}

static void nothing_is_below_a_file_or_a_link(void **state)
{
	(void)state;
	assert_int_equal(kv_tree_lookup(&tree, walk("task"), "task"), 0);
	assert_int_equal(kv_tree_lookup(&tree, walk("pid/self"), "task"), 0);
	assert_int_equal(kv_tree_lookup(&tree, walk("status"), "status"), 0);
	assert_int_equal(kv_tree_lookup(&tree, walk("schema/task"), "task"), 0);
}

/* --- processes --- */

static void members_are_directories_of_the_same_files(void **state)
{
	static const uint64_t keys[] = {1, 42, 4194303, (UINT64_C(1) << KV_KEY_BITS) - 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char path[64];

		snprintf(path, sizeof(path), "pid/%llu", (unsigned long long)keys[i]);
		assert_true(S_ISDIR(node_at(path)->mode));
		assert_true(kv_ino_key(walk(path)) == keys[i]);
		strcat(path, "/json/task.json");
		assert_true(kv_ino_key(walk(path)) == keys[i]);
		assert_int_equal(kv_ino_index(walk(path)),
				 kv_ino_index(walk("pid/7/json/task.json")));
		assert_true(S_ISREG(node_at(path)->mode));
		assert_ptr_equal(node_at(path)->group, &pids);
	}
}

/* A second kind of directory: a description of its own is all that it takes. */
static void groups_have_each_their_members(void **state)
{
	(void)state;
	assert_names("slab", "");
	assert_names("slab/3", "kmem_cache json csv");
	assert_names("slab/3/json", "kmem_cache.json");
	assert_int_equal(tree.ngroups, 2);
	assert_int_equal(walk("nothing"), 0);
	assert_ptr_equal(node_at("slab")->group, &slabs);
	assert_ptr_equal(node_at("slab/3/kmem_cache")->group, &slabs);
	assert_ptr_equal(node_at("pid/3/task")->group, &pids);
	assert_true(node_at("slab/3/kmem_cache")->is_wide);
	assert_int_equal(node_at("slab/3/kmem_cache")->mode, S_IFREG | 0400);
	assert_true(walk("slab/3/json") != walk("pid/3/json"));
}

static void numbers_are_processes_below_pid_only(void **state)
{
	(void)state;
	assert_int_equal(walk("1"), 0);
	assert_int_equal(walk("json/1"), 0);
	assert_int_equal(walk("pid/1/1"), 0);
}

static void files_of_two_processes_have_numbers_of_their_own(void **state)
{
	(void)state;
	assert_true(walk("pid/1/task") != walk("pid/2/task"));
	assert_true(walk("pid/1/task") != walk("task"));
	assert_int_equal(kv_ino_index(walk("pid/1/task")), kv_ino_index(walk("pid/2/task")));
}

static void self_is_a_link(void **state)
{
	(void)state;
	assert_int_equal(node_at("pid/self")->type, KV_NODE_SELF);
	assert_int_equal(node_at("pid/self")->mode, S_IFLNK | 0777);
}

/* --- nodes --- */

static void files_know_their_view_and_format(void **state)
{
	(void)state;
	assert_int_equal(node_at("task")->type, KV_NODE_ROWS);
	assert_ptr_equal(node_at("task")->view, &list[2]);
	assert_ptr_equal(node_at("task")->format, &kv_format_text);
	assert_ptr_equal(node_at("json/task.json")->format, &kv_format_json);
	assert_ptr_equal(node_at("csv/task.csv")->format, &kv_format_csv);
	assert_ptr_equal(node_at("pid/1/csv/task_file.csv")->format, &kv_format_csv);
	assert_ptr_equal(node_at("pid/1/csv/task_file.csv")->view, &list[3]);
	assert_int_equal(node_at("schema/task")->type, KV_NODE_SCHEMA);
	assert_ptr_equal(node_at("schema/task")->view, &list[2]);
	assert_null(node_at("schema/task")->format);
}

static void kernel_wide_views_are_for_root(void **state)
{
	static const char *const paths[] = {"kmem_cache", "json/kmem_cache.json",
					    "csv/kmem_cache.csv"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		assert_int_equal(node_at(paths[i])->mode, S_IFREG | 0400);
		assert_true(node_at(paths[i])->is_wide);
	}
	assert_int_equal(node_at("schema/kmem_cache")->mode, S_IFREG | 0444);
	assert_false(node_at("schema/kmem_cache")->is_wide);
	assert_false(node_at("task")->is_wide);
	assert_false(node_at("pid/1/task")->is_wide);
	assert_false(node_at("json")->is_wide);
}

static void expect_wide_mode(mode_t mode)
{
	struct stat st;

	assert_int_equal(kv_tree_new(&tree, &views, groups, mode), 0);
	for (uint32_t i = KV_ROOT; i < tree.n; i++)
		if (tree.nodes[i].is_wide)
			assert_int_equal(tree.nodes[i].mode, S_IFREG | mode);
	kv_tree_attr(&tree, walk("json/kmem_cache.json"), &st);
	assert_int_equal(st.st_mode, S_IFREG | mode);
	assert_int_equal(node_at("status")->mode, S_IFREG | 0400);
	assert_int_equal(node_at("task")->mode, S_IFREG | 0444);
	assert_int_equal(node_at("pid/1/csv/task.csv")->mode, S_IFREG | 0444);
	assert_int_equal(node_at("schema/kmem_cache")->mode, S_IFREG | 0444);
	assert_int_equal(node_at("pid")->mode, S_IFDIR | 0555);
	kv_tree_free(&tree);
}

static void the_mode_of_kernel_wide_views_can_be_chosen(void **state)
{
	(void)state;
	expect_wide_mode(0440);
	expect_wide_mode(0444);
	expect_wide_mode(0);
	expect_wide_mode(0777);
}

static void the_status_is_for_root_and_of_no_view(void **state)
{
	const struct kv_node *node = node_at("status");

	(void)state;
	assert_int_equal(node->type, KV_NODE_STATUS);
	assert_int_equal(node->mode, S_IFREG | 0400);
	assert_false(node->is_wide);
	assert_null(node->view);
}

static void nothing_is_writable(void **state)
{
	(void)state;
	for (uint32_t i = KV_ROOT; i < tree.n; i++)
		if (!S_ISLNK(tree.nodes[i].mode))
			assert_int_equal(tree.nodes[i].mode & 0222, 0);
}

static void numbers_that_name_nothing_are_refused(void **state)
{
	(void)state;
	assert_null(kv_tree_node(&tree, 0));
	assert_null(kv_tree_node(&tree, tree.n));
	assert_null(kv_tree_node(&tree, 0xffff));
}

/* Every node with a key, and without: one of the two it is. */
static void keys_are_those_of_members_alone(void **state)
{
	(void)state;
	for (uint32_t i = KV_ROOT; i < tree.n; i++) {
		bool below = tree.nodes[i].is_of_member;

		assert_int_equal(kv_tree_node(&tree, i) == NULL, below);
		assert_int_equal(kv_tree_node(&tree, kv_ino(1, i)) != NULL, below);
	}
	assert_null(kv_tree_node(&tree, kv_ino(1, 0)));
	assert_null(kv_tree_node(&tree, kv_ino(1, tree.n)));
	assert_null(kv_tree_node(&tree, node_at("pid")->member));
	assert_null(kv_tree_node(&tree, kv_ino(1, kv_ino_index(walk("pid")))));
	assert_null(kv_tree_node(&tree, kv_ino(1, KV_ROOT)));
}

static void a_wrong_directory_has_no_names(void **state)
{
	(void)state;
	assert_int_equal(kv_tree_lookup(&tree, 0, "task"), 0);
	assert_int_equal(kv_tree_lookup(&tree, 0xffff, "task"), 0);
	assert_int_equal(kv_tree_lookup(&tree, node_at("pid")->member, "task"), 0);
}

/* --- walking all of it --- */

static unsigned int check_below(uint64_t dir)
{
	const struct kv_node *node = kv_tree_node(&tree, dir);
	unsigned int n = 0, dirs = 0;
	struct stat st;

	for (uint32_t i = kv_tree_child(&tree, dir, 0); i; i = kv_tree_child(&tree, dir, i + 1)) {
		uint64_t ino = kv_ino(kv_ino_key(dir), i);

		assert_int_equal(kv_tree_lookup(&tree, dir, tree.nodes[i].name), ino);
		assert_int_equal(kv_tree_parent(&tree, ino), dir);
		kv_tree_attr(&tree, ino, &st);
		assert_int_equal(st.st_ino, ino);
		assert_int_equal(st.st_mode, tree.nodes[i].mode);
		assert_int_equal(st.st_size, 0);
		if (S_ISDIR(st.st_mode))
			n += check_below(ino);
		else
			assert_int_equal(st.st_nlink, 1);
		dirs += S_ISDIR(st.st_mode);
		n++;
	}
	assert_true(S_ISDIR(node->mode));
	kv_tree_attr(&tree, dir, &st);
	assert_int_equal(st.st_nlink, 2 + dirs);
	return n;
}

static void listing_lookup_parent_and_attributes_agree(void **state)
{
	(void)state;
	assert_int_equal(check_below(KV_ROOT), 10 + 3 * 4 + 1);
	assert_int_equal(check_below(walk("pid/4194303")), 4 + 2 * 2);
}

static void the_root_is_its_own_parent(void **state)
{
	(void)state;
	assert_int_equal(kv_tree_parent(&tree, KV_ROOT), KV_ROOT);
	assert_int_equal(kv_tree_parent(&tree, walk("pid")), KV_ROOT);
	assert_int_equal(kv_tree_parent(&tree, walk("pid/7")), walk("pid"));
	assert_int_equal(kv_tree_parent(&tree, walk("pid/7/json")), walk("pid/7"));
	assert_int_equal(kv_tree_parent(&tree, 0xffff), KV_ROOT);
}

/* A reader of a directory comes back with the position it was given. */
static void a_listing_goes_on_where_it_stopped(void **state)
{
	uint32_t third;

	(void)state;
	third = kv_tree_child(&tree, KV_ROOT, 0);
	third = kv_tree_child(&tree, KV_ROOT, third + 1);
	third = kv_tree_child(&tree, KV_ROOT, third + 1);
	assert_string_equal(tree.nodes[third].name, "task_file");
	assert_int_equal(kv_tree_child(&tree, KV_ROOT, third), third);
	assert_int_equal(kv_tree_child(&tree, KV_ROOT, tree.n), 0);
	assert_int_equal(kv_tree_child(&tree, KV_ROOT, UINT32_MAX), 0);
}

static void numbers_are_the_same_in_another_worker(void **state)
{
	struct kv_tree other;

	(void)state;
	assert_int_equal(kv_tree_new(&other, &views, groups, 0400), 0);
	assert_int_equal(other.n, tree.n);
	for (uint32_t i = KV_ROOT; i < tree.n; i++) {
		assert_int_equal(other.nodes[i].parent, tree.nodes[i].parent);
		assert_true(!other.nodes[i].name == !tree.nodes[i].name);
		if (tree.nodes[i].name)
			assert_string_equal(other.nodes[i].name, tree.nodes[i].name);
	}
	kv_tree_free(&other);
}

/* --- other sets of views: a tree of their own --- */

static void with_tree(struct kv_view *some, size_t n, const char *root)
{
	const struct kv_views v = {.list = some, .n = n};

	assert_int_equal(kv_tree_new(&tree, &v, just_pids, 0400), 0);
	assert_names("", root);
}

static void without_views_there_are_empty_directories_and_the_status(void **state)
{
	(void)state;
	with_tree(NULL, 0, "json csv status schema");
	assert_names("json", "");
	assert_int_equal(walk("pid"), 0);
	kv_tree_free(&tree);
}

static void without_views_of_tasks_there_is_no_pid(void **state)
{
	(void)state;
	with_tree(list + 1, 1, "kmem_cache json csv status schema");
	assert_int_equal(walk("pid"), 0);
	kv_tree_free(&tree);
}

static void the_view_of_a_user_needs_no_word_here(void **state)
{
	struct kv_view mine = list[2];
	(void)state;
	mine.name = "mine";
	with_tree(&mine, 1, "mine json csv status schema pid");
	assert_names("pid/5", "mine json csv");
	kv_tree_free(&tree);
}

#define IN_TREE(f) cmocka_unit_test_setup_teardown(f, make_tree, free_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TREE(the_root_has_what_is_loaded_or_off),
		IN_TREE(formats_have_directories_with_suffixes),
		IN_TREE(every_view_that_is_loaded_or_off_has_a_schema),
		IN_TREE(processes_have_views_of_tasks_only),
		IN_TREE(pid_itself_lists_only_self),
		IN_TREE(views_that_are_not_loaded_are_absent),
		IN_TREE(names_are_taken_whole),
		IN_TREE(nothing_is_below_a_file_or_a_link),
		IN_TREE(members_are_directories_of_the_same_files),
		IN_TREE(groups_have_each_their_members),
		IN_TREE(numbers_are_processes_below_pid_only),
		IN_TREE(files_of_two_processes_have_numbers_of_their_own),
		IN_TREE(self_is_a_link),
		IN_TREE(files_know_their_view_and_format),
		IN_TREE(kernel_wide_views_are_for_root),
		IN_TREE(the_status_is_for_root_and_of_no_view),
		IN_TREE(nothing_is_writable),
		IN_TREE(numbers_that_name_nothing_are_refused),
		IN_TREE(keys_are_those_of_members_alone),
		IN_TREE(a_wrong_directory_has_no_names),
		IN_TREE(listing_lookup_parent_and_attributes_agree),
		IN_TREE(the_root_is_its_own_parent),
		IN_TREE(a_listing_goes_on_where_it_stopped),
		IN_TREE(numbers_are_the_same_in_another_worker),
		cmocka_unit_test(the_mode_of_kernel_wide_views_can_be_chosen),
		cmocka_unit_test(without_views_there_are_empty_directories_and_the_status),
		cmocka_unit_test(without_views_of_tasks_there_is_no_pid),
		cmocka_unit_test(the_view_of_a_user_needs_no_word_here),
	};

	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
