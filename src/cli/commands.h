/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of commands: it drives dispatch and help. */
#ifndef KVIEW_CLI_COMMANDS_H
#define KVIEW_CLI_COMMANDS_H

#include "cli/args.h"
#include "load/map.h"
#include "load/view.h"

extern const struct kv_command kv_commands[]; /* the last has no name */

/* kv_command_find() - NULL for none */
const struct kv_command *kv_command_find(const char *name);

int kv_cmd_mount(const struct kv_args *args, struct kv_err *err);
int kv_cmd_umount(const struct kv_args *args, struct kv_err *err);
int kv_cmd_load(const struct kv_args *args, struct kv_err *err);
int kv_cmd_unload(const struct kv_args *args, struct kv_err *err);
int kv_cmd_list(const struct kv_args *args, struct kv_err *err);
int kv_cmd_cat(const struct kv_args *args, struct kv_err *err);
int kv_cmd_schema(const struct kv_args *args, struct kv_err *err);
int kv_cmd_status(const struct kv_args *args, struct kv_err *err);
int kv_cmd_check(const struct kv_args *args, struct kv_err *err);
int kv_cmd_help(const struct kv_args *args, struct kv_err *err);

/* A command returns it, with @err set, for wrong usage: exit status 2. */
#define KV_USAGE (-10002)

/* kv_say() - print an error with its hint to stderr */
void kv_say(const struct kv_err *err);

/* kv_warn_view() - print why a view is left out, or which of its columns have no value */
void kv_warn_view(const struct kv_view *view);

/* kv_open_map() - kv_map_open() for a command, with @err set on failure */
int kv_open_map(uint32_t id, struct kv_map_fds *fds, struct kv_err *err);

/**
 * kv_open_view() - open the views and find the one that the command names
 *
 * Return: 0 or -errno with @err set; on success @views is to be closed.
 */
int kv_open_view(const struct kv_args *args, struct kv_views *views, struct kv_view **view,
		 struct kv_err *err);

#endif
