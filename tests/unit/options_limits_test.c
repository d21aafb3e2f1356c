// SPDX-License-Identifier: GPL-2.0-only
/* The words behind -o that limit how many files may be open. */
#include "mount_words.h"

static void limits_are_decimal_numbers(void **state)
{
	(void)state;
	assert_int_equal(taken("max_files=1").max_files, 1);
	assert_int_equal(taken("max_files=65536").max_files, 65536);
	assert_int_equal(taken("max_files=0010").max_files, 10);
	assert_int_equal(taken("max_files=5,max_files=6").max_files, 6);
	assert_int_equal(taken("max_user_files=1").max_user_files, 1);
	assert_int_equal(taken("max_user_files=65536").max_user_files, 65536);
	assert_int_equal(taken("max_user_files=0010").max_user_files, 10);
	assert_int_equal(taken("max_user_files=5,max_user_files=6").max_user_files, 6);
}

static void one_limit_leaves_the_other(void **state)
{
	(void)state;
	assert_int_equal(taken("max_files=5").max_user_files, 0);
	assert_int_equal(taken("max_user_files=5").max_files, 0);
}

static void other_limits_are_refused(void **state)
{
	static const char *const values[] = {
		"",
		"0",
		"00",
		"-1",
		"65537",
		"4294967296",
		"18446744073709551617",
		"-65",
		"+1",
		" 1",
		"1 ",
		"1x",
		"0x10",
		"1.5",
		"1k",
		"no",
		"1e",
		"=1",
		"1=",
		"99999999999999999999",
	};
	char words[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		snprintf(words, sizeof(words), "max_files=%s", values[i]);
		refuse(words, words, "max_files=N");
		refuse(words, "bad value", "1 to 65536");
		snprintf(words, sizeof(words), "max_user_files=%s", values[i]);
		refuse(words, words, "max_user_files=N");
		refuse(words, "bad value", "1 to 65536");
	}
}

static void limits_of_one_user_below_that_of_all_are_good(void **state)
{
	static const char *const words[] = {
		"",
		"max_files=1",
		"max_files=65536",
		"max_user_files=4095",
		"max_files=2,max_user_files=1",
		"max_user_files=1,max_files=2",
		"max_files=65536,max_user_files=65535",
		"view=host,max_files=200,max_user_files=199",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct kv_mount_opts opts = taken(words[i]);
		struct kv_err err = {0};

		assert_int_equal(kv_mount_options_check(&opts, &err), 0);
		assert_string_equal(err.msg, "");
	}
}

/* What is kept for the one who mounts would be all there is. */
static void one_user_may_not_have_all(void **state)
{
	static const char *const words[] = {
		"max_user_files=4096",
		"max_user_files=65536",
		"max_files=1,max_user_files=1",
		"max_files=100,max_user_files=100",
		"max_user_files=101,max_files=100",
		"max_files=65536,max_user_files=65536",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct kv_mount_opts opts = taken(words[i]);
		struct kv_err err = {0};
		char want[64];

		assert_int_equal(kv_mount_options_check(&opts, &err), -EINVAL);
		snprintf(want, sizeof(want), "max_user_files=%u ", opts.max_user_files);
		assert_says(&err, want);
		snprintf(want, sizeof(want), "max_files=%u",
			 opts.max_files ? opts.max_files : KV_MAX_FILES);
		assert_says(&err, want);
		assert_hints(&err, "kept for the one who mounts");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_decimal_numbers),
		cmocka_unit_test(one_limit_leaves_the_other),
		cmocka_unit_test(other_limits_are_refused),
		cmocka_unit_test(limits_of_one_user_below_that_of_all_are_good),
		cmocka_unit_test(one_user_may_not_have_all),
	};

	return cmocka_run_group_tests_name("limits in mount options", tests, NULL, NULL);
}
