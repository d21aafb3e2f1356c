// SPDX-License-Identifier: GPL-2.0-only
/* Who reads, and what keeps the namespaces of that thread alive. */
#include "fake_identity.h"

static bool is_held(const struct kv_reader *reader, int which)
{
	return reader->holds[which] >= 0 && fcntl(reader->holds[which], F_GETFD) == FD_CLOEXEC;
}

static uint32_t inum_held(const struct kv_reader *reader, int which)
{
	struct stat st;

	assert_true(is_held(reader, which));
	assert_int_equal(fstat(reader->holds[which], &st), 0);
	return (uint32_t)st.st_ino;
}

/* --- the scope --- */

static void what_a_reader_is_becomes_its_scope(void **state)
{
	struct kv_reader reader;
	const struct kv_scope *s = &reader.scope;

	(void)state;
	who.caps = CAP(KILL);
	who.euid = 1001;
	who.pid_ns_level = 2;
	who.user_ns_level = 3;
	who.cgroup_level = 4;
	host.self.pid_ns_level = 1;
	reader = identified();
	assert_int_equal(fake.tid, gettid());
	assert_int_equal(reader.pid, 501);
	assert_int_equal(s->pid_ns, 0x10);
	assert_int_equal(s->user_ns, 0x20);
	assert_int_equal(s->cgroup, 0x31);
	assert_int_equal(s->caps, CAP(KILL));
	assert_int_equal(s->own_tgid, 501);
	assert_int_equal(s->own_start, 123);
	assert_int_equal(s->own_exec, 4);
	assert_int_equal(s->fsuid, 1000);
	assert_int_equal(s->fsgid, 2000);
	assert_int_equal(s->euid, 1001);
	assert_int_equal(s->pid_ns_level, 2);
	assert_int_equal(s->user_ns_level, 3);
	assert_int_equal(s->cgroup_level, 4);
	assert_int_equal(s->host_ns, 0x10);
	assert_int_equal(s->host_level, 1);
	assert_int_equal(s->overflow_uid, 65534);
	assert_int_equal(s->overflow_gid, 65533);
	assert_int_equal(s->target_start, 0);
	assert_int_equal(s->saw, 0);
	kv_reader_close(&reader);
}

/* Nothing of the map of readers: a thread is not registered by being identified. */
static void to_identify_registers_nobody(void **state)
{
	struct kv_reader reader;

	(void)state;
	reader = identified();
	kv_reader_close(&reader);
	assert_int_equal(fake.adds, 0);
	assert_int_equal(fake.opens, 1);
}

/* --- what is held --- */

static void of_our_own_namespaces_nothing_is_held(void **state)
{
	struct kv_reader reader;

	(void)state;
	reader = identified();
	for (int i = 0; i < KV_HOLDS; i++)
		assert_int_equal(reader.holds[i], -1);
	kv_reader_close(&reader);
}

static void other_namespaces_are_held_each_by_its_own(void **state)
{
	struct kv_reader reader;
	int before;

	(void)state;
	fake_one(&who, sizeof(who));
	before = open_fds();
	who.pid_ns = 0x11;
	reader = identified();
	assert_int_equal(inum_held(&reader, KV_HOLD_PID_NS), inum_of("pid"));
	assert_int_equal(reader.scope.pid_ns, 0x11);
	assert_int_equal(reader.scope.host_ns, 0x10);
	assert_int_equal(open_fds(), before + 1);
	kv_reader_close(&reader);
	who.pid_ns = 0x10;
	who.user_ns = 0x21;
	reader = identified();
	assert_int_equal(inum_held(&reader, KV_HOLD_USER_NS), inum_of("user"));
	assert_int_equal(reader.scope.user_ns, 0x21);
	assert_int_equal(open_fds(), before + 1);
	kv_reader_close(&reader);
	who.user_ns = 0x20;
	who.cgroup_ns = 0x32;
	reader = identified();
	assert_int_equal(inum_held(&reader, KV_HOLD_CGROUP_NS), inum_of("cgroup"));
	assert_int_equal(open_fds(), before + 1);
	kv_reader_close(&reader);
	assert_int_equal(open_fds(), before);
}

static void be_elsewhere_in_all(void)
{
	who.pid_ns = 0x11;
	who.user_ns = 0x21;
	who.cgroup_ns = 0x32;
	who.root_mnt = 0x42;
	who.root_is_top = 0;
}

static void all_that_is_held_goes_with_the_reader(void **state)
{
	struct kv_reader reader;
	int before;

	(void)state;
	fake_one(&who, sizeof(who));
	before = open_fds();
	be_elsewhere_in_all();
	reader = identified();
	for (int i = 0; i < KV_HOLDS; i++)
		assert_true(is_held(&reader, i) ==
			    (i != KV_HOLD_NET_NS)); /* for views of nets alone */
	assert_int_equal(open_fds(), before + KV_HOLDS - 1);
	kv_reader_close(&reader);
	assert_int_equal(open_fds(), before);
	for (int i = 0; i < KV_HOLDS; i++)
		assert_int_equal(reader.holds[i], -1);
	assert_int_equal(reader.scope.pid_ns, 0);
	assert_int_equal(reader.pid, 0);
	kv_reader_close(&reader);
}

static int refused(pid_t tid, uid_t uid, gid_t gid, const char *words)
{
	struct kv_reader reader;
	struct kv_err err;
	int before, rc;

	fake_one(&who, sizeof(who));
	before = open_fds();
	rc = identify_as(tid, uid, gid, &reader, &err);
	assert_int_equal(rc, -EACCES);
	assert_says(&err, "can't identify the reader, thread");
	assert_says(&err, words);
	assert_int_equal(open_fds(), before);
	return rc;
}

/* What was opened is of another thread by now: its address would not be kept alive. */
static void another_namespace_than_the_one_told_is_refused(void **state)
{
	uint32_t *const inums[] = {&who.pid_ns_inum, &who.user_ns_inum, &who.cgroup_ns_inum};

	(void)state;
	be_elsewhere_in_all();
	for (size_t i = 0; i < ARRAY_SIZE(inums); i++) {
		++*inums[i];
		refused(gettid(), 1000, 2000, strerror(ESTALE));
		--*inums[i];
	}
}

static void a_thread_that_has_nothing_to_hold_is_refused(void **state)
{
	(void)state;
	who.pid_ns = 0x11;
	refused(NO_TID, 1000, 2000, strerror(ENOENT));
	who.pid_ns = 0x10;
	who.root_mnt = 0x42;
	who.root_is_top = 0;
	refused(NO_TID, 1000, 2000, strerror(ENOENT));
}

/* --- whose root --- */

static void expect_root(bool elsewhere)
{
	struct kv_reader reader = identified();

	assert_int_equal(reader.scope.root_mnt, elsewhere ? who.root_mnt : 0);
	assert_int_equal(reader.scope.root_dentry, elsewhere ? who.root_dentry : 0);
	assert_int_equal(is_held(&reader, KV_HOLD_ROOT), elsewhere);
	kv_reader_close(&reader);
}

/* The kernel's own d_path() begins at the root of the thread that reads, which is ours. */
static void with_our_root_paths_are_the_kernels(void **state)
{
	(void)state;
	expect_root(false);
	who.root_is_top = host.self.root_is_top = 0; /* both in the same chroot */
	expect_root(false);
}

static void roots_without_a_name_above_are_the_same(void **state)
{
	(void)state;
	who.root_mnt = 0x42;
	who.root_dentry = 0x43;
	expect_root(false);
}

static void another_root_is_where_paths_begin(void **state)
{
	(void)state;
	who.root_is_top = 0;
	who.root_dentry = 0x43; /* chroot within one mount */
	expect_root(true);
	who.root_dentry = 0x41;
	who.root_mnt = 0x42;
	expect_root(true);
	host.self.root_is_top = 0; /* two different chroots */
	expect_root(true);
	who.root_is_top = 1; /* we are in one, the reader is not */
	expect_root(true);
}

/* --- who is not served --- */

static void a_thread_outside_our_pid_namespace_is_refused(void **state)
{
	(void)state;
	refused(0, 1000, 2000, "outside of kview's pid namespace");
	refused(-1, 1000, 2000, "outside of kview's pid namespace");
	assert_int_equal(fake.links, 0);
	assert_int_equal(fake.opens, 0);
}

static void who_acts_with_other_ids_is_refused(void **state)
{
	(void)state;
	refused(gettid(), 0, 2000, "other ids");
	refused(gettid(), 1001, 2000, "other ids");
	refused(gettid(), 1000, 0, "other ids");
	refused(gettid(), 1000, 1000, "other ids");
	refused(gettid(), (uid_t)-1, (gid_t)-1, "other ids");
	be_elsewhere_in_all();
	refused(gettid(), 1001, 2000, "other ids");
}

static void a_thread_that_the_kernel_does_not_tell_of_is_refused(void **state)
{
	struct kv_reader reader;
	struct kv_err err = {0};

	(void)state;
	fake_one(&who, sizeof(who) - 1);
	assert_int_equal(kv_reader_identify(&host, gettid(), 1000, 2000, &reader, &err), -EACCES);
	fake_one("", 0);
	assert_int_equal(kv_reader_identify(&host, gettid(), 1000, 2000, &reader, &err), -EACCES);
	assert_says(&err, strerror(ESRCH));
}

/* The reader may try again: that is no EACCES. */
static void what_we_are_short_of_is_said_as_it_is(void **state)
{
	static const int shortages[] = {-EMFILE, -ENFILE, -ENOMEM};
	struct kv_reader reader;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shortages); i++) {
		struct kv_err err = {0};

		fake.link_fail = shortages[i];
		assert_int_equal(kv_reader_identify(&host, gettid(), 1000, 2000, &reader, &err),
				 shortages[i]);
		assert_says(&err, strerror(-shortages[i]));
	}
}

/* --- oneself --- */

static void oneself_is_a_reader_like_others(void **state)
{
	struct kv_reader reader;
	struct kv_err err = {0};

	(void)state;
	fake_one(&who, sizeof(who));
	assert_int_equal(kv_reader_self(&host, &reader, &err), 0);
	assert_int_equal(fake.tid, gettid());
	assert_int_equal(reader.pid, 501);
	assert_int_equal(reader.scope.passes, 1 << KV_PUBLIC);
	kv_reader_close(&reader);
	fake.link_fail = -EMFILE;
	assert_int_equal(kv_reader_self(&host, &reader, &err), -EMFILE);
	assert_says(&err, strerror(EMFILE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_IDENTITY(what_a_reader_is_becomes_its_scope),
		WITH_IDENTITY(to_identify_registers_nobody),
		WITH_IDENTITY(of_our_own_namespaces_nothing_is_held),
		WITH_IDENTITY(other_namespaces_are_held_each_by_its_own),
		WITH_IDENTITY(all_that_is_held_goes_with_the_reader),
		WITH_IDENTITY(another_namespace_than_the_one_told_is_refused),
		WITH_IDENTITY(a_thread_that_has_nothing_to_hold_is_refused),
		WITH_IDENTITY(with_our_root_paths_are_the_kernels),
		WITH_IDENTITY(roots_without_a_name_above_are_the_same),
		WITH_IDENTITY(another_root_is_where_paths_begin),
		WITH_IDENTITY(a_thread_outside_our_pid_namespace_is_refused),
		WITH_IDENTITY(who_acts_with_other_ids_is_refused),
		WITH_IDENTITY(a_thread_that_the_kernel_does_not_tell_of_is_refused),
		WITH_IDENTITY(what_we_are_short_of_is_said_as_it_is),
		WITH_IDENTITY(oneself_is_a_reader_like_others),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
