// SPDX-License-Identifier: GPL-2.0-only
/* The file `status`, of a server that is made here and serves nothing. */
#include <time.h>
#include <unistd.h>

#include "fake_process.h"
#include "fuse/status.h"

static struct kv_view list[] = {
	{.name = "task", .kind = "task", .is_loaded = true},
	{.name = "kmem_cache", .kind = "kmem_cache"}, /* not loaded: this kernel lacks it */
};
static struct kv_views views = {.list = list, .n = ARRAY_SIZE(list)};
static struct kv_server server;
static const struct kv_reader reader = {.scope = {.pid_ns = AWAY}};

static const struct kv_share_limits limits = {
	.slots = 2, .lane = 9, .each = 9, .host_each = 9, .all = 9, .cpu_percent = 50, .host = 7};
static const struct kv_sched_ops ops;

static int make_server(void **state)
{
	fake_setup(state);
	server = (struct kv_server){
		.host = host,
		.shared = calloc(1, sizeof(*server.shared) + 2 * sizeof(struct kv_counters)),
		.views = &views,
		.holder = 4321,
		.limits = {.all = 4096, .each = 256},
		.cpu_percent = 50,
	};
	clock_gettime(CLOCK_BOOTTIME, &server.began);
	kv_handles_init(&server.files, 1, &server.limits);
	kv_handles_init(&server.dirs, 1, &server.limits);
	return server.shared ? kv_sched_start(&server.sched, &limits, &ops, 1000) : -1;
}

static void release(void *object)
{
	(void)object;
}

static int free_server(void **state)
{
	(void)state;
	kv_handles_free(&server.files, release);
	kv_handles_free(&server.dirs, release);
	assert_true(kv_sched_stop(&server.sched));
	free(server.shared);
	return 0;
}

/* The value in the one line of that name, as it is now. */
static const char *value(const char *name)
{
	static char found[128];
	char *text = kv_status_text(&server, &reader), *save = NULL;
	size_t n = strlen(name);
	int times = 0;

	assert_non_null(text);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, name, n) == 0 && line[n] == '\t') {
			snprintf(found, sizeof(found), "%s", line + n + 1);
			times++;
		}
	free(text);
	if (times != 1)
		print_message("# %d lines of '%s'\n", times, name);
	assert_int_equal(times, 1);
	return found;
}

static void expect(const char *name, const char *want)
{
	assert_string_equal(value(name), want);
}

static void expect_number(const char *name, long long want)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", want);
	expect(name, text);
}

/* --- its form --- */

static void every_line_is_a_name_a_tab_and_a_value(void **state)
{
	char *text = kv_status_text(&server, &reader), *line = text, *end;

	(void)state;
	for (; (end = strchr(line, '\n')); line = end + 1) {
		const char *tab = memchr(line, '\t', (size_t)(end - line));

		assert_non_null(tab);
		assert_true(tab > line && tab + 1 < end);
		assert_null(memchr(tab + 1, '\t', (size_t)(end - tab - 1)));
		assert_null(memchr(line, ' ', (size_t)(end - line)));
	}
	assert_true(line > text);
	assert_string_equal(line, ""); /* the last one is whole */
	free(text);
}

static void the_names_come_in_one_order(void **state)
{
	static const char want[] =
		"version uptime holder worker restarts dying_workers seccomp view hidepid resend "
		"perfmon_reads_maps open_files max_files max_user_files cpu open_listings "
		"reads_running reads_waiting reads_stuck "
		"task.iterator task.reads task.rows task.bytes task.errors "
		"kmem_cache.iterator kmem_cache.reads kmem_cache.rows kmem_cache.bytes "
		"kmem_cache.errors ";
	char *text = kv_status_text(&server, &reader), *save = NULL, got[1024] = "";

	(void)state;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		*strchr(line, '\t') = ' ';
		strncat(got, line, strcspn(line, " ") + 1);
	}
	assert_string_equal(got, want);
	free(text);
}

/* --- the mount --- */

static void the_version_is_the_programs(void **state)
{
	(void)state;
	expect("version", KVIEW_VERSION);
}

/* A reader's numbers of processes; of which was asked first and last. */
static pid_t first_asked;

static void note_first(void)
{
	if (!first_asked)
		first_asked = (pid_t)fake.tid;
}

static void the_processes_are_named_by_the_readers_numbers(void **state)
{
	struct kv_process known = {.nr = 77, .pid = 88, .start = 99};

	(void)state;
	fake_one(&known, sizeof(known));
	fake.on_read = note_first;
	expect_number("holder", 77);
	expect_number("worker", 77);
	assert_int_equal(first_asked, 4321);
	assert_int_equal(fake.tid, getpid());
	assert_int_equal(fake.scope.pid_ns, AWAY);
	known.is_hidden = 1; /* listed in pid/ all the same */
	fake_one(&known, sizeof(known));
	expect_number("holder", 77);
}

static void a_process_that_the_reader_cannot_know_has_no_number(void **state)
{
	(void)state;
	fake_one("", 0);
	expect("holder", "-");
	expect("worker", "-");
	fake.fail = -ENOMEM;
	expect("holder", "-");
	expect("worker", "-");
}

/* Since @server.began, in ms. */
static int since(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int)((now.tv_sec - server.began.tv_sec) * 1000 +
		     (now.tv_nsec - server.began.tv_nsec) / 1000000);
}

static void expect_uptime(void)
{
	int before = since(), told = (int)(1000 * strtod(value("uptime"), NULL) + 0.5);

	assert_in_range(told + 2, before + 1, since() + 3); /* rounded */
}

static void the_uptime_is_of_the_mount(void **state)
{
	const char *point;

	(void)state;
	expect_uptime();
	server.began.tv_sec -= 100000;
	expect_uptime();
	point = strchr(value("uptime"), '.');
	assert_non_null(point);
	assert_int_equal(strlen(point + 1), 3);
}

/* The nanoseconds of the start are above those of now, or below. */
static void the_uptime_borrows_from_the_seconds(void **state)
{
	(void)state;
	server.began = (struct timespec){server.began.tv_sec - 5, 999999999};
	expect_uptime();
	server.began.tv_nsec = 0;
	expect_uptime();
}

static void workers_that_hang_are_counted(void **state)
{
	(void)state;
	expect_number("dying_workers", 0);
	server.shared->dying = 3;
	expect_number("dying_workers", 3);
}

static void restarts_are_counted(void **state)
{
	(void)state;
	expect_number("restarts", 0);
	server.shared->restarts = 3;
	expect_number("restarts", 3);
	server.shared->restarts = UINT32_MAX;
	expect_number("restarts", UINT32_MAX);
}

static void the_filter_is_told(void **state)
{
	(void)state;
	expect("seccomp", "none");
	server.is_filtered = true;
	expect("seccomp", "filter");
	server.is_filtered = false;
}

static void the_policy_is_told(void **state)
{
	static const enum kv_hidepid kinds[] = {KV_HIDEPID_OFF, KV_HIDEPID_NO_ACCESS,
						KV_HIDEPID_INVISIBLE};

	(void)state;
	expect("view", "reader");
	server.host.policy.host_view = true;
	expect("view", "host");
	for (int i = 0; i < 3; i++) {
		server.host.policy.hidepid = kinds[i];
		expect_number("hidepid", i);
	}
	expect("perfmon_reads_maps", "no");
	server.host.perfmon_reads_maps = true;
	expect("perfmon_reads_maps", "yes");
}

/* --- what is in use --- */

static void open_files_and_listings_are_counted_apart(void **state)
{
	uint64_t file[2], dir;
	int object;

	(void)state;
	expect_number("open_files", 0);
	assert_int_equal(kv_handles_add(&server.files, &object, 1, &file[0]), 0);
	assert_int_equal(kv_handles_add(&server.files, &object, 2, &file[1]), 0);
	assert_int_equal(kv_handles_add(&server.dirs, &object, 2, &dir), 0);
	expect_number("open_files", 2);
	expect_number("open_listings", 1);
	kv_handles_drop(&server.files, file[0]);
	kv_handles_drop(&server.dirs, dir);
	expect_number("open_files", 1);
	expect_number("open_listings", 0);
}

static void limits_are_told(void **state)
{
	(void)state;
	expect_number("max_files", 4096);
	expect_number("max_user_files", 256);
	expect_number("cpu", 50);
	server.limits = (struct kv_handle_limits){.all = 65536, .each = 1};
	expect_number("max_files", 65536);
	expect_number("max_user_files", 1);
}

static void reads_run_wait_or_are_stuck(void **state)
{
	struct kv_share *share = &server.sched.share;
	struct kv_job jobs[5] = {{0}}, *job;
	struct timespec now;
	bool had_begun;
	uint64_t at;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &now);
	at = (uint64_t)now.tv_sec * 1000 * KV_MS + (uint64_t)now.tv_nsec;
	expect_number("reads_running", 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(kv_share_line_up(share, &jobs[i], at), 0);
	for (int i = 0; i < 2; i++)
		assert_ptr_equal(kv_share_next(share, at, &had_begun), &jobs[i]);
	expect_number("reads_running", 2);
	expect_number("reads_waiting", 3);
	expect_number("reads_stuck", 0);
	jobs[1].got_on = at - 1000 * KV_MS;
	expect_number("reads_stuck", 1);
	for (int i = 0; i < 2; i++)
		kv_share_finish(share, &jobs[i], at, (struct kv_usage){0});
	expect_number("reads_running", 0);
	while ((job = kv_share_next(share, at, &had_begun)))
		kv_share_finish(share, job, at, (struct kv_usage){0});
	expect_number("reads_waiting", 0);
}

/* --- views --- */

static void a_view_that_is_not_loaded_has_no_iterator(void **state)
{
	(void)state;
	expect("task.iterator", "task");
	expect("kmem_cache.iterator", "-");
}

static void each_view_has_counters_of_its_own(void **state)
{
	static const char *const names[] = {"reads", "rows", "bytes", "errors"};
	char name[32];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct kv_counters *c = &server.shared->counters[i];

		c->reads = 10U * (unsigned int)i + 1;
		c->rows = 10U * (unsigned int)i + 2;
		c->bytes = 10U * (unsigned int)i + 3;
		c->errors = 10U * (unsigned int)i + 4;
	}
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 4; k++) {
			snprintf(name, sizeof(name), "%s.%s", list[i].name, names[k]);
			expect_number(name, 10 * i + k + 1);
		}
}

static void large_counters_are_whole(void **state)
{
	(void)state;
	server.shared->counters[0].bytes = UINT64_MAX;
	expect("task.bytes", "18446744073709551615");
	server.shared->counters[0].rows = UINT64_C(1) << 63;
	expect("task.rows", "9223372036854775808");
}

/* As many as somebody has objects for. */
static void many_views_are_all_told(void **state)
{
	static struct kv_view many[3000];
	static char names[3000][16];

	(void)state;
	free(server.shared);
	server.shared = calloc(1, sizeof(*server.shared) + 3000 * sizeof(struct kv_counters));
	assert_non_null(server.shared);
	for (int i = 0; i < 3000; i++) {
		snprintf(names[i], sizeof(names[i]), "view_%d", i);
		many[i] = (struct kv_view){.name = names[i]};
		server.shared->counters[i].reads = (unsigned int)i;
	}
	views = (struct kv_views){.list = many, .n = 3000};
	expect_number("view_0.reads", 0);
	expect_number("view_1499.reads", 1499);
	expect_number("view_2999.reads", 2999);
	expect_number("view_2999.errors", 0);
	views = (struct kv_views){.list = list, .n = ARRAY_SIZE(list)};
}

#define OF_SERVER(f) cmocka_unit_test_setup_teardown(f, make_server, free_server)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF_SERVER(every_line_is_a_name_a_tab_and_a_value),
		OF_SERVER(the_names_come_in_one_order),
		OF_SERVER(the_version_is_the_programs),
		OF_SERVER(the_processes_are_named_by_the_readers_numbers),
		OF_SERVER(a_process_that_the_reader_cannot_know_has_no_number),
		OF_SERVER(the_uptime_is_of_the_mount),
		OF_SERVER(the_uptime_borrows_from_the_seconds),
		OF_SERVER(restarts_are_counted),
		OF_SERVER(workers_that_hang_are_counted),
		OF_SERVER(the_filter_is_told),
		OF_SERVER(the_policy_is_told),
		OF_SERVER(open_files_and_listings_are_counted_apart),
		OF_SERVER(limits_are_told),
		OF_SERVER(reads_run_wait_or_are_stuck),
		OF_SERVER(a_view_that_is_not_loaded_has_no_iterator),
		OF_SERVER(each_view_has_counters_of_its_own),
		OF_SERVER(large_counters_are_whole),
		OF_SERVER(many_views_are_all_told),
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
