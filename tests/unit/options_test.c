// SPDX-License-Identifier: GPL-2.0-only
/* The words behind -o. */
#include "fuse/serve.h"
#include "unit.h"

static int parse(const char *words, struct kv_mount_opts *opts, struct kv_err *err)
{
	static char copy[1024]; /* outlives @opts, as promised to the parser */

	snprintf(copy, sizeof(copy), "%s", words);
	*opts = (struct kv_mount_opts){.pin_dir = "default"};
	*err = (struct kv_err){0};
	return kv_mount_options(copy, opts, err);
}

static void accept(const char *words)
{
	struct kv_mount_opts opts;
	struct kv_err err;

	assert_int_equal(parse(words, &opts, &err), 0);
	assert_string_equal(opts.pin_dir, "default");
	assert_null(opts.iter_dir);
	assert_string_equal(err.msg, "");
}

static void refuse(const char *words, const char *message, const char *hint)
{
	struct kv_mount_opts opts;
	struct kv_err err;

	assert_int_equal(parse(words, &opts, &err), -EINVAL);
	assert_says(&err, message);
	assert_hints(&err, hint);
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
	(void)state;
	refuse("fast", "unknown mount option 'fast'", "pin_dir=DIR");
	refuse("ro,fast=1,nodev", "unknown mount option 'fast=1'", "pin_dir=DIR");
	refuse("RO", "unknown mount option 'RO'", "pin_dir=DIR");
	refuse("defaultsx", "unknown mount option 'defaultsx'", "pin_dir=DIR");
	refuse("x", "unknown mount option 'x'", "pin_dir=DIR");
	refuse("pin_dirs=/a", "unknown mount option 'pin_dirs=/a'", "pin_dir=DIR");
}

static void a_directory_without_a_name_is_refused(void **state)
{
	(void)state;
	refuse("pin_dir=", "'pin_dir='", "pin_dir=DIR");
	refuse("iter_dir", "'iter_dir'", "iter_dir=DIR");
}

/* Served to root alone: to promise more would be a lie. */
static void others_are_not_let_in_yet(void **state)
{
	(void)state;
	refuse("allow_other", "'allow_other' is not supported", "root");
	refuse("defaults,allow_root", "'allow_root' is not supported", "root");
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
		cmocka_unit_test(others_are_not_let_in_yet),
		cmocka_unit_test(words_behind_an_error_are_not_read),
	};

	return cmocka_run_group_tests_name("mount options", tests, NULL, NULL);
}
