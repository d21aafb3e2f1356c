// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "cli/commands.h"

static void overview(void)
{
	puts("kview shows live kernel state as files.\n\nUsage:");
	for (const struct kv_command *c = kv_commands; c->name; c++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", c->name, c->usage);
		printf("  kview %-29s %s\n", left, c->does);
	}
	puts("  kview --version                     the version\n\n"
	     "`kview help COMMAND` shows a command's options, `man kview` everything else.");
}

int kv_cmd_help(const struct kv_args *args, struct kv_err *err)
{
	const struct kv_command *c;

	if (!args->n_operands) {
		overview();
		return 0;
	}
	c = kv_command_find(args->operands[0]);
	if (!c) {
		kv_err_set(err, KV_USAGE, "unknown command '%s'", args->operands[0]);
		kv_err_hint(err, "`kview help` lists the commands");
		return KV_USAGE;
	}
	printf("Usage: kview %s%s%s%s\n\n%s\n\nOptions:\n", c->name,
	       c->options ? " [OPTION...]" : "", *c->usage ? " " : "", c->usage, c->does);
	kv_args_put_options(c->options);
	return 0;
}
