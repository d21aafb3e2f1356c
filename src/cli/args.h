/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line. One table of options serves every command; a command has a bit for each
 * option that it takes, and a number of operands.
 */
#ifndef KVIEW_CLI_ARGS_H
#define KVIEW_CLI_ARGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Bits of struct kv_command.options. */
#define KV_OPT_PIN_DIR (1u << 0)
#define KV_OPT_ITER_DIR (1u << 1)
#define KV_OPT_FOREGROUND (1u << 2)
#define KV_OPT_MOUNT (1u << 3)
#define KV_OPT_FORMAT (1u << 4)
#define KV_OPT_COLUMNS (1u << 5)
#define KV_OPT_PID (1u << 6)
#define KV_OPT_TAKEOVER (1u << 7)
#define KV_OPT_MAP (1u << 8)
#define KV_OPT_CGROUP (1u << 9)
#define KV_OPT_KINDS (1u << 10)
#define KV_OPT_ITER (1u << 11)
#define KV_OPT_FOR (1u << 12)

#define KV_MAX_OPERANDS 2
#define KV_MAX_MOUNT_WORDS 16

struct kv_args {
	const char *pin_dir;
	const char *iter_dir;
	const char *iter;
	bool foreground;
	bool takeover;
	char *mount_words[KV_MAX_MOUNT_WORDS]; /* each -o's argument */
	unsigned int n_mount_words;
	const char *format;
	const char *columns;
	pid_t pid;
	uint32_t map; /* id; 0: none */
	const char *cgroup;
	uint32_t seconds; /* to collect for; 0: not at all */
	bool kinds;
	bool help;
	const char *operands[KV_MAX_OPERANDS];
	unsigned int n_operands;
};

struct kv_command {
	const char *name;
	const char *usage; /* operands, as the help shows them: "VIEW" */
	const char *does;  /* one line */
	unsigned int options;
	unsigned int min_operands, max_operands;
	/* Returns 0 or -errno with @err set. */
	int (*run)(const struct kv_args *args, struct kv_err *err);
};

/**
 * kv_args_parse() - parse the options and operands of a command
 * @argv: argv[0] is the command; changed in order, as by getopt
 * @args: filled in; points into @argv
 *
 * Options and operands may be mixed, "--" ends the options. KVIEW_PIN_DIR in
 * the environment is --pin-dir's default.
 *
 * Return: 0 or -EINVAL with @err set.
 */
int kv_args_parse(const struct kv_command *command, int argc, char **argv, struct kv_args *args,
		  struct kv_err *err);

/**
 * kv_args_put_options() - one line of help per option in @options
 */
void kv_args_put_options(unsigned int options);

#endif
