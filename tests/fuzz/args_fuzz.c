// SPDX-License-Identifier: GPL-2.0-only
/* Command lines and mount options: whatever comes, an answer or an error with words. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "cli/args.h"
#include "fuse/daemon/serve.h"
#include "fuzz.h"

#define MAX_WORDS 24

/* In front of libc's, which would ask the machine. */
struct passwd *getpwnam(const char *name)
{
	static struct passwd user = {.pw_uid = 7};

	return strcmp(name, "alice") == 0 ? &user : NULL;
}

struct group *getgrnam(const char *name)
{
	static struct group group = {.gr_gid = 8};

	return strcmp(name, "staff") == 0 ? &group : NULL;
}

static void check_err(int rc, const struct kv_err *err)
{
	MUST(rc == 0 || rc == -EINVAL);
	MUST(memchr(err->msg, '\0', sizeof(err->msg)) &&
	     memchr(err->hint, '\0', sizeof(err->hint)));
	MUST(!rc == !err->msg[0]);
}

static void check_mount(const struct kv_args *args)
{
	struct kv_mount_opts opts = KV_MOUNT_OPTS_INIT;
	struct kv_err err = {0};
	int rc = 0;

	for (unsigned int i = 0; i < args->n_mount_words && !rc; i++)
		rc = kv_mount_options(args->mount_words[i], &opts, &err);
	check_err(rc, &err);
	MUST(opts.max_files <= 65536 && opts.max_user_files <= 65536);
	MUST(!(opts.policy.wide_mode & ~0777u) && opts.policy.hidepid <= KV_HIDEPID_INVISIBLE);
	MUST(opts.policy.wide_uid != (uid_t)-1 && opts.policy.wide_gid != (gid_t)-1);
	MUST(!opts.pin_dir || *opts.pin_dir);
	MUST(!opts.iter_dir || *opts.iter_dir);
	if (rc)
		return;
	rc = kv_mount_options_check(&opts, &err);
	check_err(rc, &err);
	MUST(rc || opts.max_user_files < (opts.max_files ? opts.max_files : KV_MAX_FILES));
	MUST(rc || !opts.policy.host_view || !opts.policy.hidepid);
}

static void check_args(const struct kv_command *command, int rc, const struct kv_args *args)
{
	MUST(args->n_operands <= command->max_operands);
	MUST(args->n_mount_words <= KV_MAX_MOUNT_WORDS);
	MUST(args->pid >= 0 && args->pin_dir && args->format);
	MUST(rc || args->help || args->n_operands >= command->min_operands);
	MUST((command->options & KV_OPT_MOUNT) || !args->n_mount_words);
	MUST((command->options & KV_OPT_PID) || !args->pid);
	MUST((command->options & KV_OPT_FOREGROUND) || !args->foreground);
	for (unsigned int i = 0; i < args->n_operands; i++)
		MUST(args->operands[i]);
}

/* First byte: what the command takes; then words with NULs between. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	uint8_t what = in_8(&in), operands = in_8(&in);
	struct kv_command command = {
		.name = "mount",
		.usage = "VIEW",
		.does = "",
		.options = what,
		.max_operands = operands % (KV_MAX_OPERANDS + 1),
	};
	char *argv[MAX_WORDS + 2] = {(char *)"mount"};
	struct kv_args args;
	struct kv_err err = {0};
	int argc = 1, rc;

	command.min_operands = (operands >> 4) % (command.max_operands + 1);
	while (in_left(&in) && argc <= MAX_WORDS) {
		char *word = malloc(in_left(&in) + 1);

		MUST(word);
		in_word(&in, word, in_left(&in));
		argv[argc++] = word;
	}
	/* getopt moves the pointers: they are freed by another list. */
	char *words[MAX_WORDS + 2];
	memcpy(words, argv, sizeof(words));
	rc = kv_args_parse(&command, argc, argv, &args, &err);
	check_err(rc, &err);
	check_args(&command, rc, &args);
	check_mount(&args);
	for (int i = 1; i < argc; i++)
		free(words[i]);
	return 0;
}
