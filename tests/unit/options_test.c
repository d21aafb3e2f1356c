// SPDX-License-Identifier: GPL-2.0-only
/* The words behind -o. */
#include <grp.h>
#include <pwd.h>

#include "mount_words.h"

static void accept(const char *words)
{
	struct kv_mount_opts opts;
	struct kv_err err;

	assert_int_equal(parse(words, &opts, &err), 0);
	assert_string_equal(opts.pin_dir, "default");
	assert_null(opts.iter_dir);
	assert_false(opts.allow_other);
	assert_false(opts.policy.host_view);
	assert_int_equal(opts.policy.hidepid, KV_HIDEPID_OFF);
	assert_int_equal(opts.policy.hidepid_gid, 0);
	assert_int_equal(opts.policy.wide_uid, 0);
	assert_int_equal(opts.policy.wide_gid, 0);
	assert_int_equal(opts.policy.wide_mode, 0400);
	assert_int_equal(opts.max_files, 0);
	assert_int_equal(opts.max_user_files, 0);
	assert_string_equal(err.msg, "");
}

static void no_words_change_nothing(void **state)
{
	(void)state;
	accept("");
	accept(",");
	accept(",,,");
}

static void words_of_fstab_are_ignored(void **state)
{
	(void)state;
	accept("defaults");
	accept("rw,suid,dev,exec,auto,nouser,async");
	accept("ro,nosuid,nodev,noexec,noauto,nofail,_netdev,user,users");
	accept("noatime,relatime,nodiratime");
	accept("x-systemd.automount,x-systemd.requires=a.service,X-mount.mkdir");
	accept("comment=what you like");
}

static void directories_are_taken(void **state)
{
	struct kv_mount_opts opts;
	struct kv_err err;

	(void)state;
	assert_int_equal(parse("ro,pin_dir=/a/b,iter_dir=c d,nodev", &opts, &err), 0);
	assert_string_equal(opts.pin_dir, "/a/b");
	assert_string_equal(opts.iter_dir, "c d");
}

static void a_value_may_hold_an_equals_sign(void **state)
{
	struct kv_mount_opts opts;
	struct kv_err err;

	(void)state;
	assert_int_equal(parse("pin_dir=/a=b", &opts, &err), 0);
	assert_string_equal(opts.pin_dir, "/a=b");
}

static void the_last_of_two_counts(void **state)
{
	struct kv_mount_opts opts;
	struct kv_err err;

	(void)state;
	assert_int_equal(parse("pin_dir=/a,pin_dir=/b", &opts, &err), 0);
	assert_string_equal(opts.pin_dir, "/b");
}

static void an_unknown_word_is_named(void **state)
{
	static const char *const own[] = {
		"allow_other", "view=",	    "hidepid=", "uid=",	      "gid=",		"mode=",
		"pin_dir=",    "iter_dir=", "collect=", "max_files=", "max_user_files="};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		refuse("fast", "unknown mount option 'fast'", own[i]);
	refuse("ro,fast=1,nodev", "unknown mount option 'fast=1'", "kview\'s own");
	refuse("RO", "unknown mount option 'RO'", "kview\'s own");
	refuse("defaultsx", "unknown mount option 'defaultsx'", "kview\'s own");
	refuse("x", "unknown mount option 'x'", "kview\'s own");
	refuse("pin_dirs=/a", "unknown mount option 'pin_dirs=/a'", "kview\'s own");
}

static void a_directory_without_a_name_is_refused(void **state)
{
	(void)state;
	refuse("pin_dir=", "'pin_dir='", "pin_dir=DIR");
	refuse("iter_dir=", "'iter_dir='", "iter_dir=DIR");
	refuse("collect=", "'collect='", "collect=VIEW+VIEW");
}

static void a_key_without_a_value_is_unknown(void **state)
{
	static const char *const keys[] = {"pin_dir", "iter_dir",  "view",
					   "hidepid", "uid",	   "gid",
					   "mode",    "max_files", "max_user_files"};
	char words[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(words, sizeof(words), "unknown mount option '%s'", keys[i]);
		refuse(keys[i], words, "kview's own");
	}
	refuse("allow_other=1", "unknown mount option 'allow_other=1'", "allow_other");
}

/* --- who may look, and at what --- */

static void others_are_let_in(void **state)
{
	(void)state;
	assert_true(taken("allow_other").allow_other);
	assert_true(taken("ro,allow_other,nodev").allow_other);
	refuse("allow_root", "unknown mount option 'allow_root'", "allow_other");
}

static void the_view_is_the_readers_or_the_hosts(void **state)
{
	(void)state;
	assert_false(taken("view=reader").policy.host_view);
	assert_true(taken("view=host").policy.host_view);
	assert_false(taken("view=host,view=reader").policy.host_view);
}

static void a_view_of_somebody_else_is_refused(void **state)
{
	static const char *const words[] = {"view=",	  "view=root", "view=HOST",
					    "view=hosts", "view=1",    "view=host=1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		refuse(words[i], words[i], "view=reader");
		refuse(words[i], "bad value", "view=host");
	}
}

static void hidepid_has_numbers_and_names(void **state)
{
	static const struct {
		const char *words;
		enum kv_hidepid want;
	} t[] = {
		{"hidepid=0", KV_HIDEPID_OFF},
		{"hidepid=off", KV_HIDEPID_OFF},
		{"hidepid=1", KV_HIDEPID_NO_ACCESS},
		{"hidepid=noaccess", KV_HIDEPID_NO_ACCESS},
		{"hidepid=2", KV_HIDEPID_INVISIBLE},
		{"hidepid=invisible", KV_HIDEPID_INVISIBLE},
		{"hidepid=2,hidepid=0", KV_HIDEPID_OFF},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(taken(t[i].words).policy.hidepid, t[i].want);
}

/* /proc has 4 as well, which only kinds of hiding that kview can't do are called. */
static void other_kinds_of_hiding_are_refused(void **state)
{
	static const char *const words[] = {"hidepid=",	    "hidepid=3",   "hidepid=4",
					    "hidepid=-1",   "hidepid=01",  "hidepid=ptraceable",
					    "hidepid= 1",   "hidepid=1 ",  "hidepid=Off",
					    "hidepid=true", "hidepid=offx"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		refuse(words[i], words[i], "hidepid=0, 1 or 2");
}

/* --- owner, group and mode --- */

static void owner_and_group_are_taken_by_number(void **state)
{
	struct kv_mount_opts opts = taken("uid=1000,gid=2000");

	(void)state;
	assert_int_equal(opts.policy.wide_uid, 1000);
	assert_int_equal(opts.policy.wide_gid, 2000);
	assert_int_equal(taken("uid=0").policy.wide_uid, 0);
	assert_int_equal(taken("uid=4294967294").policy.wide_uid, 4294967294U);
	assert_int_equal(taken("gid=4294967294").policy.wide_gid, 4294967294U);
	assert_int_equal(taken("gid=0010").policy.wide_gid, 10); /* decimal */
}

static void owner_and_group_are_taken_by_name(void **state)
{
	const struct passwd *user;
	const struct group *group;
	char words[512];

	(void)state;
	do
		user = getpwent();
	while (user && !user->pw_uid);
	do
		group = getgrent();
	while (group && !group->gr_gid);
	assert_non_null(user);
	assert_non_null(group);
	snprintf(words, sizeof(words), "uid=%s,gid=%s", user->pw_name, group->gr_name);
	assert_int_equal(taken(words).policy.wide_uid, user->pw_uid);
	snprintf(words, sizeof(words), "gid=%s", group->gr_name);
	assert_int_equal(taken(words).policy.wide_gid, group->gr_gid);
	assert_int_equal(taken("uid=root").policy.wide_uid, 0);
	endpwent();
	endgrent();
}

static void nobodys_owner_and_group_are_refused(void **state)
{
	static const char *const values[] = {
		"",   "-1", "4294967295", "4294967296",		  "1x",	  " 1",
		"1 ", "+1", "no such id", "18446744073709551616", "0x10",
	};
	char words[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		snprintf(words, sizeof(words), "uid=%s", values[i]);
		refuse(words, words, "the name of a user");
		snprintf(words, sizeof(words), "gid=%s", values[i]);
		refuse(words, words, "the name of a group");
	}
}

/* As in /proc, whose gid= is this and nothing else. */
static void the_group_is_also_exempt_from_hidepid(void **state)
{
	(void)state;
	assert_int_equal(taken("gid=2000").policy.hidepid_gid, 2000);
	assert_int_equal(taken("gid=2000,hidepid=2").policy.hidepid_gid, 2000);
	assert_int_equal(taken("hidepid=2,gid=1,gid=2000").policy.hidepid_gid, 2000);
	assert_int_equal(taken("uid=1000").policy.hidepid_gid, 0);
}

static void modes_are_octal_permissions(void **state)
{
	(void)state;
	assert_int_equal(taken("mode=0440").policy.wide_mode, 0440);
	assert_int_equal(taken("mode=440").policy.wide_mode, 0440);
	assert_int_equal(taken("mode=0").policy.wide_mode, 0);
	assert_int_equal(taken("mode=777").policy.wide_mode, 0777);
	assert_int_equal(taken("mode=0000000440").policy.wide_mode, 0440);
}

static void other_modes_are_refused(void **state)
{
	static const char *const words[] = {"mode=",
					    "mode=8",
					    "mode=1000",
					    "mode=4755",
					    "mode=-1",
					    "mode=0x1ff",
					    "mode=u=r",
					    "mode=440 ",
					    "mode= 440",
					    "mode=100440",
					    "mode=7777777777777777777777777"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		refuse(words[i], words[i], "mode=0440");
}

/* --- together --- */

static void all_go_together(void **state)
{
	struct kv_mount_opts opts = taken("ro,allow_other,view=reader,hidepid=1,uid=5,gid=6,"
					  "mode=0640,pin_dir=/a,iter_dir=/b,max_files=70,"
					  "max_user_files=30");
	struct kv_err err = {0};

	(void)state;
	assert_true(opts.allow_other);
	assert_false(opts.policy.host_view);
	assert_int_equal(opts.policy.hidepid, KV_HIDEPID_NO_ACCESS);
	assert_int_equal(opts.policy.wide_uid, 5);
	assert_int_equal(opts.policy.wide_gid, 6);
	assert_int_equal(opts.policy.wide_mode, 0640);
	assert_string_equal(opts.pin_dir, "/a");
	assert_string_equal(opts.iter_dir, "/b");
	assert_int_equal(opts.max_files, 70);
	assert_int_equal(opts.max_user_files, 30);
	assert_int_equal(kv_mount_options_check(&opts, &err), 0);
}

static void views_that_fit_their_hiding_are_good(void **state)
{
	static const char *const words[] = {"",
					    "view=host",
					    "view=reader",
					    "hidepid=2",
					    "view=reader,hidepid=1",
					    "view=host,hidepid=0",
					    "view=host,gid=5",
					    "hidepid=2,view=host,hidepid=off"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct kv_mount_opts opts = taken(words[i]);
		struct kv_err err = {0};

		assert_int_equal(kv_mount_options_check(&opts, &err), 0);
		assert_string_equal(err.msg, "");
	}
}

static void the_hosts_view_and_hiding_contradict_each_other(void **state)
{
	static const char *const words[] = {"view=host,hidepid=1", "hidepid=2,view=host",
					    "hidepid=invisible,gid=5,view=host"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct kv_mount_opts opts = taken(words[i]);
		struct kv_err err = {0};

		assert_int_equal(kv_mount_options_check(&opts, &err), -EINVAL);
		assert_says(&err, "view=host");
		assert_says(&err, "hidepid=");
		assert_hints(&err, "view=host");
	}
}

static void words_behind_an_error_are_not_read(void **state)
{
	struct kv_mount_opts opts;
	struct kv_err err;

	(void)state;
	assert_int_equal(parse("fast,slow", &opts, &err), -EINVAL);
	assert_says(&err, "'fast'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_words_change_nothing),
		cmocka_unit_test(words_of_fstab_are_ignored),
		cmocka_unit_test(directories_are_taken),
		cmocka_unit_test(a_value_may_hold_an_equals_sign),
		cmocka_unit_test(the_last_of_two_counts),
		cmocka_unit_test(an_unknown_word_is_named),
		cmocka_unit_test(a_directory_without_a_name_is_refused),
		cmocka_unit_test(a_key_without_a_value_is_unknown),
		cmocka_unit_test(others_are_let_in),
		cmocka_unit_test(the_view_is_the_readers_or_the_hosts),
		cmocka_unit_test(a_view_of_somebody_else_is_refused),
		cmocka_unit_test(hidepid_has_numbers_and_names),
		cmocka_unit_test(other_kinds_of_hiding_are_refused),
		cmocka_unit_test(owner_and_group_are_taken_by_number),
		cmocka_unit_test(owner_and_group_are_taken_by_name),
		cmocka_unit_test(nobodys_owner_and_group_are_refused),
		cmocka_unit_test(the_group_is_also_exempt_from_hidepid),
		cmocka_unit_test(modes_are_octal_permissions),
		cmocka_unit_test(other_modes_are_refused),
		cmocka_unit_test(all_go_together),
		cmocka_unit_test(views_that_fit_their_hiding_are_good),
		cmocka_unit_test(the_hosts_view_and_hiding_contradict_each_other),
		cmocka_unit_test(words_behind_an_error_are_not_read),
	};

	return cmocka_run_group_tests_name("mount options", tests, NULL, NULL);
}
