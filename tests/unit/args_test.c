// SPDX-License-Identifier: GPL-2.0-only
/* The words of the command line. */
#include <fcntl.h>
#include <unistd.h>

#include "cli/args.h"
#include "load/pin.h"
#include "unit.h"

#define ALL                                                                                    \
	(KV_OPT_PIN_DIR | KV_OPT_ITER_DIR | KV_OPT_FOREGROUND | KV_OPT_MOUNT | KV_OPT_FORMAT | \
	 KV_OPT_COLUMNS | KV_OPT_PID)

static const struct kv_command all = {
	.name = "all", .usage = "[A] [B]", .options = ALL, .max_operands = 2};
static const struct kv_command cat = {
	.name = "cat",
	.usage = "VIEW",
	.options = KV_OPT_FORMAT | KV_OPT_PID,
	.min_operands = 1,
	.max_operands = 1,
};
static const struct kv_command bare = {.name = "bare", .usage = ""};

#define MAX_WORDS 40

static int parse(const struct kv_command *command, struct kv_args *args, struct kv_err *err,
		 char **words)
{
	static char *argv[MAX_WORDS + 2];
	int n = 0;

	argv[n++] = (char *)command->name;
	while (*words && n <= MAX_WORDS)
		argv[n++] = *words++;
	argv[n] = NULL;
	*err = (struct kv_err){0};
	return kv_args_parse(command, n, argv, args, err);
}

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})
#define NOTHING ((char *[]){NULL})

static struct kv_args accept(const struct kv_command *command, char **words)
{
	struct kv_args args;
	struct kv_err err;
	int rc = parse(command, &args, &err, words);

	if (rc)
		print_message("# %s\n", err.msg);
	assert_int_equal(rc, 0);
	return args;
}

static void refuse(const struct kv_command *command, char **words, const char *message)
{
	struct kv_args args;
	struct kv_err err;
	char hint[64];

	assert_int_equal(parse(command, &args, &err, words), -EINVAL);
	assert_string_equal(err.msg, message);
	snprintf(hint, sizeof(hint), "see `kview help %s`", command->name);
	assert_string_equal(err.hint, hint);
}

/* --- defaults --- */

static void without_words_there_are_defaults(void **state)
{
	struct kv_args args;

	(void)state;
	unsetenv("KVIEW_PIN_DIR");
	args = accept(&all, NOTHING);
	assert_string_equal(args.pin_dir, KV_PIN_DIR);
	assert_string_equal(args.format, "text");
	assert_null(args.iter_dir);
	assert_null(args.columns);
	assert_false(args.foreground);
	assert_false(args.help);
	assert_int_equal(args.pid, 0);
	assert_int_equal(args.n_operands, 0);
	assert_int_equal(args.n_mount_words, 0);
}

static void the_environment_moves_the_pins(void **state)
{
	(void)state;
	setenv("KVIEW_PIN_DIR", "/from/env", 1);
	assert_string_equal(accept(&all, NOTHING).pin_dir, "/from/env");
	assert_string_equal(accept(&all, WORDS("--pin-dir", "/from/word")).pin_dir, "/from/word");
	unsetenv("KVIEW_PIN_DIR");
}

static void an_empty_environment_moves_nothing(void **state)
{
	(void)state;
	setenv("KVIEW_PIN_DIR", "", 1);
	assert_string_equal(accept(&all, NOTHING).pin_dir, KV_PIN_DIR);
	unsetenv("KVIEW_PIN_DIR");
}

/* --- options --- */

static void short_options_are_understood(void **state)
{
	struct kv_args args = accept(&all, WORDS("-f", "-F", "json", "-c", "pid,comm", "-o", "ro"));

	(void)state;
	assert_true(args.foreground);
	assert_string_equal(args.format, "json");
	assert_string_equal(args.columns, "pid,comm");
	assert_int_equal(args.n_mount_words, 1);
	assert_string_equal(args.mount_words[0], "ro");
}

static void long_options_are_understood(void **state)
{
	struct kv_args args =
		accept(&all, WORDS("--foreground", "--format", "csv", "--columns=pid", "--pid", "7",
				   "--iter-dir=/i", "--pin-dir", "/p", "--options=ro,nodev"));

	(void)state;
	assert_true(args.foreground);
	assert_string_equal(args.format, "csv");
	assert_string_equal(args.columns, "pid");
	assert_int_equal(args.pid, 7);
	assert_string_equal(args.iter_dir, "/i");
	assert_string_equal(args.pin_dir, "/p");
	assert_string_equal(args.mount_words[0], "ro,nodev");
}

static void a_value_may_follow_its_letter_at_once(void **state)
{
	struct kv_args args = accept(&all, WORDS("-Fjson", "-fcpid"));

	(void)state;
	assert_string_equal(args.format, "json");
	assert_true(args.foreground);
	assert_string_equal(args.columns, "pid");
}

static void the_last_of_two_counts(void **state)
{
	(void)state;
	assert_string_equal(accept(&all, WORDS("-F", "csv", "-F", "json")).format, "json");
}

static void every_o_is_kept(void **state)
{
	struct kv_args args = accept(&all, WORDS("-o", "a", "-ob", "--options", "c"));

	(void)state;
	assert_int_equal(args.n_mount_words, 3);
	assert_string_equal(args.mount_words[0], "a");
	assert_string_equal(args.mount_words[1], "b");
	assert_string_equal(args.mount_words[2], "c");
}

static void there_may_be_16_o_but_not_17(void **state)
{
	char *words[2 * (KV_MAX_MOUNT_WORDS + 1) + 1] = {NULL};

	(void)state;
	for (int i = 0; i < KV_MAX_MOUNT_WORDS; i++) {
		words[2 * i] = (char *)"-o";
		words[2 * i + 1] = (char *)"ro";
	}
	assert_int_equal(accept(&all, words).n_mount_words, KV_MAX_MOUNT_WORDS);
	words[2 * KV_MAX_MOUNT_WORDS] = (char *)"-o";
	words[2 * KV_MAX_MOUNT_WORDS + 1] = (char *)"ro";
	refuse(&all, words, "more than 16 -o");
}

static void one_parse_does_not_disturb_the_next(void **state)
{
	struct kv_args args;

	(void)state;
	accept(&all, WORDS("a", "-f", "b"));
	args = accept(&all, WORDS("c"));
	assert_false(args.foreground);
	assert_int_equal(args.n_operands, 1);
	assert_string_equal(args.operands[0], "c");
	refuse(&all, WORDS("-fx"), "unknown option '-x'");
	assert_true(accept(&all, WORDS("-f")).foreground);
	refuse(&all, WORDS("-xf"), "unknown option '-x'");
	assert_false(accept(&all, WORDS("a")).foreground);
}

/* --- operands --- */

static void options_and_operands_may_be_mixed(void **state)
{
	struct kv_args args = accept(&all, WORDS("src", "-f", "/mnt", "-o", "ro"));

	(void)state;
	assert_int_equal(args.n_operands, 2);
	assert_string_equal(args.operands[0], "src");
	assert_string_equal(args.operands[1], "/mnt");
	assert_true(args.foreground);
	assert_int_equal(args.n_mount_words, 1);
}

static void two_dashes_end_the_options(void **state)
{
	struct kv_args args = accept(&all, WORDS("-f", "--", "-o", "--pid"));

	(void)state;
	assert_int_equal(args.n_operands, 2);
	assert_string_equal(args.operands[0], "-o");
	assert_string_equal(args.operands[1], "--pid");
}

static void a_dash_is_an_operand(void **state)
{
	(void)state;
	assert_string_equal(accept(&all, WORDS("-")).operands[0], "-");
}

static void one_operand_too_many_is_named(void **state)
{
	(void)state;
	refuse(&cat, WORDS("task", "more"), "'more' is one argument too many");
	refuse(&all, WORDS("a", "b", "c", "d"), "'c' is one argument too many");
	refuse(&bare, WORDS("x"), "'x' is one argument too many");
}

static void a_missing_operand_is_named(void **state)
{
	(void)state;
	refuse(&cat, NOTHING, "VIEW is missing");
	refuse(&cat, WORDS("-F", "json"), "VIEW is missing");
}

/* --- help --- */

static void help_is_never_wrong(void **state)
{
	(void)state;
	assert_true(accept(&cat, WORDS("--help")).help);
	assert_true(accept(&cat, WORDS("-h")).help);
	assert_true(accept(&bare, WORDS("-h")).help);
	assert_true(accept(&cat, WORDS("a", "b", "c", "--help")).help);
}

/* --- errors --- */

static void an_unknown_option_is_named(void **state)
{
	(void)state;
	refuse(&all, WORDS("-x"), "unknown option '-x'");
	refuse(&all, WORDS("--nope"), "unknown option '--nope'");
	refuse(&all, WORDS("--nope=3"), "unknown option '--nope=3'");
	refuse(&all, WORDS("a", "--nope", "b"), "unknown option '--nope'");
	refuse(&all, WORDS("-fx"), "unknown option '-x'");
}

static void an_option_of_another_command_is_unknown(void **state)
{
	(void)state;
	refuse(&cat, WORDS("-f", "task"), "unknown option '-f'");
	refuse(&cat, WORDS("--pin-dir=/x", "task"), "unknown option '--pin-dir=/x'");
	refuse(&bare, WORDS("--pid", "1"), "unknown option '--pid'");
}

static void an_option_without_its_value_says_what_it_needs(void **state)
{
	(void)state;
	refuse(&all, WORDS("-F"), "option '-F' needs FORMAT");
	refuse(&all, WORDS("--format"), "option '--format' needs FORMAT");
	refuse(&all, WORDS("x", "-o"), "option '-o' needs OPT[,OPT...]");
	refuse(&all, WORDS("--pid"), "option '--pid' needs PID");
	refuse(&all, WORDS("--iter-dir"), "option '--iter-dir' needs DIR");
}

/* It is known, so "unknown option '-f'" would mislead. */
static void an_option_that_takes_no_value_says_so(void **state)
{
	struct kv_args args;
	struct kv_err err;

	(void)state;
	assert_int_equal(parse(&all, &args, &err, WORDS("--foreground=yes")), -EINVAL);
	assert_says(&err, "--foreground");
	assert_null(strstr(err.msg, "unknown option '-f'"));
	assert_int_equal(parse(&all, &args, &err, WORDS("--help=me")), -EINVAL);
	assert_says(&err, "--help");
}

static void an_ambiguous_option_is_refused(void **state)
{
	struct kv_args args;
	struct kv_err err;

	(void)state;
	assert_int_equal(parse(&all, &args, &err, WORDS("--pi", "1")), -EINVAL);
	assert_says(&err, "--pi");
}

static void a_process_id_is_a_plain_number(void **state)
{
	static const char *const wrong[] = {"",	    "0",   "-1",	 "+1",
					    "1x",   "x",   " 1",	 "1 ",
					    "0x10", "1.5", "4294967297", "99999999999999999999",
					    "self"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char message[64];

		snprintf(message, sizeof(message), "'%s' is not a process id", wrong[i]);
		refuse(&cat, WORDS("task", "--pid", (char *)wrong[i]), message);
	}
	assert_int_equal(accept(&cat, WORDS("task", "--pid", "4194303")).pid, 4194303);
	assert_int_equal(accept(&cat, WORDS("--pid=1", "task")).pid, 1);
}

/* --- the help's lines --- */

static size_t put_options(unsigned int options, char *text, size_t size)
{
	char name[] = "/tmp/kview-unit-XXXXXX";
	int fd = mkstemp(name), out;
	ssize_t n;

	assert_true(fd >= 0);
	unlink(name);
	fflush(stdout);
	out = dup(STDOUT_FILENO);
	dup2(fd, STDOUT_FILENO);
	kv_args_put_options(options);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	n = pread(fd, text, size - 1, 0);
	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return (size_t)n;
}

static void the_help_has_a_line_per_option(void **state)
{
	static const char *const words[] = {"-f, --foreground ",    "-o, --options OPT[,OPT...] ",
					    "-F, --format FORMAT ", "-c, --columns COL[,COL...] ",
					    "--pid PID ",	    "--iter-dir DIR ",
					    "--pin-dir DIR ",	    "-h, --help "};
	char text[4096];
	size_t lines = 0;

	(void)state;
	put_options(ALL, text, sizeof(text));
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, ARRAY_SIZE(words));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_non_null(strstr(text, words[i]));
}

static void the_help_has_only_options_that_the_command_takes(void **state)
{
	char text[4096];

	(void)state;
	put_options(KV_OPT_PID, text, sizeof(text));
	assert_non_null(strstr(text, "--pid PID"));
	assert_non_null(strstr(text, "--help"));
	assert_null(strstr(text, "--format"));
	assert_null(strstr(text, "--foreground"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_words_there_are_defaults),
		cmocka_unit_test(the_environment_moves_the_pins),
		cmocka_unit_test(an_empty_environment_moves_nothing),
		cmocka_unit_test(short_options_are_understood),
		cmocka_unit_test(long_options_are_understood),
		cmocka_unit_test(a_value_may_follow_its_letter_at_once),
		cmocka_unit_test(the_last_of_two_counts),
		cmocka_unit_test(every_o_is_kept),
		cmocka_unit_test(there_may_be_16_o_but_not_17),
		cmocka_unit_test(one_parse_does_not_disturb_the_next),
		cmocka_unit_test(options_and_operands_may_be_mixed),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(a_dash_is_an_operand),
		cmocka_unit_test(one_operand_too_many_is_named),
		cmocka_unit_test(a_missing_operand_is_named),
		cmocka_unit_test(help_is_never_wrong),
		cmocka_unit_test(an_unknown_option_is_named),
		cmocka_unit_test(an_option_of_another_command_is_unknown),
		cmocka_unit_test(an_option_without_its_value_says_what_it_needs),
		cmocka_unit_test(an_option_that_takes_no_value_says_so),
		cmocka_unit_test(an_ambiguous_option_is_refused),
		cmocka_unit_test(a_process_id_is_a_plain_number),
		cmocka_unit_test(the_help_has_a_line_per_option),
		cmocka_unit_test(the_help_has_only_options_that_the_command_takes),
	};

	return cmocka_run_group_tests_name("arguments", tests, NULL, NULL);
}
