// SPDX-License-Identifier: GPL-2.0-only
/* What a reader may see whatever the task, and whom hidepid concerns. */
#include "fake_identity.h"

#define PUBLIC (1 << KV_PUBLIC)
#define PTRACE (1 << KV_PTRACE)
#define FILES (1 << KV_FILES)
#define MAPS (1 << KV_MAPS)
#define WHOLE (1 << KV_WHOLE)
#define OF_TASKS (KV_ALL_GUARDS & ~(1 << KV_STACK | WHOLE))

static uint8_t passes_with(uint64_t caps)
{
	struct kv_reader reader;
	uint8_t passes;

	who.caps = caps;
	reader = identified();
	passes = reader.scope.passes;
	kv_reader_close(&reader);
	return passes;
}

/* --- capabilities --- */

static const struct {
	uint64_t caps;
	int passes, before_6_15;
} rights[] = {
	{0, PUBLIC, PUBLIC},
	{CAP(DAC_READ_SEARCH) | CAP(DAC_OVERRIDE), PUBLIC, PUBLIC},
	{CAP(SYS_PTRACE), PUBLIC | PTRACE | MAPS, PUBLIC | PTRACE | MAPS},
	{CAP(SYS_PTRACE) | CAP(DAC_READ_SEARCH), OF_TASKS, OF_TASKS},
	{CAP(SYS_PTRACE) | CAP(DAC_OVERRIDE), OF_TASKS, OF_TASKS},
	{CAP(SYS_PTRACE) | CAP(DAC_OVERRIDE) | CAP(SYS_ADMIN), KV_ALL_GUARDS, KV_ALL_GUARDS},
	{CAP(SYS_PTRACE) | CAP(SYS_ADMIN), PUBLIC | PTRACE | MAPS, PUBLIC | PTRACE | MAPS},
	{CAP(PERFMON), PUBLIC | MAPS, PUBLIC},
	{CAP(SYS_ADMIN), PUBLIC | MAPS, PUBLIC},
	{CAP(PERFMON) | CAP(DAC_OVERRIDE), PUBLIC | MAPS, PUBLIC},
	{~(CAP(SYS_PTRACE) | CAP(PERFMON) | CAP(SYS_ADMIN)), PUBLIC, PUBLIC},
	{~CAP(SYS_PTRACE), PUBLIC | MAPS | WHOLE, PUBLIC | WHOLE},
	{UINT64_MAX, KV_ALL_GUARDS, KV_ALL_GUARDS},
};

static void capabilities_pass_what_they_pass_in_proc(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rights); i++) {
		host.perfmon_reads_maps = true;
		assert_int_equal(passes_with(rights[i].caps), rights[i].passes);
		host.perfmon_reads_maps = false;
		assert_int_equal(passes_with(rights[i].caps), rights[i].before_6_15);
	}
}

/* Each alone: none but these passes anything. */
static void no_other_capability_passes_anything(void **state)
{
	(void)state;
	host.perfmon_reads_maps = true;
	for (unsigned int cap = 0; cap < 64; cap++) {
		if (cap == CAP_SYS_PTRACE || cap == CAP_PERFMON || cap == CAP_SYS_ADMIN)
			continue;
		assert_int_equal(passes_with(UINT64_C(1) << cap), PUBLIC);
	}
}

/* There a capability reaches only over what is below: a question for each task. */
static void in_a_nested_user_namespace_capabilities_pass_nothing(void **state)
{
	(void)state;
	host.perfmon_reads_maps = true;
	who.user_ns = 0x21;
	for (uint32_t level = 1; level < 34; level++) {
		who.user_ns_level = level;
		for (size_t i = 0; i < ARRAY_SIZE(rights); i++)
			assert_int_equal(passes_with(rights[i].caps), PUBLIC);
	}
}

static void to_be_root_without_capabilities_passes_nothing(void **state)
{
	(void)state;
	who.fsuid = who.fsgid = who.euid = 0;
	assert_int_equal(passes_with(0), PUBLIC);
}

/* --- the files of kernel-wide views --- */

static bool has_whole(uint32_t uid, uint32_t gid, const char *groups, uint64_t caps)
{
	uint8_t bits;

	who.fsuid = who.euid = uid;
	who.fsgid = gid;
	status = groups;
	bits = passes_with(caps);
	status = NULL;
	return bits & WHOLE;
}

static void by_default_root_has_the_whole(void **state)
{
	(void)state;
	assert_true(has_whole(0, 0, NULL, UINT64_MAX));
	assert_true(has_whole(0, 0, NULL, CAP(SYS_ADMIN)));
	assert_false(has_whole(0, 0, NULL, ~CAP(SYS_ADMIN)));
	assert_false(has_whole(1000, 0, "Name:\tx\nGroups:\t0 \n", CAP(SYS_ADMIN)));
	assert_true(has_whole(1000, 1000, NULL, CAP(SYS_ADMIN) | CAP(DAC_READ_SEARCH)));
}

/* The first class of the mode that a reader is in decides, as for any file. */
static void the_operator_may_give_the_whole(void **state)
{
	(void)state;
	host.policy.wide_gid = 7;
	host.policy.wide_mode = 0440;
	assert_true(has_whole(0, 0, NULL, 0));
	assert_true(has_whole(1000, 7, NULL, 0));
	assert_true(has_whole(1000, 1, "Name:\tx\nGroups:\t1 7 \n", 0));
	assert_false(has_whole(1000, 1, "Name:\tx\nGroups:\t1 70 \n", 0));
	host.policy.wide_uid = 1000;
	host.policy.wide_mode = 0044;
	assert_false(has_whole(1000, 7, NULL, 0));
	assert_true(has_whole(1001, 7, NULL, 0));
	assert_true(has_whole(1001, 1, "Name:\tx\nGroups:\t1 \n", 0));
	host.policy.wide_mode = 0040;
	assert_false(has_whole(1001, 1, "Name:\tx\nGroups:\t1 \n", 0));
	assert_true(has_whole(1001, 1, "Name:\tx\nGroups:\t1 \n", CAP(DAC_OVERRIDE)));
	who.user_ns_level = 1;
	assert_false(has_whole(1001, 1, "Name:\tx\nGroups:\t1 \n", UINT64_MAX));
}

/* --- hidepid --- */

static uint8_t hidepid_for(const char *text)
{
	struct kv_reader reader;
	uint8_t hidepid;

	status = text;
	reader = identified();
	status = NULL;
	hidepid = reader.scope.hidepid;
	kv_reader_close(&reader);
	return hidepid;
}

static void without_hidepid_nobody_is_asked_for_groups(void **state)
{
	(void)state;
	host.policy.hidepid_gid = 7;
	assert_int_equal(hidepid_for("Name:\tx\nGroups:\t1 \n"), KV_HIDEPID_OFF);
	assert_int_equal(status_reads, 0);
}

static void hidepid_concerns_who_is_not_in_its_group(void **state)
{
	static const char *const texts[] = {
		"Name:\tx\nGroups:\t \nNStgid:\t7\n",
		"Name:\tx\nGroups:\t1 2 3 \nNStgid:\t7\n",
		"Name:\tx\nGroups:\t70 77 17 \n",
		"Name:\tx\nGroups:\t4294967295 \nUid:\t7 7 7 7\n",
		"Name:\tx\nUid:\t7\n",
		"Name:\tGroups: 7\nGroups:\t1 \n",
		"Name:\tx\nGroups:",
		"",
	};

	(void)state;
	host.policy.hidepid_gid = 7;
	for (int kind = KV_HIDEPID_NO_ACCESS; kind <= KV_HIDEPID_INVISIBLE; kind++) {
		host.policy.hidepid = (enum kv_hidepid)kind;
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
			if (hidepid_for(texts[i]) != kind)
				fail_msg("exempt by '%s'", texts[i]);
	}
}

static void members_of_the_group_are_exempt(void **state)
{
	static const char *const texts[] = {
		"Name:\tx\nGroups:\t7 \nNStgid:\t1\n",
		"Name:\tx\nGroups:\t7\n",
		"Name:\tx\nGroups:\t1 2 7 \n",
		"Name:\tx\nGroups:\t7 8 9 \n",
		"Name:\tx\nGroups:\t1 7 9",
	};

	(void)state;
	host.policy.hidepid = KV_HIDEPID_INVISIBLE;
	host.policy.hidepid_gid = 7;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (hidepid_for(texts[i]) != KV_HIDEPID_OFF)
			fail_msg("not exempt by '%s'", texts[i]);
}

static void the_group_one_acts_with_counts(void **state)
{
	(void)state;
	host.policy.hidepid = KV_HIDEPID_INVISIBLE;
	host.policy.hidepid_gid = 2000;
	assert_int_equal(hidepid_for("Name:\tx\nGroups:\t \n"), KV_HIDEPID_OFF);
	host.policy.hidepid_gid = 0;
	assert_int_equal(hidepid_for("Name:\tx\nGroups:\t \n"), KV_HIDEPID_INVISIBLE);
	who.fsgid = 0;
	assert_int_equal(hidepid_for("Name:\tx\nGroups:\t \n"), KV_HIDEPID_OFF);
}

static void the_largest_group_is_read_whole(void **state)
{
	(void)state;
	host.policy.hidepid = KV_HIDEPID_NO_ACCESS;
	host.policy.hidepid_gid = 4294967294U;
	assert_int_equal(hidepid_for("Name:\tx\nGroups:\t1 4294967294 \n"), KV_HIDEPID_OFF);
	assert_int_equal(hidepid_for("Name:\tx\nGroups:\t1 429496729 4294967293 \n"),
			 KV_HIDEPID_NO_ACCESS);
}

/* Not to know is not to be exempt. */
static void a_thread_whose_groups_cannot_be_read_is_concerned(void **state)
{
	struct kv_reader reader;
	struct kv_err err;

	(void)state;
	host.policy.hidepid = KV_HIDEPID_INVISIBLE;
	host.policy.hidepid_gid = 7;
	assert_int_equal(identify_as(NO_TID, 1000, 2000, &reader, &err), 0);
	assert_int_equal(reader.scope.hidepid, KV_HIDEPID_INVISIBLE);
	kv_reader_close(&reader);
}

/* --- view=host --- */

static void see_as_host(pid_t tid, uid_t uid, struct kv_reader *reader)
{
	struct kv_err err = {0};

	host.policy.host_view = true;
	assert_int_equal(kv_reader_identify(&host, tid, uid, uid, reader, &err), 0);
	assert_string_equal(err.msg, "");
}

static void everyone_sees_what_the_host_does(void **state)
{
	static const pid_t tids[] = {0, -1, 1, NO_TID};
	struct kv_reader reader;

	(void)state;
	host.self.user_ns_level = 1; /* even where capabilities are not the kernel's */
	for (size_t i = 0; i < ARRAY_SIZE(tids); i++) {
		see_as_host(tids[i], 12345, &reader);
		assert_int_equal(reader.scope.passes, KV_ALL_GUARDS & ~WHOLE);
		assert_int_equal(reader.scope.pid_ns, 0x10);
		assert_int_equal(reader.scope.user_ns, 0x20);
		assert_int_equal(reader.scope.cgroup, 0x31);
		assert_int_equal(reader.scope.root_mnt, 0);
		for (int h = 0; h < KV_HOLDS; h++)
			assert_int_equal(reader.holds[h], -1);
		kv_reader_close(&reader);
	}
}

static void the_mode_of_files_holds_in_any_view(void **state)
{
	struct kv_reader reader;

	(void)state;
	see_as_host(0, 0, &reader);
	assert_int_equal(reader.scope.passes, KV_ALL_GUARDS);
	kv_reader_close(&reader);
	/* Root of a container, whom the operator shows what the host sees. */
	who.fsuid = who.euid = 0;
	who.caps = 0;
	fake_one(&who, sizeof(who));
	see_as_host(gettid(), 0, &reader);
	assert_int_equal(reader.scope.passes, KV_ALL_GUARDS);
	kv_reader_close(&reader);
	host.policy.wide_mode = 0444;
	see_as_host(0, 12345, &reader);
	assert_int_equal(reader.scope.passes, KV_ALL_GUARDS);
	kv_reader_close(&reader);
}

static void who_answers_for_the_cost_is_known_in_any_view(void **state)
{
	struct kv_reader reader;

	(void)state;
	who.master = 777;
	reader = identified();
	assert_int_equal(reader.user, 777);
	kv_reader_close(&reader);
	fake_one(&who, sizeof(who));
	see_as_host(gettid(), 12345, &reader);
	assert_int_equal(reader.user, 777);
	see_as_host(0, 12345, &reader); /* from elsewhere: by the id in the request */
	assert_int_equal(reader.user, 12345);
}

static void self_is_still_the_process_that_looks(void **state)
{
	struct kv_reader reader;

	(void)state;
	see_as_host(gettid(), 0, &reader);
	assert_int_equal(reader.pid, getpid());
	see_as_host(1, 0, &reader);
	assert_int_equal(reader.pid, 1);
	see_as_host(0, 0, &reader);
	assert_int_equal(reader.pid, 0);
	see_as_host(NO_TID, 0, &reader);
	assert_int_equal(reader.pid, 0);
}

static void from_the_hosts_view_nothing_is_hidden(void **state)
{
	struct kv_reader reader;

	(void)state;
	host.policy.hidepid = KV_HIDEPID_INVISIBLE;
	host.policy.hidepid_gid = 7;
	see_as_host(gettid(), 12345, &reader);
	assert_int_equal(reader.scope.hidepid, KV_HIDEPID_OFF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_IDENTITY(capabilities_pass_what_they_pass_in_proc),
		WITH_IDENTITY(no_other_capability_passes_anything),
		WITH_IDENTITY(in_a_nested_user_namespace_capabilities_pass_nothing),
		WITH_IDENTITY(to_be_root_without_capabilities_passes_nothing),
		WITH_IDENTITY(by_default_root_has_the_whole),
		WITH_IDENTITY(the_operator_may_give_the_whole),
		WITH_IDENTITY(without_hidepid_nobody_is_asked_for_groups),
		WITH_IDENTITY(hidepid_concerns_who_is_not_in_its_group),
		WITH_IDENTITY(members_of_the_group_are_exempt),
		WITH_IDENTITY(the_group_one_acts_with_counts),
		WITH_IDENTITY(the_largest_group_is_read_whole),
		WITH_IDENTITY(a_thread_whose_groups_cannot_be_read_is_concerned),
		WITH_IDENTITY(everyone_sees_what_the_host_does),
		WITH_IDENTITY(the_mode_of_files_holds_in_any_view),
		WITH_IDENTITY(who_answers_for_the_cost_is_known_in_any_view),
		WITH_IDENTITY(self_is_still_the_process_that_looks),
		WITH_IDENTITY(from_the_hosts_view_nothing_is_hidden),
	};

	return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
