// SPDX-License-Identifier: GPL-2.0-only
#include "cli/args.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/pin.h"
#include "render/render.h"

struct option_def {
	unsigned int bit;
	const char *name;
	int letter;	   /* above 255: none */
	const char *value; /* what it takes; NULL: nothing */
	const char *does;
	size_t at; /* its place in struct kv_args: a string if it takes a value, or else a bool */
};

#define AT(member) offsetof(struct kv_args, member)

enum {
	LONG_PIN_DIR = 256,
	LONG_ITER_DIR,
	LONG_ITER,
	LONG_PID,
	LONG_MAP,
	LONG_CGROUP,
	LONG_KINDS,
	LONG_FOR,
	LONG_TAKEOVER,
};

static const struct option_def defs[] = {
	{KV_OPT_FOREGROUND, "foreground", 'f', NULL, "stay in the foreground, log to stderr",
	 AT(foreground)},
	{KV_OPT_TAKEOVER, "takeover", LONG_TAKEOVER, NULL, "replace the daemon of a live mount",
	 AT(takeover)},
	{KV_OPT_MOUNT, "options", 'o', "OPT[,OPT...]",
	 "allow_other, view=reader|host, hidepid=0|1|2, uid=, gid=, mode=, ...", AT(mount_words)},
	{KV_OPT_FORMAT, "format", 'F', "FORMAT", NULL, /* the formats' names, the default first */
	 AT(format)},
	{KV_OPT_COLUMNS, "columns", 'c', "COL[,COL...]", "only these columns, in this order",
	 AT(columns)},
	{KV_OPT_PID, "pid", LONG_PID, "PID", "only this process and its threads", AT(pid)},
	{KV_OPT_MAP, "map", LONG_MAP, "ID", "the BPF map whose elements are shown", AT(map)},
	{KV_OPT_CGROUP, "cgroup", LONG_CGROUP, "PATH", "only this cgroup and those below it",
	 AT(cgroup)},
	{KV_OPT_FOR, "for", LONG_FOR, "SECONDS", "collect for so long first", AT(seconds)},
	{KV_OPT_KINDS, "kinds", LONG_KINDS, NULL, "list the kernel's kinds of iterators",
	 AT(kinds)},
	{KV_OPT_ITER_DIR, "iter-dir", LONG_ITER_DIR, "DIR",
	 "also the iterators in DIR/NAME.bpf.o, NAME.o", AT(iter_dir)},
	{KV_OPT_ITER, "iter", LONG_ITER, "FILE.o", "this object alone, with the verifier's words",
	 AT(iter)},
	{KV_OPT_PIN_DIR, "pin-dir", LONG_PIN_DIR, "DIR", "keep pins there, not in " KV_PIN_DIR,
	 AT(pin_dir)},
	{~0u, "help", 'h', NULL, "show this", AT(help)},
};

#define N_DEFS (sizeof(defs) / sizeof(defs[0]))

static const struct option_def *find_def(int letter)
{
	for (size_t i = 0; i < N_DEFS; i++)
		if (defs[i].letter == letter)
			return &defs[i];
	return NULL;
}

/* The two tables of getopt_long(), with the options that the command takes. */
static void make_tables(unsigned int options, char *letters, struct option *longs)
{
	*letters++ = ':'; /* a missing value is reported as ':' */
	for (size_t i = 0; i < N_DEFS; i++) {
		const struct option_def *d = &defs[i];

		if (!(d->bit & options) && d->letter != 'h')
			continue;
		*longs++ = (struct option){d->name, d->value ? required_argument : no_argument,
					   NULL, d->letter};
		if (d->letter > 255)
			continue;
		*letters++ = (char)d->letter;
		if (d->value)
			*letters++ = ':';
	}
	*letters = '\0';
	*longs = (struct option){0};
}

#define MAX_SECONDS (366u * 24 * 60 * 60)

/* A number from 1 to @max; 0 with @err set: @text is none. */
static uint32_t parse_number(const char *text, const char *what, unsigned long max,
			     struct kv_err *err)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (!errno && *text >= '0' && *text <= '9' && !*end && v && v <= max)
		return (uint32_t)v;
	kv_err_set(err, -EINVAL, "'%s' is not %s", text, what);
	return 0;
}

static int set_option(struct kv_args *args, const struct option_def *d, char *value,
		      struct kv_err *err)
{
	char *to = (char *)args + d->at;

	if (d->bit == KV_OPT_PID) {
		args->pid = (pid_t)parse_number(value, "a process id", 1 << 30, err);
		return args->pid ? 0 : -EINVAL;
	}
	if (d->bit == KV_OPT_MAP) {
		args->map = parse_number(value, "a map id", UINT32_MAX, err);
		return args->map ? 0 : -EINVAL;
	}
	if (d->bit == KV_OPT_FOR) {
		args->seconds = parse_number(value, "a number of seconds", MAX_SECONDS, err);
		return args->seconds ? 0 : -EINVAL;
	}
	if (d->bit == KV_OPT_MOUNT && args->n_mount_words == KV_MAX_MOUNT_WORDS)
		return kv_err_set(err, -EINVAL, "more than %d -o", KV_MAX_MOUNT_WORDS);
	if (d->bit == KV_OPT_MOUNT)
		args->mount_words[args->n_mount_words++] = value;
	else if (d->value)
		*(const char **)to = value;
	else
		*(bool *)to = true;
	return 0;
}

static int bad_option(int got, char **argv, struct kv_err *err)
{
	const struct option_def *d = find_def(optopt);

	if (got == ':' && d)
		return kv_err_set(err, -EINVAL, "option '%s' needs %s", argv[optind - 1], d->value);
	if (got == '?' && d && strncmp(argv[optind - 1], "--", 2) == 0)
		return kv_err_set(err, -EINVAL, "option '%s' takes no value", argv[optind - 1]);
	if (optopt && optopt < 256)
		return kv_err_set(err, -EINVAL, "unknown option '-%c'", optopt);
	return kv_err_set(err, -EINVAL, "unknown option '%s'", argv[optind - 1]);
}

static int parse_options(const struct kv_command *command, int argc, char **argv,
			 struct kv_args *args, struct kv_err *err)
{
	char letters[2 * N_DEFS + 2];
	struct option longs[N_DEFS + 1];
	int c, rc;

	make_tables(command->options, letters, longs);
	optind = 0; /* glibc: start again */
	opterr = 0;
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		rc = c == '?' || c == ':' ? bad_option(c, argv, err)
					  : set_option(args, find_def(c), optarg, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int take_operands(const struct kv_command *command, int argc, char **argv,
			 struct kv_args *args, struct kv_err *err)
{
	for (int i = optind; i < argc; i++) {
		if (args->n_operands == command->max_operands)
			return kv_err_set(err, -EINVAL, "'%s' is one argument too many", argv[i]);
		args->operands[args->n_operands++] = argv[i];
	}
	if (args->n_operands < command->min_operands)
		return kv_err_set(err, -EINVAL, "%s is missing", command->usage);
	return 0;
}

int kv_args_parse(const struct kv_command *command, int argc, char **argv, struct kv_args *args,
		  struct kv_err *err)
{
	const char *pin_dir = getenv("KVIEW_PIN_DIR");
	int rc;

	*args = (struct kv_args){
		.pin_dir = pin_dir && *pin_dir ? pin_dir : KV_PIN_DIR,
		.format = kv_formats[0]->name,
	};
	rc = parse_options(command, argc, argv, args, err);
	if (!rc && !args->help)
		rc = take_operands(command, argc, argv, args, err);
	if (rc)
		kv_err_hint(err, "see `kview help %s`", command->name);
	return rc;
}

void kv_args_put_options(unsigned int options)
{
	for (size_t i = 0; i < N_DEFS; i++) {
		const struct option_def *d = &defs[i];
		char left[64], letter[5] = "    ", formats[KV_FORMAT_NAMES];

		if (!(d->bit & options) && d->letter != 'h')
			continue;
		if (d->letter < 256)
			snprintf(letter, sizeof(letter), "-%c, ", d->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, d->name, d->value ? " " : "",
			 d->value ? d->value : "");
		kv_format_names(" or ", formats);
		printf("  %-28s %s\n", left, d->does ? d->does : formats);
	}
}
